-- Where a job is written: file and line of its add_job call. A line that moves opens no new row, because nothing that a
-- host does changes; null if the host's release does not report it yet.
ALTER TABLE deployed_job ADD source text;

-- A job's deployments, from the first to the last one.
CREATE INDEX deployed_job_of_job ON deployed_job (clock, job, id);
