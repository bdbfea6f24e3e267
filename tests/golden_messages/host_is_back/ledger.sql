INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason, closed_at, close_reason)
VALUES ('silent', NULL, NULL, 'app2', '', '2026-11-24 02:03:10Z', '2026-11-24 01:58Z',
    '2026-11-24 01:58Z', 1, 0, NULL, 'no heartbeat', '2026-11-24 02:09:40Z',
    'it has heartbeats again, or was removed');
