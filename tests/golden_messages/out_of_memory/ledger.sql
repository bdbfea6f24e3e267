INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000000-0000-4000-8000-000000000000', 'shop.clean', 'shop', 'clean', '2026-11-24 02:00Z', 'app2', 'app2', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 137, 'oom-kill', 'killed by the kernel''s OOM killer: it exceeded memory_max, or the machine had no memory left', NULL, '1.4.0', gen_random_uuid());

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'clean', 'app2', 'app2', '2026-11-24 02:00:12Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000000-0000-4000-8000-000000000000', 'oom-kill: killed by the kernel''s OOM killer: it exceeded memory_max, or the machine had no memory left');
