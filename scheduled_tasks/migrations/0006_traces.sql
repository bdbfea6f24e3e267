-- Traces: the span of each attempt is exported from its row, whatever became of it (metrics/traces, decision 0035).

-- The trace context in which a run was started by hand, as W3C Trace Context writes it: its span links to that one.
ALTER TABLE task_run ADD traceparent text;
ALTER TABLE past_attempt ADD traceparent text;
-- NOT VALID: the rows that exist have none, and need not be read for that.
ALTER TABLE task_run ADD CONSTRAINT traceparent_of_trace_context
    CHECK (traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;

-- As in 0001, and traceparent.
CREATE OR REPLACE FUNCTION claim_slot(run task_run, asked jsonb) RETURNS integer LANGUAGE plpgsql AS $$
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
           invocation_id = run.invocation_id, traceparent = run.traceparent,
           is_idempotent = run.is_idempotent, is_exclusive = run.is_exclusive,
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

-- What is configured and how the exports go, in one row, for all hosts. Without it nothing is queued.
CREATE TABLE trace_export (
    is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    wanted_at   timestamptz NOT NULL,  -- when a host whose configuration has [traces] last looked
    exported_at timestamptz,
    exported    bigint NOT NULL DEFAULT 0,
    dropped     bigint NOT NULL DEFAULT 0,  -- spans that were refused, or could not be exported in time
    dropped_at  timestamptz,
    tries       integer NOT NULL DEFAULT 0,  -- that failed, since the last one that did not
    retry_at    timestamptz,
    error       text                   -- of the last try that failed
);

-- The outbox: attempts whose spans have to be exported. A row is added in the transaction that changes the span, whoever
-- changes it, so that none is forgotten; it is deleted once the span is exported as it is then. Without a unique index:
-- to add a row, nothing waits.
CREATE TABLE span_outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id    uuid NOT NULL,
    attempt   integer NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- SECURITY DEFINER: nobody else inserts here. If no host has exported for a day, none will.
CREATE FUNCTION queue_span() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM trace_export WHERE wanted_at > clock_timestamp() - interval '1 day') THEN
        INSERT INTO span_outbox (run_id, attempt) VALUES (new.run_id, new.attempt);
    END IF;
    RETURN NULL;
END $$;

-- Only when an attempt is over: the start of a run pays nothing.
CREATE TRIGGER queue_span AFTER INSERT ON task_run FOR EACH ROW
WHEN (new.status <> 'started') EXECUTE FUNCTION queue_span();

CREATE TRIGGER queue_span_of_change AFTER UPDATE ON task_run FOR EACH ROW
WHEN (new.status <> 'started'
      AND (old.run_id, old.attempt, old.status, old.started_at, old.ended_at, old.exit_code, old.error_type,
           old.error_message, old.reason)
          IS DISTINCT FROM (new.run_id, new.attempt, new.status, new.started_at, new.ended_at, new.exit_code,
                            new.error_type, new.error_message, new.reason))
EXECUTE FUNCTION queue_span();

-- An attempt that was killed, and whose slot runs again before anybody has recorded its end.
CREATE TRIGGER queue_span_of_killed AFTER INSERT ON past_attempt FOR EACH ROW
WHEN (new.status = 'started') EXECUTE FUNCTION queue_span();

REVOKE ALL ON FUNCTION queue_span FROM PUBLIC;

-- As in 0001: it must not find a task's temporary tables before ours.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION queue_span SET search_path = %I, pg_temp', current_schema());
END $$;
