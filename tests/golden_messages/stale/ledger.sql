INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('stale', NULL, NULL, 'app1', '', '2026-11-24 02:05:10Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, NULL, 'its slots have not been accounted for since 2026-11-24T02:00:00Z');
