UPDATE deployed_job SET valid_until = '2026-11-24 02:05Z' WHERE job = 'export';
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason, closed_at, close_reason)
VALUES ('failing', 'shop', 'export', '', 'app1', '2026-11-24 01:00:12Z', '2026-11-24 01:00Z',
    '2026-11-24 01:00Z', 1, 0, '20000000-0000-4000-8000-000000000000', 'OSError: the disk is full', '2026-11-24 02:05:30Z', 'no host has the job any more');
