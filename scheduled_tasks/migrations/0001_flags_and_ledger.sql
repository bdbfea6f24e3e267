-- Feature flags with the history of their changes, and the ledger: one result for each nominal time of each job.

CREATE TABLE feature (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    is_active   boolean NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  text NOT NULL,
    reason      text,
    -- A temporary switch: from then on the opposite of is_active applies.
    reverts_at  timestamptz CHECK (reverts_at BETWEEN '2000-01-01Z' AND '2200-01-01Z')
);

-- Refers to the flag by name, not id: the history stays when a flag is deleted.
CREATE TABLE feature_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    was_active boolean,              -- null when the flag was created
    is_active  boolean NOT NULL,
    reason     text,
    reverts_at timestamptz
);

CREATE INDEX feature_change_name_changed_at ON feature_change (name, changed_at);

-- A slot is (clock, job, scheduled_at, slot_host). With slot_host '' there is one slot for all hosts of the clock; with a
-- host's name each host has its own (per_host). The slot's row is the claim: the host that inserts it runs the slot.
-- slot_host is null for a run without a slot, such as one started by hand.
CREATE TABLE task_run (
    run_id        uuid PRIMARY KEY,
    task          text NOT NULL,
    clock         text,              -- null for a run by hand
    job           text,
    scheduled_at  timestamptz,       -- the nominal time, if known
    slot_host     text,
    host          text NOT NULL,
    trigger       text NOT NULL CHECK (trigger IN ('timer', 'manual', 'backfill', 'watch')),
    -- missed: due, and no host ran it. lost: it started, and how it ended is unknown.
    status        text NOT NULL CHECK (status IN ('started', 'ended', 'failed', 'skipped', 'missed', 'lost')),
    attempt       integer NOT NULL DEFAULT 1,  -- retries of a slot share its row; 0: nothing could start
    -- When the run's process began, by this database's clock, however long the claim had to wait; the nominal time for
    -- a slot that no run began for.
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,       -- of a run that recorded its end: started_at + duration
    duration      double precision,  -- seconds by the host's monotonic clock
    lag           double precision,  -- seconds from the nominal time to the start, both by the host's clock
    expires_at    timestamptz,       -- after this a run that is still `started` cannot be alive
    exit_code     integer,
    error_type    text,
    error_message text,
    reason        text,              -- why it was skipped, missed or lost
    release       text,
    invocation_id uuid,              -- systemd's, to find its log lines in the journal
    memory_peak   bigint,            -- bytes
    cpu_seconds   double precision,
    is_idempotent boolean NOT NULL DEFAULT false,  -- whether another host may take it over once it has expired
    is_exclusive  boolean NOT NULL DEFAULT false,  -- whether no other slot of its job may run meanwhile
    -- Of a result that failed, was missed or lost: whether a run of its job ended well after it. The watch sets it, so
    -- that a search for bad jobs reads the few results that it has not marked. False can be late; true never early.
    is_resolved   boolean NOT NULL DEFAULT false,
    -- One row that a program can't read or compute with must not stop the watch of every host.
    CONSTRAINT instants_from_2000_to_2200 CHECK (
        least(scheduled_at, started_at, ended_at, expires_at) >= '2000-01-01Z'
        AND greatest(scheduled_at, started_at, ended_at, expires_at) < '2200-01-01Z'
    ),
    CONSTRAINT names_of_at_most_255_characters CHECK (
        greatest(length(task), length(clock), length(job), length(slot_host), length(host), length(release),
                 length(error_type)) <= 255
    ),
    CONSTRAINT texts_of_at_most_4000_characters CHECK (greatest(length(error_message), length(reason)) <= 4000),
    -- NaN is greater than every other number.
    CONSTRAINT plausible_numbers CHECK (
        least(duration, cpu_seconds, memory_peak, attempt) >= 0 AND greatest(duration, abs(lag), cpu_seconds) < 1e10
        AND attempt <= 1000000
    )
);

