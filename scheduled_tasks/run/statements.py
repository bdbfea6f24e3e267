"""The statements of a run, and what they promise. `clock_timestamp()`, PostgreSQL's own, is the one clock they go by.

A slot is claimed by the insert of its row, which one of all hosts makes: the unique index task_run_slot sees to it, and
who comes second waits for no longer than the other's statement takes. Nothing is locked beyond a statement, so nothing
goes stale.
"""

from __future__ import annotations

from scheduled_tasks.run.columns import END, SLOT, START, TERMS, listed, typed, without

# A switch for a time (reverts_at) is over by itself: the flag is then what it was before, which is the opposite.
_FLAG = """
    SELECT is_active <> coalesce(reverts_at <= clock_timestamp(), false) AS is_active,
           coalesce(reverts_at <= clock_timestamp(), false) AS has_expired
      FROM feature WHERE name = %(feature)s
"""
FLAG = _FLAG

# The widest pause that holds for the job here; one of this host alone comes last.
_PAUSED = """
    SELECT reason || ' (' || paused_by || ')' AS why, host IS NOT NULL AS is_here_alone
      FROM pause
     WHERE resumed_at IS NULL AND (until IS NULL OR until > clock_timestamp())
       AND (clock IS NULL OR clock = %(clock)s) AND (job IS NULL OR job = %(job)s)
       AND (host IS NULL OR host = %(host)s)
     ORDER BY host NULLS FIRST, clock NULLS FIRST, job NULLS FIRST LIMIT 1
"""

_ROW = f"""
    INSERT INTO task_run AS run ({listed(START | TERMS)}, status, started_at, expires_at)
    SELECT {typed(START | TERMS, "%({})s::{}")}, 'started', clock_timestamp(),
           clock_timestamp() + make_interval(secs => %(expires_in)s)
"""

# Without a slot there is nothing to claim. ON CONFLICT: sent again after a lost connection, the row may be there.
OPEN = f"""
WITH flag AS ({_FLAG}), paused AS ({_PAUSED}), opened AS (
    {_ROW} ON CONFLICT (run_id) DO NOTHING
)
SELECT (SELECT is_active FROM flag), coalesce((SELECT has_expired FROM flag), false),
       coalesce((SELECT why FROM paused), '')
"""  # noqa: S608 - our own text

# Who may have a row that is there: the run itself, when it tries again or sends the statement again; anyone, where
# nobody could begin it; where a claim has expired, the next who asks, if the task is idempotent; who names the slot,
# where it was skipped; a person who names it, where it failed or was lost; who forces it, whatever became of it.
# A host that alone is paused leaves the slot to the others; the watch tells where all were.
# Runs of the job that can't be alive any more don't keep it from being alone (they are lost, or theirs to take over).
CLAIM = f"""
WITH flag AS ({_FLAG}), paused AS ({_PAUSED}), gone AS (
    UPDATE task_run SET status = 'lost', ended_at = clock_timestamp(), reason = 'its time was over'
     WHERE %(is_exclusive)s AND clock = %(clock)s AND job = %(job)s AND status = 'started' AND is_exclusive
       AND expires_at < clock_timestamp() AND scheduled_at <> %(scheduled_at)s
    RETURNING 1
), claimed AS (
    {_ROW}
      FROM (SELECT count(*) FROM gone) AS first
     WHERE %(slot_host)s <> '' OR %(is_forced)s OR NOT EXISTS (SELECT FROM paused WHERE is_here_alone)
    ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE
       SET {listed(without(START | TERMS, *SLOT, "attempt"), "{0} = excluded.{0}")}, status = 'started',
           started_at = excluded.started_at, expires_at = excluded.expires_at, ended_at = NULL,
           {listed(without(END, "status", "reason"), "{} = NULL")},
           attempt = CASE WHEN run.run_id = excluded.run_id THEN greatest(run.attempt, excluded.attempt)
                          ELSE run.attempt + 1 END,
           reason = CASE WHEN run.run_id = excluded.run_id THEN NULL
                         WHEN run.status = 'started' THEN 'taken over from ' || run.host
                         WHEN run.reason IS NOT NULL THEN 'was ' || run.status || ': ' || run.reason END
     WHERE run.run_id = excluded.run_id
        OR run.status = 'missed' OR run.attempt = 0
        OR (run.status = 'started' AND run.expires_at < clock_timestamp()
            AND run.is_idempotent AND excluded.is_idempotent)
        OR (%(is_asked_for)s AND run.status = 'skipped')
        OR (%(is_repeated)s AND run.status IN ('failed', 'lost'))
        OR (%(is_forced)s AND run.status <> 'started')
    RETURNING attempt
)
SELECT (SELECT attempt FROM claimed), (SELECT is_active FROM flag), coalesce((SELECT has_expired FROM flag), false),
       (SELECT why FROM paused), coalesce((SELECT is_here_alone FROM paused), false) AND %(slot_host)s = ''
"""  # noqa: S608 - our own text

_SLOT = " AND ".join(f"{name} = %({name})s" for name in SLOT)

WINNER = f"SELECT host, status FROM task_run WHERE {_SLOT}"  # noqa: S608 - our own text

SKIP_FOR_ANOTHER = f"""
WITH other AS (
    SELECT 'the run due at ' || to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || ' on ' || host
           || ' is not over' AS reason
      FROM task_run WHERE clock = %(clock)s AND job = %(job)s AND status = 'started' AND is_exclusive
)
INSERT INTO task_run ({listed(START)}, status, started_at, ended_at, reason)
VALUES ({listed(START, "%({})s")}, 'skipped', clock_timestamp(), clock_timestamp(),
        coalesce((SELECT reason FROM other), 'another run of the job was not over'))
ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO NOTHING
RETURNING reason
"""  # noqa: S608 - our own text

# A run that was taken for lost may tell better; one whose slot another has taken over may not.
CLOSE = f"""
UPDATE task_run
   SET {listed(without(END, "reason"), "{0} = %({0})s")}, ended_at = clock_timestamp(),
       reason = coalesce(%(reason)s, reason)
 WHERE run_id = %(run_id)s AND attempt = %(attempt)s
   AND (status IN ('started', 'lost')
        OR (status = %(status)s AND duration = %(duration)s))  -- sent again, it is done already
RETURNING 1
"""  # noqa: S608 - our own text
