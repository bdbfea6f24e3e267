-- Runs in Kubernetes: all pods of a Job are attempts at one slot, and only the ledger knows how many there were.

-- Which attempt a pod is. Its predecessor has ended, because a Job starts the next pod when the last one is gone: one
-- that is still `started` was killed. A slot that has ended is claimed by nobody: the attempt is then the one that it had.
-- pod is the run's invocation_id: the same pod asks again after a lost connection.
CREATE FUNCTION next_attempt(run uuid, pod uuid) RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT coalesce(max(CASE WHEN invocation_id IS DISTINCT FROM pod AND status IN ('started', 'failed', 'lost')
                             THEN attempt + 1 ELSE greatest(attempt, 1) END), 1)
      FROM task_run WHERE run_id = run;
$$;

REVOKE ALL ON FUNCTION next_attempt FROM PUBLIC;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION next_attempt SET search_path = %I, pg_temp', current_schema());
END $$;
