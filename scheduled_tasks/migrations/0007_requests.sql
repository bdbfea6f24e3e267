-- Requests: what people ask hosts to do, from anywhere; and the functions through which people act.
--
-- A host's watch takes the requests that concern it (operate/requests/). A request names a job and one of four kinds of
-- act, never a command line: a host does nothing that its own set of units does not have.
CREATE TABLE request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('run', 'stop', 'backfill', 'log')),
    clock       text NOT NULL,
    job         text NOT NULL,
    slot        timestamptz,         -- the slot to run, null for a run by hand; the first one of a backfill
    until_slot  timestamptz,         -- the last one of a backfill, inclusive
    run_id      uuid,                -- the run that it becomes, or that it is about; of a backfill, its current one
    host        text,                -- which host is asked; null: any that has the job
    is_forced   boolean NOT NULL DEFAULT false,  -- run even if the job is paused, or the slot has run
    reason      text NOT NULL,
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL DEFAULT clock_timestamp() + interval '5 min',  -- if no host takes it
    taken_by    text,
    taken_at    timestamptz,
    taken_until timestamptz,         -- the host's watch works on it; if it is killed, its next pass continues from then on
    started_at  timestamptz,         -- when the job's service was started for run_id
    at_slot     timestamptz,         -- of a backfill: the slot of run_id
    ran         integer NOT NULL DEFAULT 0,  -- of a backfill: how many slots it has run,
    total       integer,                     -- and how many there were to run
    outcome     text CHECK (outcome IN ('done', 'refused', 'failed', 'expired')),
    why         text,                -- why it was not done
    finished_at timestamptz,
    CONSTRAINT finished_with_an_outcome CHECK ((outcome IS NULL) = (finished_at IS NULL)),
    CONSTRAINT slots_from_2000_to_2200
        CHECK (least(slot, until_slot) >= '2000-01-01Z' AND greatest(slot, until_slot) < '2200-01-01Z'),
    CONSTRAINT names_of_at_most_255_characters CHECK (greatest(length(clock), length(job), length(host)) <= 255),
    CONSTRAINT texts_of_at_most_4000_characters
        CHECK (greatest(length(reason), length(asked_by), length(why)) <= 4000)
);

CREATE INDEX request_open ON request (id) WHERE outcome IS NULL;
CREATE INDEX request_clock_job_asked_at ON request (clock, job, asked_at);
CREATE INDEX request_asked_at ON request (asked_at);

-- Why somebody ended a pause.
ALTER TABLE pause ADD resume_reason text;

-- What follows has the owner's rights. The page's role can call these functions and write nothing else; operators and
-- the watch can also write the tables. by_whom is the name of a person: who calls has found out whose.

