-- Incidents and notices: what is wrong with a job or a host, and what has to be said about it.
--
-- A job's results are judged in the transaction that writes them, whoever does: a run, the watch, the failure service.
-- The other kinds are judged by the watch (alert/judge.py). Why triggers: docs/decisions/0028-incidents.md.

-- When a host's slots were last accounted for. accounted_until is how far: it can wait for one slot.
ALTER TABLE host ADD accounted_at timestamptz;

-- The few jobs that are judged by the time that their runs took at least.
CREATE INDEX deployed_job_at_least ON deployed_job (clock, job)
 WHERE valid_until IS NULL AND options->>'expected_at_least' IS NOT NULL;

CREATE TABLE incident (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- failing, missed: the last slots of a job failed or were lost, or nobody ran them; as the first notice says it.
    -- late, short: its last run began too late, or ended well too soon. slow: a run takes longer than expected.
    -- silent: a host without a heartbeat. stale: a host whose slots are not accounted for. unsent: a notice is overdue.
    kind           text NOT NULL
        CHECK (kind IN ('failing', 'missed', 'late', 'short', 'slow', 'silent', 'stale', 'unsent')),
    clock          text,
    job            text CHECK ((job IS NULL) = (clock IS NULL)),
    host           text NOT NULL DEFAULT '',  -- of which it is: of a job only with per_host
    run_host       text NOT NULL DEFAULT '',  -- of the last result, if it had a host
    opened_at      timestamptz NOT NULL,
    first_at       timestamptz NOT NULL,      -- nominal time of the first bad slot; since when it has been so
    last_at        timestamptz NOT NULL,      -- nominal time of the last bad slot
    bad            integer NOT NULL DEFAULT 1,  -- slots in a row
    missed         integer NOT NULL DEFAULT 0,  -- of them
    run_id         uuid,                      -- of the last result
    reason         text NOT NULL DEFAULT '',  -- of the last result
    acked_at       timestamptz,
    acked_by       text,
    ack_reason     text,
    snoozed_until  timestamptz CHECK (snoozed_until BETWEEN '2000-01-01Z' AND '2200-01-01Z'),
    snoozed_by     text,
    snooze_reason  text,
    closed_at      timestamptz,
    closed_by_run  uuid,                      -- the run that ended well; null if there is none
    close_reason   text,                      -- why it was closed, if no run ended well
    subject        text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN kind IN ('failing', 'missed') THEN 'results' ELSE kind END || ' ' || coalesce(clock || '/' || job, '')
        || ' ' || host
    ) STORED,
    CONSTRAINT texts_of_at_most_4000_characters
        CHECK (greatest(length(reason), length(ack_reason), length(snooze_reason)) <= 4000)
);

-- One of a subject is open at a time, whichever host judges: a job is failing or missed, not both.
CREATE UNIQUE INDEX incident_open ON incident (subject) WHERE closed_at IS NULL;
CREATE INDEX incident_of_job ON incident (clock, job) WHERE closed_at IS NULL;
CREATE INDEX incident_subject ON incident (subject, opened_at);
CREATE INDEX incident_closed_at ON incident (closed_at);

-- The outbox. A notice is pending until it is sent or dropped; a message can carry many (alert/outbox.py).
CREATE TABLE notice (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    incident    bigint NOT NULL REFERENCES incident ON DELETE CASCADE,
    what        text NOT NULL CHECK (what IN ('opened', 'still', 'closed')),
    created_at  timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,        -- not before; later if it is held, or after a try that failed
    held        text,                        -- why it was held: the first message after that is a digest
    taken_until timestamptz,                 -- a sender tries it; if it dies, another one takes it from then on
    tries       integer NOT NULL DEFAULT 0,
    route       text,                        -- of the last try
    error       text,                        -- of the last try that failed
    sent_at     timestamptz,
    sent_as     text,                        -- the message: opened, still, closed, flapping, digest
    carried_by  uuid,                        -- the notice with whose id its message goes out
    dropped     text,                        -- why it is not sent
    CONSTRAINT sent_or_dropped CHECK (sent_at IS NULL OR dropped IS NULL)
);

CREATE INDEX notice_pending ON notice (due_at) WHERE sent_at IS NULL AND dropped IS NULL;
CREATE INDEX notice_incident ON notice (incident);
CREATE INDEX notice_carried_by ON notice (carried_by) WHERE carried_by IS NOT NULL;

-- The present. A function of its own, so that tests can replace it.
CREATE FUNCTION alert_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';

-- Say something about an incident. It becomes due a moment later, so that what breaks at once is told at once.
CREATE FUNCTION add_notice(about bigint, what text, at timestamptz DEFAULT alert_time()) RETURNS void LANGUAGE sql AS $$
    INSERT INTO notice (incident, what, created_at, due_at) VALUES (about, what, at, at + interval '10 s');
