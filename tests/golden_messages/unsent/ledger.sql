INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('unsent', NULL, NULL, '', '', '2026-11-24 02:05:10Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, NULL, '1 notice not sent yet: 535 authentication failed');