-- What a person has to say. Commands can leave out the reason for what an operator could write without these functions.
CREATE FUNCTION require_stated(by_whom text, why text, or_can_write regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(btrim(by_whom), '') = '' OR (coalesce(btrim(why), '') = '' AND NOT coalesce(
           has_table_privilege(session_user, or_can_write, 'UPDATE'), false)) THEN
        RAISE EXCEPTION 'who does it and why must be said';
    END IF;
END $$;

-- Ask hosts for something; returns the request's id. What waits already with the same words is not asked twice.
CREATE FUNCTION ask_request(
    what text, of_clock text, of_job text, on_host text, at timestamptz, until timestamptz, of_run uuid, forced boolean,
    by_whom text, why text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
DECLARE
    asked bigint;
BEGIN
    PERFORM require_stated(by_whom, why);
    IF (what IN ('stop', 'log')) <> (of_run IS NOT NULL) OR (what = 'backfill') <> (until IS NOT NULL)
       OR (what = 'backfill' AND at IS NULL) OR (what IN ('stop', 'log') AND at IS NOT NULL) THEN
        RAISE EXCEPTION 'a request to % needs other arguments', what;
    END IF;
    IF greatest(at, until) > clock_timestamp() THEN
        RAISE EXCEPTION 'the slot % is not due yet',
            to_char(greatest(at, until) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    END IF;
    IF at > until THEN
        RAISE EXCEPTION 'the first slot is after the last one';
    END IF;
    IF of_run IS NOT NULL THEN
        SELECT run.host INTO on_host FROM task_run AS run
         WHERE run.run_id = of_run AND run.clock = of_clock AND run.job = of_job;
        IF NOT found THEN
            RAISE EXCEPTION '%/% has no run %', of_clock, of_job, of_run;
        END IF;
    ELSIF NOT EXISTS (SELECT FROM deployed_job AS known WHERE known.clock = of_clock AND known.job = of_job
                         AND known.valid_until IS NULL AND (on_host IS NULL OR known.host = on_host)) THEN
        RAISE EXCEPTION '%', format('%s/%s is not deployed %s', of_clock, of_job, coalesce('on ' || on_host, 'anywhere'));
    END IF;
    -- Without a lock, two equal ones could be asked in the same instant.
    LOCK TABLE request IN SHARE ROW EXCLUSIVE MODE;
    SELECT id INTO asked FROM request AS known
     WHERE outcome IS NULL AND kind = what AND clock = of_clock AND job = of_job AND is_forced = forced
       AND (taken_by IS NOT NULL OR expires_at > clock_timestamp())
       AND (host, slot, until_slot) IS NOT DISTINCT FROM (on_host, at, until)
       AND (of_run IS NULL OR run_id = of_run);
    IF found THEN
        RETURN asked;
    END IF;
    IF (SELECT count(*) FROM request WHERE outcome IS NULL) >= 1000 THEN
        RAISE EXCEPTION '1000 requests are open: ask again when the hosts have answered some';
    END IF;
    INSERT INTO request (kind, clock, job, host, slot, until_slot, run_id, is_forced, asked_by, reason)
    VALUES (what, of_clock, of_job, on_host, at, until, CASE what WHEN 'run' THEN gen_random_uuid() ELSE of_run END,
            forced, by_whom, why)
    RETURNING id INTO asked;
    RETURN asked;
END $$;

-- Who can write a table may also say another time than the present, such as that of a pause that was reported late.
-- The page's role can't: with a pause of the past, slots that nobody ran would count as skipped.
CREATE FUNCTION stated_time(of_table regclass, at timestamptz) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT CASE WHEN at IS NOT NULL AND has_table_privilege(session_user, of_table, 'UPDATE') THEN at
                ELSE clock_timestamp() END;
$$;

-- Record a pause. Returns false if the same scope is already paused, which stays as it is.
CREATE FUNCTION add_pause(
    of_clock text, of_job text, on_host text, at timestamptz, until timestamptz, by_whom text, why text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
DECLARE
    since timestamptz := stated_time('pause', at);
BEGIN
    PERFORM require_stated(by_whom, why);
    -- Without a lock, two commands at the same time could both record it.
    LOCK TABLE pause IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM pause AS known
                WHERE (clock, job, host) IS NOT DISTINCT FROM (of_clock, of_job, on_host) AND resumed_at IS NULL
                  AND (known.until IS NULL OR known.until > since)) THEN
        RETURN false;
    END IF;
    INSERT INTO pause (clock, job, host, paused_at, paused_by, reason, until)
    VALUES (of_clock, of_job, on_host, since, by_whom, why, add_pause.until);
    RETURN true;
END $$;

-- End the pauses of exactly this scope. Returns how many there were.
CREATE FUNCTION end_pause(of_clock text, of_job text, on_host text, at timestamptz, by_whom text, why text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
DECLARE
    ended integer;
    since timestamptz := stated_time('pause', at);
BEGIN
    PERFORM require_stated(by_whom, why, 'pause');
    UPDATE pause SET resumed_at = greatest(paused_at, since), resumed_by = by_whom, resume_reason = why
     WHERE (clock, job, host) IS NOT DISTINCT FROM (of_clock, of_job, on_host) AND resumed_at IS NULL
       AND (until IS NULL OR until > since);
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END $$;

-- Record that temporary switches have reverted. Returns the flags. Runs already see them reverted.
CREATE FUNCTION revert_expired_flags() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS $$
    WITH reverted AS (
        UPDATE feature SET is_active = NOT is_active, updated_at = reverts_at, reverts_at = NULL,
                           reason = 'the temporary switch expired'
         WHERE reverts_at <= clock_timestamp() RETURNING name, updated_at, updated_by, is_active, reason
    )
    INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason)
    SELECT name, updated_at, updated_by, NOT is_active, is_active, reason FROM reverted RETURNING name;
$$;

-- Switch a flag. Returns false if it is so already. operate/feature_flags.py says what the two errors mean.
CREATE FUNCTION switch_flag(flag text, active boolean, until timestamptz, by_whom text, why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
DECLARE
    known feature;
BEGIN
    PERFORM require_stated(by_whom, why, 'feature');
    PERFORM revert_expired_flags();
    SELECT * INTO known FROM feature WHERE name = flag FOR UPDATE;
    IF known IS NULL THEN
        RAISE undefined_object USING MESSAGE = format('unknown feature %s', flag);
    END IF;
    IF known.is_active = active AND (known.reverts_at IS NULL OR known.reverts_at = until) THEN
        RETURN false;
    END IF;
    IF until IS NOT NULL AND known.reverts_at IS NOT NULL AND known.is_active <> active THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('%s has a temporary switch', flag);
    END IF;
    UPDATE feature SET is_active = active, updated_at = now(), updated_by = by_whom, reason = why, reverts_at = until
     WHERE name = flag;
    INSERT INTO feature_change (name, changed_by, was_active, is_active, reason, reverts_at)
    VALUES (flag, by_whom, known.is_active, active, why, until);
    RETURN true;
END $$;

-- Record that somebody has seen an incident. Returns false if somebody had, or it is closed.
CREATE FUNCTION acknowledge_incident(number bigint, at timestamptz, by_whom text, why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
BEGIN
    PERFORM require_stated(by_whom, why);
    UPDATE incident SET acked_at = stated_time('incident', at), acked_by = by_whom, ack_reason = why
     WHERE id = number AND closed_at IS NULL AND acked_at IS NULL;
    RETURN found;
END $$;

-- Let nothing be told of an incident until an instant. Returns false if it is closed.
CREATE FUNCTION snooze_incident(number bigint, until timestamptz, by_whom text, why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '5s' AS $$
BEGIN
    PERFORM require_stated(by_whom, why);
    UPDATE incident SET snoozed_until = until, snoozed_by = by_whom, snooze_reason = why
     WHERE id = number AND closed_at IS NULL;
    RETURN found;
END $$;

-- Who listens on the channel scheduled_tasks is told of what people do, which is rare: `asked HOST` (or `asked`, of any
-- host), `answered`, `pause` and `flag`. Never of a run: each commit that notifies takes a lock of the whole server
-- (docs/decisions/0038-requests.md).
CREATE FUNCTION tell_listeners() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('scheduled_tasks', CASE tg_table_name
        WHEN 'feature' THEN 'flag'
        WHEN 'pause' THEN 'pause'
        ELSE CASE tg_op WHEN 'INSERT' THEN rtrim('asked ' || coalesce(to_jsonb(new) ->> 'host', '')) ELSE 'answered' END
    END);
    RETURN NULL;
END $$;

CREATE TRIGGER tell_asked AFTER INSERT ON request FOR EACH ROW EXECUTE FUNCTION tell_listeners();
CREATE TRIGGER tell_answered AFTER UPDATE ON request FOR EACH ROW
WHEN (new.outcome IS NOT NULL AND old.outcome IS NULL) EXECUTE FUNCTION tell_listeners();
CREATE TRIGGER tell_new_pause AFTER INSERT ON pause FOR EACH ROW EXECUTE FUNCTION tell_listeners();
-- A host reports its pauses every minute: only a change is worth telling.
CREATE TRIGGER tell_pause AFTER UPDATE ON pause FOR EACH ROW
WHEN (old IS DISTINCT FROM new) EXECUTE FUNCTION tell_listeners();
CREATE TRIGGER tell_new_flag AFTER INSERT ON feature FOR EACH ROW EXECUTE FUNCTION tell_listeners();
CREATE TRIGGER tell_flag AFTER UPDATE ON feature FOR EACH ROW
WHEN (old IS DISTINCT FROM new) EXECUTE FUNCTION tell_listeners();

REVOKE ALL ON FUNCTION require_stated, ask_request, stated_time, add_pause, end_pause, revert_expired_flags,
    switch_flag, acknowledge_incident, snooze_incident, tell_listeners FROM PUBLIC;

-- As in 0001: they must not find a task's temporary tables before ours.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ask_request', 'add_pause', 'end_pause', 'revert_expired_flags', 'switch_flag',
                                'acknowledge_incident', 'snooze_incident'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
