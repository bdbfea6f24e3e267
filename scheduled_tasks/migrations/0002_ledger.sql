-- The ledger: one answer for each nominal time of each job. Additions only, so that the release before goes on writing.

-- A slot is (clock, job, scheduled_at, slot_host): with slot_host '' it is one for all hosts that hold the clock, with a
-- host's name each host has its own (per_host). Its row is the claim: who inserts it runs it. Null where a run has no
-- slot: started by hand, or by the release before this one, whose attempts each have a row.
ALTER TABLE task_run
    ADD COLUMN slot_host     text,
    ADD COLUMN attempt       integer NOT NULL DEFAULT 1,  -- retries of one slot share its row; 0: it could not begin
    ADD COLUMN release       text,
    ADD COLUMN invocation_id uuid,                        -- systemd's: its lines in the journal
    ADD COLUMN lag           double precision,            -- seconds from the nominal time to the start
    ADD COLUMN expires_at    timestamptz,                 -- when a run that is still `started` can't be alive any more
    ADD COLUMN reason        text,                        -- why it was skipped, missed, lost
    ADD COLUMN memory_peak   bigint,                      -- bytes
    ADD COLUMN cpu_seconds   double precision,
    ADD COLUMN is_idempotent boolean NOT NULL DEFAULT false, -- whether another may take it over once it has expired
    ADD COLUMN is_alone      boolean NOT NULL DEFAULT false; -- whether no other slot of its job may run meanwhile

ALTER TABLE task_run DROP CONSTRAINT task_run_status_check, DROP CONSTRAINT task_run_trigger_check;
-- lost: it began, and how it ended can't be known. missed: it was due and never began. NOT VALID: no scan of the table.
ALTER TABLE task_run
    ADD CONSTRAINT task_run_status_check
        CHECK (status IN ('started', 'ended', 'failed', 'skipped', 'missed', 'lost')) NOT VALID,
    ADD CONSTRAINT task_run_trigger_check CHECK (trigger IN ('timer', 'manual', 'backfill', 'watch')) NOT VALID;

CREATE UNIQUE INDEX task_run_slot ON task_run (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL;
-- A job that says overlap= runs once at a time on all hosts, whatever any program does.
CREATE UNIQUE INDEX task_run_alone ON task_run (clock, job) WHERE status = 'started' AND is_alone;
CREATE INDEX task_run_open ON task_run (expires_at) WHERE status = 'started';
-- A host's failure hook and its reconciler look for what they know by systemd's invocation.
CREATE INDEX task_run_invocation ON task_run (invocation_id) WHERE invocation_id IS NOT NULL;
CREATE INDEX task_run_failed_at ON task_run (started_at) WHERE status IN ('failed', 'missed', 'lost');
CREATE INDEX task_run_started_at ON task_run (started_at);

-- What each host was to run, from when until when: what the watch holds against the ledger. A row is closed and another
-- opened when a deploy changes the job.
CREATE TABLE deployed_job (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host        text NOT NULL,
    clock       text NOT NULL,
    job         text NOT NULL,
    task        text NOT NULL,
    schedule    jsonb NOT NULL,            -- as run-task's --schedule
    options     jsonb NOT NULL,            -- catch_up, grace, jitter, timeout (s), per_host, idempotent, paused, overlap
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz                -- null: in force
);

CREATE UNIQUE INDEX deployed_job_in_force ON deployed_job (host, clock, job) WHERE valid_until IS NULL;
CREATE INDEX deployed_job_valid_until ON deployed_job (valid_until);

-- When a host's watch last had a word, and up to which instant all slots are accounted for.
CREATE TABLE watched_host (
    host    text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    release text
);

-- Pauses of a job, a clock (job null) or all clocks (clock null), on a host or on all (host null).
CREATE TABLE pause (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clock      text,
    job        text CHECK (job IS NULL OR clock IS NOT NULL),
    host       text,
    paused_at  timestamptz NOT NULL DEFAULT now(),
    paused_by  text NOT NULL,
    reason     text NOT NULL,
    until      timestamptz,
    resumed_at timestamptz,
    resumed_by text
);

CREATE INDEX pause_in_force ON pause (clock, job) WHERE resumed_at IS NULL;

-- A switch may be for a time: afterwards the flag is what it was before.
ALTER TABLE feature
    ADD COLUMN reason     text,
    ADD COLUMN expires_at timestamptz;
ALTER TABLE feature_change
    ADD COLUMN expires_at timestamptz;
