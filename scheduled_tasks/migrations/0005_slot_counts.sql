-- How many slots had which result: per job and hour, per clock and hour, and per clock for good.
--
-- Metrics and timelines read these instead of task_run, and keep them when old runs are deleted. Whoever writes a result
-- adds one row to slot_change, in the same transaction; the watch adds those up (operate/watch/slot_counts.py). Why not
-- at once: docs/decisions/0033-metrics.md.

-- A change of a result that is not added up yet. No index: it is read and emptied as a whole, once a minute.
CREATE TABLE slot_change (
    clock        text NOT NULL,
    job          text NOT NULL,
    scheduled_at timestamptz,       -- null for a run without a slot, of which only the duration counts
    was          text,              -- the slot's status before; null if it had no row
    status       text,              -- and now; null if its row was deleted, because the watch decides again
    duration     double precision   -- seconds, of the run that ended
);

-- SECURITY DEFINER: whoever records a result may not write here otherwise.
CREATE FUNCTION note_slot_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    was        text;
    is_new_run boolean := true;
BEGIN
    IF tg_op = 'UPDATE' THEN
        was := old.status;
        -- The failure service can replace the result of a run, whose duration counts once.
        is_new_run := (old.run_id, old.attempt, old.duration) IS DISTINCT FROM (new.run_id, new.attempt, new.duration);
    END IF;
    INSERT INTO slot_change VALUES (
        new.clock, new.job, CASE WHEN new.slot_host IS NOT NULL THEN new.scheduled_at END, was, new.status,
        CASE WHEN new.status <> 'started' AND is_new_run THEN new.duration END
    );
    RETURN NULL;
END $$;

-- A slot that is claimed has no result yet: its start costs nothing.
CREATE TRIGGER note_slot_change AFTER INSERT ON task_run FOR EACH ROW
WHEN (new.status <> 'started' AND new.clock IS NOT NULL AND new.job IS NOT NULL) EXECUTE FUNCTION note_slot_change();

CREATE TRIGGER note_slot_change_of_row AFTER UPDATE OF status ON task_run FOR EACH ROW
WHEN ((old.status <> 'started' OR new.status <> 'started') AND new.clock IS NOT NULL AND new.job IS NOT NULL
      AND (old.status, old.run_id, old.attempt) IS DISTINCT FROM (new.status, new.run_id, new.attempt))
EXECUTE FUNCTION note_slot_change();

-- The slots of a job in an hour (UTC) of their nominal times, by their present status; those that run have no result and
-- are not counted. seconds and longest: of the runs of these slots, with every attempt. Kept 35 days.
CREATE TABLE slot_hour (
    clock   text NOT NULL,
    job     text NOT NULL,
    hour    timestamptz NOT NULL,
    ended   integer NOT NULL,
    failed  integer NOT NULL,
    skipped integer NOT NULL,
    missed  integer NOT NULL,
    lost    integer NOT NULL,
    seconds double precision NOT NULL,
    longest double precision NOT NULL,
    PRIMARY KEY (clock, job, hour)
);

CREATE INDEX slot_hour_hour ON slot_hour (hour);

-- The same of all jobs of a clock together. Kept 400 days.
CREATE TABLE clock_hour (
    hour    timestamptz NOT NULL,
    clock   text NOT NULL,
    ended   integer NOT NULL,
    failed  integer NOT NULL,
    skipped integer NOT NULL,
    missed  integer NOT NULL,
    lost    integer NOT NULL,
    seconds double precision NOT NULL,
    longest double precision NOT NULL,
    PRIMARY KEY (hour, clock)
);

-- What has been recorded for a clock since the beginning: it only grows. A slot counts once for each result that was
-- recorded for it: one that was missed and ran later counts as missed and as ended. A clock with a row here is counted.
CREATE TABLE clock_total (
    clock   text PRIMARY KEY,
    ended   bigint NOT NULL,
    failed  bigint NOT NULL,
    skipped bigint NOT NULL,
    missed  bigint NOT NULL,
    lost    bigint NOT NULL,
    runs    bigint NOT NULL,           -- with a known duration
    seconds double precision NOT NULL
);

-- Of those runs, how many took longer than `longer_than` seconds, and not longer than the next larger one of the clock.
CREATE TABLE clock_duration (
    clock       text NOT NULL,
    longer_than double precision NOT NULL,
    runs        bigint NOT NULL,
    PRIMARY KEY (clock, longer_than)
);

REVOKE ALL ON FUNCTION note_slot_change FROM PUBLIC;

-- As in 0001: it must not find a task's temporary tables before ours.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION note_slot_change SET search_path = %I, pg_temp', current_schema());
END $$;
