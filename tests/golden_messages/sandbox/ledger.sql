INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 1, 'PermissionError', '[Errno 30] Read-only file system: ''/srv''; likely the sandbox, ProtectSystem=strict: write read_write_paths=[''/srv'']', NULL, '1.4.0', gen_random_uuid());

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'export', '', 'app1', '2026-11-24 02:00:12Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000000-0000-4000-8000-000000000000', 'PermissionError: [Errno 30] Read-only file system: ''/srv''; likely the sandbox, ProtectSystem=strict: write read_write_paths=[''/srv'']');
