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
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    duration      double precision,  -- seconds
    lag           double precision,  -- seconds from the nominal time to the start
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
CREATE INDEX task_run_failed_at ON task_run (started_at) WHERE status IN ('failed', 'missed', 'lost');
CREATE INDEX task_run_started_at ON task_run (started_at);
CREATE INDEX task_run_clock_job_started_at ON task_run (clock, job, started_at);
CREATE INDEX task_run_task_started_at ON task_run (task, started_at);
-- The last result of each kind of a job, in the order in which they count (operate/status.py).
CREATE INDEX task_run_result ON task_run (
    clock, job, status,
    (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
) WHERE status <> 'skipped';

-- Attempts at slots that were claimed again: the slot's row has the last one. A column of task_run is added here too.
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
    booted_at        timestamptz     -- of the machine that checked in last: two machines with one ID differ in it
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

-- Optional: a role that has rows here touches slots of these clocks only, and nobody else those.
CREATE TABLE role_clock (
    role  text NOT NULL,
    clock text NOT NULL,
    PRIMARY KEY (role, clock)
);

-- A task can create temporary tables, so a function with the owner's rights must not find those before ours.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['keep_past_attempt']
    LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', name);
    END LOOP;
END $$;