$$;

-- Close the incident of a job's results.
CREATE FUNCTION close_incident(of_clock text, of_job text, on_host text, by_run uuid, why text) RETURNS void
LANGUAGE sql AS $$
    WITH closed AS (
        UPDATE incident SET closed_at = alert_time(), closed_by_run = by_run, close_reason = why
         WHERE clock = of_clock AND job = of_job AND host = on_host AND kind IN ('failing', 'missed')
           AND closed_at IS NULL
        RETURNING id
    )
    SELECT add_notice(id, 'closed') FROM closed;
$$;

-- Judge a job by its results, by the rule of operate/status.py: it is bad from its first bad slot until a run of it
-- ends well. Opens, updates or closes its incident. on_host: '' unless each host is judged (per_host).
CREATE FUNCTION judge_job(of_clock text, of_job text, on_host text) RETURNS void LANGUAGE plpgsql
SET enable_sort = off SET jit = off AS $$
DECLARE
    present  timestamptz := alert_time();
    deployed record;
    good     record;
    streak   record;
    opened   bigint;
BEGIN
    -- The options of a host that would run it now, if any does: nobody is told of a job that is paused everywhere.
    SELECT options, NOT coalesce((options->>'paused')::boolean, false) AND NOT EXISTS (
               SELECT FROM pause
                WHERE resumed_at IS NULL AND (until IS NULL OR until > present)
                  AND (clock IS NULL OR clock = of_clock) AND (job IS NULL OR job = of_job)
                  AND (host IS NULL OR host = known.host)) AS is_active
      INTO deployed FROM deployed_job AS known
     WHERE clock = of_clock AND job = of_job AND valid_until IS NULL AND (on_host = '' OR host = on_host)
     ORDER BY is_active DESC, valid_from DESC, id DESC LIMIT 1;
    IF deployed IS NULL THEN
        PERFORM close_incident(of_clock, of_job, on_host, NULL, 'no host has the job any more');
        RETURN;
    END IF;
    SELECT run_id,
           CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END AS at
      INTO good FROM task_run
     WHERE clock = of_clock AND job = of_job AND (on_host = '' OR coalesce(nullif(slot_host, ''), host) = on_host)
       AND status = 'ended' AND (scheduled_at <= present OR scheduled_at IS NULL)
       AND (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END) <= present
     ORDER BY (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END) DESC
     LIMIT 1;
    -- What a person starts opens no incident, so a result counts if its slot was tried automatically. A failed attempt
    -- counts when systemd tries its slot no more (retries).
    SELECT count(*) FILTER (WHERE counts) AS bad, count(*) FILTER (WHERE counts AND status = 'missed') AS missed,
           count(*) AS results, min(slot) FILTER (WHERE counts) AS first_at,
           (array_agg(result ORDER BY at DESC) FILTER (WHERE counts))[1] AS last
      INTO streak FROM (
        SELECT status, run AS result, coalesce(scheduled_at, started_at) AS slot,
               slot_host IS NOT NULL AND (trigger IN ('timer', 'watch') OR attempt > 1) AND (
                   status <> 'failed' OR attempt > coalesce((deployed.options->>'retries')::integer, 0)
                   OR ended_at < present - interval '1 s' * (60 + coalesce((deployed.options->>'retry_delay')::float, 0))
               ) AS counts,
               CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END AS at
          FROM task_run AS run
         WHERE clock = of_clock AND job = of_job AND (on_host = '' OR coalesce(nullif(slot_host, ''), host) = on_host)
           AND status IN ('failed', 'missed', 'lost') AND (scheduled_at <= present OR scheduled_at IS NULL)
           AND (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
               <= present
           AND (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END)
               > coalesce(good.at, '-infinity')
         ORDER BY (CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END) DESC
         LIMIT 1000
    ) AS bad;

    IF streak.bad = 0 THEN
        -- A bad slot that a person has run again without success, or that is running again, is still bad.
        IF streak.results = 0 AND NOT EXISTS (
            SELECT FROM task_run AS run JOIN past_attempt AS past USING (clock, job, scheduled_at, slot_host)
             WHERE run.clock = of_clock AND run.job = of_job AND run.status = 'started'
               AND past.status IN ('failed', 'missed', 'lost')
               AND (on_host = '' OR coalesce(nullif(run.slot_host, ''), run.host) = on_host)
        ) THEN
            PERFORM close_incident(known.clock, known.job, known.host,
                                   CASE WHEN good.at > known.first_at THEN good.run_id END,
                                   CASE WHEN good.at > known.first_at THEN NULL ELSE 'its results are not bad after all' END)
               FROM incident AS known
              WHERE clock = of_clock AND job = of_job AND host = on_host AND kind IN ('failing', 'missed')
                AND closed_at IS NULL;
        END IF;
        RETURN;
    END IF;

    SELECT id INTO opened FROM incident
     WHERE clock = of_clock AND job = of_job AND host = on_host AND kind IN ('failing', 'missed') AND closed_at IS NULL;
    UPDATE incident
       SET bad = streak.bad, missed = streak.missed, first_at = streak.first_at,
           last_at = coalesce((streak.last).scheduled_at, (streak.last).started_at),
           run_id = (streak.last).run_id, run_host = (streak.last).host, reason = reason_of(streak.last)
     WHERE id = opened AND closed_at IS NULL AND (bad, missed, first_at, run_id, reason)
           IS DISTINCT FROM (streak.bad, streak.missed, streak.first_at, (streak.last).run_id, reason_of(streak.last));
    IF opened IS NOT NULL OR NOT deployed.is_active THEN
        RETURN;
    END IF;
    IF streak.missed = 0 AND streak.bad < coalesce((deployed.options->>'alert_after')::integer, 1) THEN
        RETURN;
    END IF;
    -- That nobody began a slot is of no importance while its flag is off.
    IF streak.missed = streak.bad AND (
        SELECT status = 'skipped' AND reason LIKE 'feature % is not active' FROM task_run
         WHERE clock = of_clock AND job = of_job AND started_at <= present
           AND status <> 'missed' AND (on_host = '' OR coalesce(nullif(slot_host, ''), host) = on_host)
         ORDER BY started_at DESC LIMIT 1
    ) THEN
        RETURN;
    END IF;
    INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
    VALUES (CASE (streak.last).status WHEN 'missed' THEN 'missed' ELSE 'failing' END, of_clock, of_job, on_host,
            (streak.last).host, present, streak.first_at,
            coalesce((streak.last).scheduled_at, (streak.last).started_at), streak.bad, streak.missed,
            (streak.last).run_id, reason_of(streak.last))
    ON CONFLICT DO NOTHING RETURNING id INTO opened;
    IF found THEN
        PERFORM add_notice(opened, 'opened');
    END IF;
END $$;

-- Why a run did not end well. Of a run that failed, its error says more than that the slot was claimed again.
CREATE FUNCTION reason_of(run task_run) RETURNS text LANGUAGE sql AS $$
    SELECT left(coalesce(
        CASE WHEN run.status = 'failed' THEN nullif(concat_ws(': ', run.error_type, nullif(run.error_message, '')), '') END,
        run.reason, run.error_message, ''), 2000);
$$;

-- Judge a job, whatever goes wrong: a result must be written in any case, and the watch judges again within a minute.
CREATE FUNCTION try_to_judge(of_clock text, of_job text, on_host text) RETURNS void LANGUAGE plpgsql
SET lock_timeout = '500ms' AS $$
BEGIN
    PERFORM judge_job(of_clock, of_job, on_host);
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING '%/% is not judged: %', of_clock, of_job, sqlerrm;
END $$;

-- Judge the job of a result; one that is deployed nowhere, such as a run in a checkout, concerns nobody.
CREATE FUNCTION judge_run(run task_run) RETURNS void LANGUAGE sql AS $$
    SELECT try_to_judge(run.clock, run.job, CASE WHEN each_host THEN coalesce(nullif(run.slot_host, ''), run.host) ELSE '' END)
      FROM (SELECT options->>'per_host' = 'true' AS each_host FROM deployed_job
             WHERE clock = run.clock AND job = run.job AND valid_until IS NULL
             ORDER BY (host = run.host) DESC, valid_from DESC LIMIT 1) AS deployed;
$$;

CREATE FUNCTION judge_bad_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM judge_run(new);
    RETURN NULL;
END $$;

-- Nearly every run ends well, and of a job that is not bad. A job with an incident has a bad result that no good one has
-- resolved, or its slot runs again. Asked of task_run, because the statement has read its indexes already: a probe of
-- another table costs a new connection twice as much.
CREATE FUNCTION judge_good_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.attempt > 1 OR new.reason IS NOT NULL OR EXISTS (
        SELECT FROM task_run WHERE clock = new.clock AND job = new.job
           AND status IN ('failed', 'missed', 'lost') AND NOT is_resolved
    ) THEN
        PERFORM judge_run(new);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER judge_bad_result AFTER INSERT OR UPDATE OF status ON task_run FOR EACH ROW
WHEN (new.status IN ('failed', 'missed', 'lost') AND new.job IS NOT NULL) EXECUTE FUNCTION judge_bad_result();

CREATE TRIGGER judge_good_result AFTER INSERT OR UPDATE OF status ON task_run FOR EACH ROW
WHEN (new.status = 'ended' AND new.job IS NOT NULL) EXECUTE FUNCTION judge_good_result();

REVOKE ALL ON FUNCTION alert_time, add_notice, close_incident, judge_job, try_to_judge, reason_of,
    judge_run, judge_bad_result, judge_good_result FROM PUBLIC;
