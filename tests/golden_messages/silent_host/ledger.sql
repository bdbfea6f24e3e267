UPDATE host SET heartbeat_at = '2026-11-24 01:58Z' WHERE name = 'app2';
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('silent', NULL, NULL, 'app2', '', '2026-11-24 02:03:10Z', '2026-11-24 01:58Z',
    '2026-11-24 01:58Z', 1, 0, NULL, 'no heartbeat since 2026-11-24T01:58:00Z; it has 7 jobs');
