-- What all cases have: jobs in Paris and in UTC on two hosts, and their last good runs. It is ten past three in Paris,
-- 2026-11-24. Without triggers: each case says itself which incidents there are.
SET session_replication_role = replica;

INSERT INTO host (name, heartbeat_at) VALUES ('app1', '2026-11-24 02:09:30Z'), ('app2', '2026-11-24 02:09:40Z');

INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)
SELECT host, clock, job, clock || '.' || job,
       jsonb_build_object('kind', 'cron', 'zone', zone, 'hours', hours, 'minutes', '[0]'::jsonb, 'seconds', '[0]'::jsonb),
       jsonb_build_object('timeout', 1800, 'per_host', job = 'clean', 'paused', false) || more, '2026-01-01Z'
FROM (VALUES ('app1'), ('app2')) AS hosts (host), (VALUES
    ('shop', 'export', 'Europe/Paris', '[1, 2, 3, 4]'::jsonb,
     '{"owner": "data", "runbook": "https://wiki.example/export", "expected_duration": 1200}'::jsonb),
    ('shop', 'clean', 'Europe/Paris', '[3]', '{}'),
    ('shop', 'mail', 'Europe/Paris', '[3]', '{"owner": "crm"}'),
    ('shop', 'prices', 'Europe/Paris', '[3]', '{}'),
    ('shop', 'stock', 'Europe/Paris', '[3]', '{}'),
    ('shop', 'index', 'Europe/Paris', '[3]', '{}'),
    ('reports', 'sum_up', 'UTC', '[2]', '{}')) AS jobs (clock, job, zone, hours, more);

INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, release, invocation_id)
VALUES
    ('10000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-23 23:00Z', '', 'app1', 'timer',
     'ended', 1, '2026-11-23 23:00:00.4Z', '2026-11-23 23:07:12Z', 431.6, 0.4, 0, '1.4.0', gen_random_uuid()),
    ('10000001-0000-4000-8000-000000000000', 'reports.sum_up', 'reports', 'sum_up', '2026-11-23 02:00Z', '', 'app2',
     'timer', 'ended', 1, '2026-11-23 02:00:00.4Z', '2026-11-23 02:00:03Z', 2.6, 0.4, 0, '1.4.0', gen_random_uuid());