CREATE UNIQUE INDEX task_run_slot ON task_run (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL;
-- A job with overlap= runs once at a time across all hosts; the database enforces it.
CREATE UNIQUE INDEX task_run_exclusive ON task_run (clock, job) WHERE status = 'started' AND is_exclusive;
CREATE INDEX task_run_running ON task_run (expires_at) WHERE status = 'started';
-- A failure note names the run by systemd's invocation.
CREATE INDEX task_run_invocation ON task_run (invocation_id) WHERE invocation_id IS NOT NULL;
CREATE INDEX task_run_status_started_at ON task_run (status, started_at)
 WHERE status IN ('failed', 'missed', 'lost', 'skipped');
CREATE INDEX task_run_started_at ON task_run (started_at);
CREATE INDEX task_run_clock_job_started_at ON task_run (clock, job, started_at);
CREATE INDEX task_run_task_started_at ON task_run (task, started_at);
-- The results of a job, in the order in which they count (operate/status.py): the good ones, and the bad ones.
CREATE INDEX task_run_good ON task_run (
    clock, job, (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
) WHERE status = 'ended';
CREATE INDEX task_run_bad ON task_run (
    clock, job, (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
) WHERE status IN ('failed', 'missed', 'lost');
CREATE INDEX task_run_unresolved ON task_run (clock, job)
 WHERE status IN ('failed', 'missed', 'lost') AND NOT is_resolved;

-- A resolved row that changes may be another result: only the watch, which sets is_resolved of an unresolved row, can
-- make it resolved again.
CREATE FUNCTION unresolve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.is_resolved := false;
    RETURN new;
END $$;

CREATE TRIGGER unresolve BEFORE UPDATE ON task_run FOR EACH ROW
WHEN (old.is_resolved AND new.is_resolved) EXECUTE FUNCTION unresolve();

-- A good result that changes resolves nothing any more: what it has resolved, and no earlier one, is unresolved until
-- the watch looks again.
CREATE FUNCTION unresolve_earlier() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at       timestamptz := coalesce(old.ended_at, old.started_at);
    previous timestamptz := (
        SELECT max(CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
          FROM task_run
         WHERE clock = old.clock AND job = old.job AND status = 'ended' AND run_id <> new.run_id
           AND coalesce(slot_host, host) = coalesce(old.slot_host, old.host)
           AND (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END) < at
    );
BEGIN
    UPDATE task_run SET is_resolved = false
     WHERE clock = old.clock AND job = old.job AND status IN ('failed', 'missed', 'lost') AND is_resolved
       AND (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
           BETWEEN coalesce(previous, '-infinity') AND at;
    RETURN NULL;
END $$;

CREATE TRIGGER unresolve_earlier AFTER UPDATE ON task_run FOR EACH ROW
WHEN (old.status = 'ended') EXECUTE FUNCTION unresolve_earlier();

-- Attempts at slots that were claimed again: the slot's row has the last one. Add a new column of task_run here too.
CREATE TABLE past_attempt (replaced_at timestamptz NOT NULL, LIKE task_run);

CREATE INDEX past_attempt_run_id ON past_attempt (run_id);
CREATE INDEX past_attempt_slot ON past_attempt (clock, job, scheduled_at, slot_host);
CREATE INDEX past_attempt_started_at ON past_attempt (started_at);
CREATE INDEX past_attempt_clock_job_started_at ON past_attempt (clock, job, started_at);

-- A trigger, so that no statement can forget it. SECURITY DEFINER: nobody else inserts here, not even an operator.
CREATE FUNCTION keep_past_attempt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO past_attempt SELECT clock_timestamp(), old.*;
    RETURN new;
END $$;

CREATE TRIGGER keep_past_attempt BEFORE UPDATE ON task_run FOR EACH ROW
WHEN ((old.run_id, old.attempt) IS DISTINCT FROM (new.run_id, new.attempt)) EXECUTE FUNCTION keep_past_attempt();

-- The schedule that each host had for each job, from when until when: the watch compares it with the ledger. When a
-- deploy changes a job, its row is closed and a new one opened.
CREATE TABLE deployed_job (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host        text NOT NULL,
    clock       text NOT NULL,
    job         text NOT NULL,
    task        text NOT NULL,
    schedule    jsonb NOT NULL,      -- as in run-task's --schedule
    options     jsonb NOT NULL,      -- as in jobs.json (render/jobs_manifest.py)
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz          -- null: current
);

CREATE UNIQUE INDEX deployed_job_current ON deployed_job (host, clock, job) WHERE valid_until IS NULL;
CREATE INDEX deployed_job_clock_job ON deployed_job (clock, job) WHERE valid_until IS NULL;
CREATE INDEX deployed_job_valid_until ON deployed_job (valid_until);

-- A host's watch: its heartbeat, and how far the host's slots are accounted for.
CREATE TABLE host (
    name             text PRIMARY KEY,
    heartbeat_at     timestamptz NOT NULL,
    heartbeats_since timestamptz,    -- since when they have come without a gap
    accounted_until  timestamptz,
    jobs_digest      text,           -- of the list of jobs that it reported last
    release          text,
    machine_id       uuid,           -- whose name it is: the hash of /etc/machine-id (operate/hosts.py)
    booted_at        timestamptz,    -- of the machine that checked in last: two machines with one ID differ in it
    problems         text[] NOT NULL DEFAULT '{}'  -- why due times of its timers are wrong, or will be
);

-- Pauses of a job, a clock (job null) or all clocks (clock null), on one host or on all (host null).
CREATE TABLE pause (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clock      text,
    job        text CHECK (job IS NULL OR clock IS NOT NULL),
    host       text,
    paused_at  timestamptz NOT NULL DEFAULT now(),
    paused_by  text NOT NULL,
    reason     text NOT NULL,
    until      timestamptz CHECK (until BETWEEN '2000-01-01Z' AND '2200-01-01Z'),
    resumed_at timestamptz,
    resumed_by text,
    local_id   text UNIQUE           -- of a pause that a host keeps itself: repeated reports are one row
);

CREATE INDEX pause_active ON pause (clock, job) WHERE resumed_at IS NULL;

-- Work that one host does for all, such as pruning, and when it was last done.
CREATE TABLE maintenance (
    name    text PRIMARY KEY,
    done_at timestamptz NOT NULL
);

-- Optional: a role with rows here can record runs of these clocks only, and no other role can.
CREATE TABLE role_clock (
    role  text NOT NULL,
    clock text NOT NULL,
    PRIMARY KEY (role, clock)
);

-- What a run may do. The tasks' role has no privilege on the ledger's tables: it calls these two functions,
-- which have the owner's rights. Each is one round trip, and uses the database's clock only.
--
-- open_run claims the slot of a run and inserts its row, and reads what decides whether the task runs. The row is the
-- claim: the unique index task_run_slot lets one run insert it; a second one waits no longer than the first one's
-- statement takes. Nothing stays locked beyond a statement, so no lock can go stale.
--
-- asked has the columns of task_run that a run knows when it starts, and: feature (its flag), age and expires_in
-- (seconds since it began, and until it cannot be alive any more), overlap ('skip' or 'queue'), is_requested (its slot
-- was named, not derived from its timer), is_repeated (by a person), is_forced.
--
-- deadline: when the run gives up waiting. A later claim must fail, because by then the run has told systemd that it did
-- not get the slot.
CREATE FUNCTION open_run(
    asked jsonb, deadline timestamptz,
    OUT attempt integer,         -- null: the slot isn't this run's
    OUT is_active boolean,       -- the flag's state; null if there is no such flag
    OUT switch_expired boolean,  -- whether it has that state because a temporary switch has expired
    OUT paused text,             -- why, and by whom, the job is paused; null if it isn't
    OUT skip_reason text,        -- why the slot isn't this run's
    OUT is_queued boolean        -- whether to ask again, because another slot of the job is running (overlap 'queue')
) LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '10s' AS $$
#variable_conflict use_column
DECLARE
    run       task_run := jsonb_populate_record(NULL::task_run, asked - ARRAY[
        'ended_at', 'duration', 'exit_code', 'reason', 'error_type', 'error_message', 'memory_peak', 'cpu_seconds'
    ]);
    is_forced boolean := coalesce((asked->>'is_forced')::boolean, false);
    here_only boolean;
    violated  text;
BEGIN
    PERFORM check_run(run);
    is_queued := false;
    run.status := 'started';
    run.is_resolved := false;
    run.started_at := clock_timestamp() - least(greatest((asked->>'age')::float, 0), 86400 * 30) * interval '1 s';
    run.expires_at := clock_timestamp() + least((asked->>'expires_in')::float, 86400 * 366) * interval '1 s';

    SELECT flag.is_active <> coalesce(reverts_at <= clock_timestamp(), false),
           coalesce(reverts_at <= clock_timestamp(), false)
      INTO is_active, switch_expired FROM feature AS flag WHERE name = asked->>'feature';
    -- The widest pause that applies to the job on this host; a pause of this host alone is the narrowest.
    SELECT reason || ' (' || paused_by || ')', host IS NOT NULL INTO paused, here_only
      FROM pause
     WHERE resumed_at IS NULL AND (until IS NULL OR until > clock_timestamp())
       AND (clock IS NULL OR clock = run.clock) AND (job IS NULL OR job = run.job)
       AND (host IS NULL OR host = run.host)
     ORDER BY host NULLS FIRST, clock NULLS FIRST, job NULLS FIRST LIMIT 1;

    IF run.slot_host = '' AND here_only AND NOT is_forced THEN
        -- This host leaves the slot to the others; the watch records slots if all hosts are paused.
        skip_reason := 'paused on this host: ' || paused;
    ELSIF run.slot_host IS NULL THEN
        -- ON CONFLICT: a run sends this again after a lost connection, when its row may exist already.
        INSERT INTO task_run SELECT run.* ON CONFLICT (run_id) DO NOTHING;
        attempt := run.attempt;
    ELSE
        -- A second try, because another run may have claimed this very slot at the same instant: now its row is visible.
        FOR try IN 1..2 LOOP
            BEGIN
                attempt := claim_slot(run, asked);
                is_queued := false;
                EXIT;
            EXCEPTION WHEN unique_violation THEN
                GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
                IF violated <> 'task_run_exclusive' THEN
                    RAISE;
                END IF;
                is_queued := true;
            END;
        END LOOP;
        IF is_queued AND asked->>'overlap' IS DISTINCT FROM 'queue' THEN
            is_queued := false;
            skip_reason := skip_for_other_run(run);
        END IF;
        IF attempt IS NULL AND NOT is_queued AND skip_reason IS NULL THEN
            SELECT format('claimed by %s, status %s',
                          CASE WHEN host = run.host THEN 'this host' ELSE 'the host ' || host END, status)
              INTO skip_reason FROM task_run
             WHERE clock = run.clock AND job = run.job AND scheduled_at = run.scheduled_at
               AND slot_host = run.slot_host;
        END IF;
    END IF;
    IF clock_timestamp() > coalesce(deadline, statement_timestamp() + interval '15 s') THEN
        RAISE lock_not_available USING MESSAGE = 'the claim comes too late: its run no longer waits for it';
    END IF;
END $$;

-- Check what the role of a service asks for; the table's own checks do the rest.
CREATE FUNCTION check_run(run task_run) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- In a function with the owner's rights current_user is the owner, session_user the role that has logged in.
    IF pg_has_role(session_user, current_user, 'MEMBER') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM role_clock WHERE role = session_user OR clock = run.clock)
       AND NOT EXISTS (SELECT FROM role_clock WHERE role = session_user AND clock = run.clock) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('the role %s cannot record runs of the clock %s (clock_roles)', session_user, run.clock);
    END IF;
    IF run.scheduled_at > clock_timestamp() + interval '1 day' THEN
        RAISE check_violation USING MESSAGE = format('the slot %s is more than a day ahead', run.scheduled_at);
    END IF;
    IF run.attempt > 10000 THEN
        RAISE check_violation USING MESSAGE = format('attempt %s: expected at most 10000', run.attempt);
    END IF;
END $$;

-- Claim a slot: insert its row, or take over one that exists. Returns the attempt; null if the slot is another run's.
--
-- A row that exists can be claimed by:
-- - the run itself, when it retries or sends the statement again;
-- - any run, if the slot was missed or could not begin (attempt 0);
-- - the next run, if the claim has expired and the task is idempotent;
-- - a run for which this slot was requested, if it was skipped or, if a person requested it, failed or was lost;
-- - a forced run, unless the slot is running.
-- Each is a new attempt, and the trigger keeps the row as it was.
CREATE FUNCTION claim_slot(run task_run, asked jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    claimed integer;
BEGIN
    IF run.is_exclusive THEN
        -- Expired runs of the job don't count as overlapping: they are lost, or this run takes them over.
        UPDATE task_run AS other
           SET status = 'lost', ended_at = clock_timestamp(), reason = 'it ran longer than its time limit'
         WHERE other.clock = run.clock AND other.job = run.job AND other.status = 'started' AND other.is_exclusive
           AND other.expires_at < clock_timestamp() AND other.scheduled_at <> run.scheduled_at;
    END IF;
    INSERT INTO task_run AS known SELECT run.*
    ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE
       SET run_id = run.run_id, task = run.task, host = run.host, trigger = run.trigger, status = run.status,
           attempt = CASE WHEN known.run_id = run.run_id THEN run.attempt ELSE known.attempt + 1 END,
           started_at = run.started_at, lag = run.lag, expires_at = run.expires_at, release = run.release,
           invocation_id = run.invocation_id, is_idempotent = run.is_idempotent, is_exclusive = run.is_exclusive,
           ended_at = NULL, duration = NULL, exit_code = NULL, error_type = NULL, error_message = NULL,
           memory_peak = NULL, cpu_seconds = NULL,
           reason = CASE WHEN known.run_id = run.run_id THEN NULL
                         WHEN known.status = 'started' THEN 'taken over from ' || known.host
                         WHEN known.reason IS NOT NULL THEN left(format('was %s: %s', known.status, known.reason), 2000) END
     WHERE (known.run_id = run.run_id
            AND (run.attempt > known.attempt OR (run.attempt = known.attempt AND known.status IN ('started', 'lost'))))
        OR known.status = 'missed' OR known.attempt = 0
        OR (known.status = 'started' AND known.expires_at < clock_timestamp() AND known.is_idempotent AND run.is_idempotent)
        OR ((asked->>'is_requested')::boolean AND known.status = 'skipped')
        OR ((asked->>'is_repeated')::boolean AND known.status IN ('failed', 'lost'))
        OR ((asked->>'is_forced')::boolean AND known.status <> 'started')
    RETURNING known.attempt INTO claimed;
    RETURN claimed;
END $$;

-- Record that a slot is skipped because another slot of its job is running. Returns the reason; null if the slot has a
-- row already.
CREATE FUNCTION skip_for_other_run(run task_run) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    why text := (
        SELECT format('the run due at %s on %s is still running',
                      to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), host)
          FROM task_run AS other
         WHERE other.clock = run.clock AND other.job = run.job AND other.status = 'started' AND other.is_exclusive
    );
BEGIN
    run.status := 'skipped';
    run.ended_at := clock_timestamp();
    run.expires_at := NULL;
    run.is_exclusive := false;
    run.reason := coalesce(why, 'another run of the job was still running');
    INSERT INTO task_run SELECT run.*
    ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO NOTHING
    RETURNING reason INTO why;
    RETURN why;
END $$;

-- Complete the row that open_run inserted: only the run itself knows run_id. Returns whether it is still this run's.
-- A run that was considered lost can still report its result; one whose slot was taken over can't.
CREATE FUNCTION close_run(result jsonb) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '10s' AS $$
DECLARE
    run task_run := jsonb_populate_record(NULL::task_run, result);
BEGIN
    IF run.status NOT IN ('ended', 'failed', 'skipped') THEN
        RAISE check_violation USING MESSAGE = format('a run cannot end as %s', run.status);
    END IF;
    IF run.duration NOT BETWEEN 0 AND 1e9 THEN  -- neither is NaN, with which no instant can be computed
        RAISE check_violation USING MESSAGE = format('a run cannot last %s seconds', run.duration);
    END IF;
    UPDATE task_run AS known
       SET status = run.status, duration = run.duration,
           ended_at = least(known.started_at + run.duration * interval '1 s', clock_timestamp()),
           exit_code = run.exit_code,
           reason = coalesce(run.reason, known.reason), error_type = left(run.error_type, 255),
           error_message = run.error_message, memory_peak = run.memory_peak, cpu_seconds = run.cpu_seconds
     WHERE known.run_id = run.run_id AND known.attempt = run.attempt
       AND (known.status IN ('started', 'lost')
            OR (known.status = run.status AND known.duration = run.duration));  -- the statement was sent twice
    RETURN found;
END $$;

REVOKE ALL ON FUNCTION keep_past_attempt, unresolve, unresolve_earlier, open_run, check_run, claim_slot,
    skip_for_other_run, close_run FROM PUBLIC;

-- A task can create temporary tables, so a function with the owner's rights must not find those before ours.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['keep_past_attempt', 'open_run', 'close_run'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
