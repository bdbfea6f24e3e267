"""The SQL of a run. Its only clock is PostgreSQL's `clock_timestamp()`.

Inserting a slot's row claims it. The unique index task_run_slot lets exactly one host do so; a second host waits no
longer than the first one's statement takes. Nothing stays locked beyond a statement, so no lock can go stale.
"""

from __future__ import annotations

from scheduled_tasks.run.columns import END, SLOT, START, TERMS, listed, without

# A temporary switch (reverts_at) reverts automatically: after it the flag has its former state, the opposite.
FLAG = """
    SELECT is_active <> coalesce(reverts_at <= clock_timestamp(), false) AS is_active,
           coalesce(reverts_at <= clock_timestamp(), false) AS switch_expired
      FROM feature WHERE name = %(feature)s
"""

# The widest pause that applies to the job on this host; a pause of this host alone is the narrowest.
_PAUSED = """
    SELECT reason || ' (' || paused_by || ')' AS why, host IS NOT NULL AS here_only
      FROM pause
     WHERE resumed_at IS NULL AND (until IS NULL OR until > clock_timestamp())
       AND (clock IS NULL OR clock = %(clock)s) AND (job IS NULL OR job = %(job)s)
       AND (host IS NULL OR host = %(host)s)
     ORDER BY host NULLS FIRST, clock NULLS FIRST, job NULLS FIRST LIMIT 1
"""

_ROW = f"""
    INSERT INTO task_run AS run ({listed(START | TERMS)}, status, started_at, expires_at)
    SELECT {listed(START | TERMS, "%({0})s::{1}")}, 'started', clock_timestamp(),
           clock_timestamp() + make_interval(secs => %(expires_in)s)
"""

# For a run without a slot. ON CONFLICT: it is sent again after a lost connection, when the row may exist already.
OPEN = f"""
WITH flag AS ({FLAG}), paused AS ({_PAUSED}), opened AS (
    {_ROW} ON CONFLICT (run_id) DO NOTHING
)
SELECT (SELECT is_active FROM flag), coalesce((SELECT switch_expired FROM flag), false),
       coalesce((SELECT why FROM paused), '')
"""  # noqa: S608 - our own text

# A row that exists can be claimed by:
# - the run itself, when it retries or sends the statement again;
# - any run, if the slot was missed or could not begin (attempt 0);
# - the next run, if the claim has expired and the task is idempotent;
# - a run for which this slot was requested, if it was skipped or, if a person requested it, failed or was lost;
# - a forced run, unless the slot is running.
# While only this host is paused, it leaves the slot to the others; the watch records slots if all hosts are paused.
# Expired runs of the job don't count as overlapping: they are lost, or this run takes them over.
CLAIM = f"""
WITH flag AS ({FLAG}), paused AS ({_PAUSED}), expired AS (
    UPDATE task_run SET status = 'lost', ended_at = clock_timestamp(), reason = 'it ran longer than its time limit'
     WHERE %(is_exclusive)s AND clock = %(clock)s AND job = %(job)s AND status = 'started' AND is_exclusive
       AND expires_at < clock_timestamp() AND scheduled_at <> %(scheduled_at)s
    RETURNING 1
), claimed AS (
    {_ROW}
      FROM (SELECT count(*) FROM expired) AS first
     WHERE %(slot_host)s <> '' OR %(is_forced)s OR NOT EXISTS (SELECT FROM paused WHERE here_only)
    ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE
       SET {listed(without(START | TERMS, *SLOT, "attempt"), "{0} = excluded.{0}")}, status = 'started',
           started_at = excluded.started_at, expires_at = excluded.expires_at, ended_at = NULL,
           {listed(without(END, "status", "reason"), "{0} = NULL")},
           attempt = CASE WHEN run.run_id = excluded.run_id THEN greatest(run.attempt, excluded.attempt)
                          ELSE run.attempt + 1 END,
           reason = CASE WHEN run.run_id = excluded.run_id THEN NULL
                         WHEN run.status = 'started' THEN 'taken over from ' || run.host
                         WHEN run.reason IS NOT NULL THEN 'was ' || run.status || ': ' || run.reason END
     WHERE run.run_id = excluded.run_id
        OR run.status = 'missed' OR run.attempt = 0
        OR (run.status = 'started' AND run.expires_at < clock_timestamp()
            AND run.is_idempotent AND excluded.is_idempotent)
        OR (%(is_requested)s AND run.status = 'skipped')
        OR (%(is_repeated)s AND run.status IN ('failed', 'lost'))
        OR (%(is_forced)s AND run.status <> 'started')
    RETURNING attempt
)
SELECT (SELECT attempt FROM claimed), (SELECT is_active FROM flag), coalesce((SELECT switch_expired FROM flag), false),
       (SELECT why FROM paused), coalesce((SELECT here_only FROM paused), false) AND %(slot_host)s = ''
"""  # noqa: S608 - our own text

_SLOT = " AND ".join(f"{name} = %({name})s" for name in SLOT)

WINNER = f"SELECT host, status FROM task_run WHERE {_SLOT}"  # noqa: S608 - our own text

SKIP_FOR_OTHER_RUN = f"""
WITH other AS (
    SELECT 'the run due at ' || to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || ' on ' || host
           || ' is still running' AS reason
      FROM task_run WHERE clock = %(clock)s AND job = %(job)s AND status = 'started' AND is_exclusive
)
INSERT INTO task_run ({listed(START)}, status, started_at, ended_at, reason)
VALUES ({listed(START, "%({0})s")}, 'skipped', clock_timestamp(), clock_timestamp(),
        coalesce((SELECT reason FROM other), 'another run of the job was still running'))
ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO NOTHING
RETURNING reason
"""  # noqa: S608 - our own text

# A run that was considered lost can still report its result; one whose slot was taken over can't.
CLOSE = f"""
UPDATE task_run
   SET {listed(without(END, "reason"), "{0} = %({0})s")}, ended_at = clock_timestamp(),
       reason = coalesce(%(reason)s, reason)
 WHERE run_id = %(run_id)s AND attempt = %(attempt)s
   AND (status IN ('started', 'lost')
        OR (status = %(status)s AND duration = %(duration)s))  -- the statement was sent twice
RETURNING 1
"""  # noqa: S608 - our own text
