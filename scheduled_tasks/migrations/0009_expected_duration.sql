-- The jobs with an expected duration: each look of the watch compares with it their runs that have ended lately.
CREATE INDEX deployed_job_expected_duration ON deployed_job (clock, job)
 WHERE valid_until IS NULL AND options->>'expected_duration' IS NOT NULL;
