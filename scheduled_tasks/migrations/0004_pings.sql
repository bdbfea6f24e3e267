-- What monitors outside are told: the pings of jobs with ping=, and the dead man's switch of each host.

-- A ping is due in the transaction that changes the run's row, whoever changes it, so none is forgotten: not of a run
-- that was killed, nor of a slot that nobody ran. The sender of notices sends it, at least once.
CREATE TABLE ping (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clock       text NOT NULL,
    job         text NOT NULL,
    monitor     text NOT NULL,     -- '' if the job has one monitor; the host, if each has its own (per_host)
    host        text NOT NULL,     -- of the run
    run_id      uuid NOT NULL,
    attempt     integer NOT NULL,
    what        text NOT NULL CHECK (what IN ('start', 'success', 'fail', 'log')),
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz NOT NULL,
    sent_at     timestamptz,
    dropped     text,              -- why it will not be sent
    error       text               -- of the last try that failed
);

CREATE INDEX ping_waiting ON ping (id) WHERE sent_at IS NULL AND dropped IS NULL;
CREATE INDEX ping_monitor ON ping (clock, job, monitor, id);
-- Most jobs have no ping, and then each change of a run costs one look into this small index.
CREATE INDEX deployed_job_ping ON deployed_job (clock, job) WHERE valid_until IS NULL AND options ->> 'ping' <> '';

-- SECURITY DEFINER: nobody else inserts here.
CREATE FUNCTION queue_ping() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    per_host boolean;
    counts   boolean;
    what     text;
BEGIN
    SELECT coalesce((options ->> 'per_host')::boolean, false) INTO per_host FROM deployed_job
     WHERE clock = new.clock AND job = new.job AND valid_until IS NULL AND options ->> 'ping' <> '' LIMIT 1;
    IF NOT found THEN
        RETURN NULL;
    END IF;
    -- Of a run that a person started, who sees how it fails, only the success counts: it is as good as any other.
    counts := new.slot_host IS NOT NULL AND (new.trigger IN ('timer', 'watch') OR new.attempt > 1);
    what := CASE WHEN new.status = 'ended' THEN 'success'
                 WHEN new.status = 'started' THEN CASE WHEN counts THEN 'start' END
                 WHEN new.status <> 'skipped' AND counts THEN 'fail'
                 ELSE 'log' END;
    IF what IS NOT NULL THEN
        INSERT INTO ping (clock, job, monitor, host, run_id, attempt, what, due_at)
        -- A run that ends within seconds has one ping.
        VALUES (new.clock, new.job, CASE WHEN per_host THEN new.host ELSE '' END, new.host, new.run_id, new.attempt,
                what, clock_timestamp() + CASE what WHEN 'start' THEN interval '5 s' ELSE interval '0' END);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER queue_ping AFTER INSERT ON task_run FOR EACH ROW
WHEN (new.clock IS NOT NULL AND new.job IS NOT NULL) EXECUTE FUNCTION queue_ping();

CREATE TRIGGER queue_ping_of_change AFTER UPDATE ON task_run FOR EACH ROW
WHEN (new.clock IS NOT NULL AND new.job IS NOT NULL
      AND (old.status, old.run_id, old.attempt) IS DISTINCT FROM (new.status, new.run_id, new.attempt))
EXECUTE FUNCTION queue_ping();

-- The dead man's switch: when a host's watch last judged without an error, and when it last pinged outside.
CREATE TABLE dead_man (
    host      text PRIMARY KEY REFERENCES host (name) ON UPDATE CASCADE ON DELETE CASCADE,
    judged_at timestamptz NOT NULL,
    pinged_at timestamptz,         -- the judged_at of the last ping that was answered
    error     text                 -- why it did not ping
);

REVOKE ALL ON FUNCTION queue_ping FROM PUBLIC;

-- As in 0001: it must not find a task's temporary tables before ours.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION queue_ping SET search_path = %I, pg_temp', current_schema());
END $$;
