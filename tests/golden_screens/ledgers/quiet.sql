-- All is well: one job on one host.
INSERT INTO host (name, heartbeat_at) VALUES ('app1', '2037-11-24 02:09:30Z');
INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from) VALUES
    ('app1', 'shop', 'count', 'shop.count', '{"kind": "cron", "zone": "Europe/Paris", "hours": [2], "minutes": [0], "seconds": [0]}',
     '{"timeout": 600}', '2037-01-01Z');
INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at, ended_at, duration)
VALUES ('50000030-0000-4000-8000-000000000000', 'shop.count', 'shop', 'count', '2037-11-24 01:00Z', '', 'app1', 'timer',
        'ended', '2037-11-24 01:00:00Z', '2037-11-24 01:00:01Z', 1.0);
