-- The last log lines of runs, so that they can be read from any host, even if the run's host is dead.

-- A row with captured_at null is a request: the failure service or the watch of its host stores the lines. A run that
-- fails or is lost requests its own; a person can request those of any other run. There is no reference to task_run:
-- a slot's row gets another run_id when the slot is claimed again, and the lines stay those of the earlier run.
CREATE TABLE run_log (
    run_id        uuid PRIMARY KEY,
    clock         text NOT NULL,
    job           text NOT NULL,
    host          text NOT NULL,     -- whose journal has the lines
    invocation_id uuid NOT NULL,     -- by which they are found there: that of the run's last attempt
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    captured_at   timestamptz,
    lines         text NOT NULL DEFAULT '',  -- as run/log_line.schema.json describes them, with secrets masked
    CONSTRAINT lines_of_at_most_16_kib CHECK (octet_length(lines) <= 16384)
);

CREATE INDEX run_log_pending ON run_log (host) WHERE captured_at IS NULL;
CREATE INDEX run_log_clock_job_requested_at ON run_log (clock, job, requested_at);
CREATE INDEX run_log_requested_at ON run_log (requested_at);

-- SECURITY DEFINER: whoever records a result may not write here otherwise. A later attempt of the same run replaces the
-- lines of the one before.
CREATE FUNCTION request_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO run_log AS known (run_id, clock, job, host, invocation_id)
    VALUES (new.run_id, new.clock, new.job, new.host, new.invocation_id)
    ON CONFLICT (run_id) DO UPDATE
       SET host = excluded.host, invocation_id = excluded.invocation_id, requested_at = excluded.requested_at,
           captured_at = NULL
     WHERE known.invocation_id <> excluded.invocation_id;
    RETURN NULL;
END $$;

CREATE TRIGGER request_log AFTER INSERT OR UPDATE OF status, invocation_id ON task_run FOR EACH ROW
WHEN (new.status IN ('failed', 'lost') AND new.invocation_id IS NOT NULL AND new.clock IS NOT NULL
      AND new.job IS NOT NULL)
EXECUTE FUNCTION request_log();

REVOKE ALL ON FUNCTION request_log FROM PUBLIC;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION request_log SET search_path = %I, pg_temp', current_schema());
END $$;
