INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 02:00Z', '', '', 'timer',
     'missed', 0, '2026-11-24 02:00Z', NULL, NULL, 0.4, NULL, NULL, NULL, 'no host ran it: app1 was down', NULL, NULL);

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('missed', 'shop', 'export', '', '', '2026-11-24 02:04Z', '2026-11-24 01:00Z',
    '2026-11-24 02:00Z', 2, 2, '20000000-0000-4000-8000-000000000000', 'no host ran it: app1 was down');
