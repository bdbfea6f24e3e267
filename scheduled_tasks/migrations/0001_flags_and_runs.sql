-- Feature flags, the history of their changes, and a row for every run.

CREATE TABLE feature (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    is_active   boolean NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  text NOT NULL
);

-- Names the flag by its name, not its id: the history stays when a flag goes.
CREATE TABLE feature_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    was_active boolean,              -- null where the flag came into being
    is_active  boolean NOT NULL,
    reason     text
);

CREATE INDEX feature_change_name_changed_at ON feature_change (name, changed_at);

CREATE TABLE task_run (
    run_id        uuid PRIMARY KEY,
    task          text NOT NULL,
    clock         text,              -- null for a run by hand
    job           text,
    scheduled_at  timestamptz,       -- the nominal time, where it is known
    host          text NOT NULL,
    trigger       text NOT NULL CHECK (trigger IN ('timer', 'manual')),
    status        text NOT NULL CHECK (status IN ('started', 'ended', 'failed', 'skipped')),
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    duration      double precision,  -- seconds
    exit_code     integer,
    error_type    text,
    error_message text
);

CREATE INDEX task_run_clock_job_started_at ON task_run (clock, job, started_at);
CREATE INDEX task_run_task_started_at ON task_run (task, started_at);
