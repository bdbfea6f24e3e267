INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 1, 'OSError', '[Errno 28] the disk is full', NULL, '1.4.0', gen_random_uuid());

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'export', '', 'app1', '2026-11-24 02:00:12Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000000-0000-4000-8000-000000000000', 'OSError: [Errno 28] the disk is full');

INSERT INTO run_log (run_id, clock, job, host, invocation_id, captured_at, lines)
VALUES ('20000000-0000-4000-8000-000000000000', 'shop', 'export', 'app1', gen_random_uuid(), '2026-11-24 02:00:14Z', $${"timestamp": "2026-11-24T02:00:00.412Z", "level": "info", "logger": "shop.export", "message": "started", "type": "cron", "name": "shop.export", "task": "shop.export", "run_id": "20000000-0000-4000-8000-000000000000", "host": "app1", "clock": "shop", "job": "export", "status": "started", "scheduled_at": "2026-11-24T02:00:00Z", "attempt": 1}
{"timestamp": "2026-11-24T02:00:01.020Z", "level": "info", "logger": "shop.export", "message": "1,204 rows read", "type": "cron", "name": "shop.export", "task": "shop.export", "run_id": "20000000-0000-4000-8000-000000000000", "host": "app1", "clock": "shop", "job": "export", "table": "offer"}
{"timestamp": "2026-11-24T02:00:12.391Z", "level": "error", "logger": "shop.export", "message": "failed", "type": "cron", "name": "shop.export", "task": "shop.export", "run_id": "20000000-0000-4000-8000-000000000000", "host": "app1", "clock": "shop", "job": "export", "status": "failed", "duration": 12.0, "exit_code": 1, "exception": {"type": "OSError", "message": "the disk is full", "traceback": "Traceback (most recent call last):\n  File \"/srv/shop/tasks/shop.py\", line 41, in export\n    write(rows)\nOSError: [Errno 28] the disk is full"}}
{"timestamp": "2026-11-24T02:00:12.498Z", "level": "warning", "logger": "systemd", "message": "clock-shop-export.service: Failed with result 'exit-code'.", "host": "app1", "clock": "shop", "job": "export"}$$);
