-- Ten past three in Paris, 2037-11-24: two jobs fail, on two hosts, one host is silent, and other jobs are paused.
INSERT INTO host (name, heartbeat_at) VALUES
    ('app1', '2037-11-24 02:09:30Z'), ('app2', '2037-11-24 01:20:00Z');

INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)
SELECT host, clock, job, clock || '.' || job,
       jsonb_build_object('kind', 'cron', 'zone', 'Europe/Paris', 'hours', hours, 'minutes', minutes, 'seconds', '[0]'::jsonb),
       jsonb_build_object('timeout', 1800, 'per_host', per_host, 'paused', job = 'heat_ovens'), '2037-01-01Z'
FROM (VALUES ('app1'), ('app2')) AS hosts (host), (VALUES
    ('suppliers', 'synchronize_prices_and_stocks_of_every_supplier', '[0,2,4,6,8,10,12,14,16,18,20,22]'::jsonb, '[30]'::jsonb, false),
    ('suppliers', 'ping', NULL, '[0,5,10,15,20,25,30,35,40,45,50,55]', false),
    ('shop', 'clean_temporary_files', '[3]', '[0]', true),
    ('shop', 'count', '[2]', '[0]', false),
    ('shop', 'heat_ovens', '[5]', '[0]', false),
    ('shop', 'send_newsletter', '[9]', '[0]', false),
    ('reports', 'sum_up_the_day', '[3]', '[5]', false),
    ('reports', 'new', '[23]', '[0]', false)) AS jobs (clock, job, hours, minutes, per_host);
UPDATE deployed_job SET schedule = schedule - 'hours' WHERE job = 'ping';

INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, invocation_id, memory_peak, cpu_seconds)
VALUES
    ('50000001-0000-4000-8000-000000000000', 'suppliers.synchronize_prices_and_stocks_of_every_supplier', 'suppliers',
     'synchronize_prices_and_stocks_of_every_supplier', '2037-11-23 21:30Z', '', 'app1', 'timer', 'ended', 1,
     '2037-11-23 21:30:00.4Z', '2037-11-23 21:37:12Z', 431.6, 0.4, 0, NULL, NULL, NULL, NULL, 402653184, 61.2),
    ('50000002-0000-4000-8000-000000000000', 'suppliers.synchronize_prices_and_stocks_of_every_supplier', 'suppliers',
     'synchronize_prices_and_stocks_of_every_supplier', '2037-11-23 23:30Z', '', 'app2', 'timer', 'failed', 1,
     '2037-11-23 23:30:01Z', '2037-11-23 23:30:13Z', 12.1, 1.0, 1, 'HTTPError', '503 Server Error', NULL, NULL, 30883840, 1.4),
    ('50000003-0000-4000-8000-000000000000', 'suppliers.synchronize_prices_and_stocks_of_every_supplier', 'suppliers',
     'synchronize_prices_and_stocks_of_every_supplier', '2037-11-24 01:30Z', '', 'app1', 'timer', 'failed', 2,
     '2037-11-24 01:33:20Z', '2037-11-24 01:33:32.4Z', 12.4, 200, 1, 'HTTPError',
     '503 Server Error: Service Unavailable for url: https://api.supplier.example/v2/catalogue/prices?shop=4711&page=12' || E'\n'
     || 'The supplier says: scheduled maintenance of the whole platform until 2037-11-24T06:00:00+01:00, please try again later. '
     || repeat('We are sorry for the inconvenience. ', 12),
     NULL, '11111111-2222-4333-8444-555555555555', 30883840, 1.4),
    ('50000010-0000-4000-8000-000000000000', 'suppliers.ping', 'suppliers', 'ping', '2037-11-24 02:10Z', '', 'app1',
     'timer', 'started', 1, '2037-11-24 02:10:00Z', NULL, NULL, 0.0, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('50000011-0000-4000-8000-000000000000', 'suppliers.ping', 'suppliers', 'ping', '2037-11-24 02:05Z', '', 'app1',
     'timer', 'ended', 1, '2037-11-24 02:05:00Z', '2037-11-24 02:05:00.3Z', 0.3, 0.0, 0, NULL, NULL, NULL, NULL, 1048576, 0.2),
    ('50000020-0000-4000-8000-000000000000', 'shop.clean_temporary_files', 'shop', 'clean_temporary_files',
     '2037-11-24 02:00Z', 'app1', 'app1', 'timer', 'ended', 1, '2037-11-24 02:00:00Z', '2037-11-24 02:00:04Z', 4.0, 0.1, 0,
     NULL, NULL, NULL, NULL, NULL, NULL),
    ('50000021-0000-4000-8000-000000000000', 'shop.clean_temporary_files', 'shop', 'clean_temporary_files',
     '2037-11-24 02:00Z', 'app2', 'app2', 'timer', 'missed', 0, '2037-11-24 02:00:00Z', NULL, NULL, NULL, NULL,
     NULL, NULL, 'app2 is dead: no heartbeat', NULL, NULL, NULL),
    ('50000030-0000-4000-8000-000000000000', 'shop.count', 'shop', 'count', '2037-11-24 01:00Z', '', 'app1', 'timer',
     'ended', 1, '2037-11-24 01:00:00Z', '2037-11-24 01:00:01Z', 1.0, 0.1, 0, NULL, NULL, NULL, NULL, 20971520, 0.9),
    ('50000031-0000-4000-8000-000000000000', 'shop.count', 'shop', 'count', NULL, NULL, 'app1', 'manual',
     'ended', 1, '2037-11-24 02:01:00Z', '2037-11-24 02:01:01Z', 1.0, NULL, 0, NULL, NULL, NULL, NULL, 20971520, 0.9),
    ('50000040-0000-4000-8000-000000000000', 'shop.send_newsletter', 'shop', 'send_newsletter', '2037-11-23 08:00Z', '',
     'app1', 'timer', 'skipped', 1, '2037-11-23 08:00:00Z', '2037-11-23 08:00:00.1Z', 0.1, 0.1, 0, NULL, NULL,
     'feature SEND_NEWSLETTER is not active', NULL, NULL, NULL),
    ('50000050-0000-4000-8000-000000000000', 'reports.sum_up_the_day', 'reports', 'sum_up_the_day', '2037-11-24 02:05Z', '',
     'app2', 'timer', 'lost', 1, '2037-11-24 02:05:00Z', NULL, NULL, 0.1, NULL, NULL, NULL,
     'its process is gone, and how it ended is unknown', NULL, NULL, NULL);

INSERT INTO past_attempt (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, replaced_at, is_idempotent, is_exclusive,
    is_resolved)
VALUES
    ('50000004-0000-4000-8000-000000000000', 'suppliers.synchronize_prices_and_stocks_of_every_supplier', 'suppliers',
     'synchronize_prices_and_stocks_of_every_supplier', '2037-11-24 01:30Z', '', 'app1', 'timer', 'failed', 1,
     '2037-11-24 01:30:00Z', '2037-11-24 01:31:40Z', 100, 0.1, 1, 'TimeoutError', 'the supplier did not answer in 100 s',
     '2037-11-24 01:33:20Z', false, false, false);

INSERT INTO pause (clock, job, host, paused_at, paused_by, reason, until) VALUES
    ('shop', 'send_newsletter', NULL, '2037-11-23 16:00Z', 'anna', 'the new layout is not ready: see the ticket of the marketing department',
     '2037-11-25 07:00Z'),
    ('reports', NULL, 'app2', '2037-11-24 01:00Z', 'ben', 'app2 is restored from its backup', NULL);

INSERT INTO feature (name, description, is_active, updated_at, updated_by, reason, reverts_at) VALUES
    ('SYNCHRONIZE_SUPPLIERS', 'Fetch prices and stocks from the suppliers', true, '2037-01-01Z', 'clocks features sync', NULL, NULL),
    ('SEND_NEWSLETTER', 'Send the weekly newsletter to every customer who asked for it', false, '2037-11-23 07:55Z', 'anna',
     'the new layout is not ready: see the ticket of the marketing department', '2037-11-25 07:00Z');
INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason, reverts_at) VALUES
    ('SYNCHRONIZE_SUPPLIERS', '2037-01-01Z', 'clocks features sync', NULL, true, NULL, NULL),
    ('SEND_NEWSLETTER', '2037-11-23 07:55Z', 'anna', true, false,
     'the new layout is not ready: see the ticket of the marketing department', '2037-11-25 07:00Z');
