INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000002-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 00:00Z', '', 'app2', 'timer',
     'failed', 1, '2026-11-24 00:00Z', '2026-11-24 00:00Z'::timestamptz + interval '12 s', 12, 0.4, 1, 'OSError', 'the disk is full', NULL, '1.5.0', gen_random_uuid()),
    ('20000001-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 01:00Z', '', 'app2', 'timer',
     'failed', 1, '2026-11-24 01:00Z', '2026-11-24 01:00Z'::timestamptz + interval '12 s', 12, 0.4, 1, 'OSError', 'the disk is full', NULL, '1.5.0', gen_random_uuid()),
    ('20000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 02:00Z', '', 'app2', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 1, 'OSError', 'the disk is full', NULL, '1.5.0', gen_random_uuid());

UPDATE deployed_job SET valid_until = '2026-11-23 23:30Z' WHERE job = 'export';
INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)
SELECT host, clock, job, 'shop.export_all', jsonb_set(schedule, '{hours}', '[1, 2, 3, 4, 5]'),
       options || '{"timeout": 3600, "overlap": "skip"}', '2026-11-23 23:30Z'
  FROM deployed_job WHERE job = 'export';
INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason) VALUES
    ('EXPORT_ALL', '2026-11-23 23:40Z', 'anna', false, true, 'the new shop'),
    ('NEW_FLAG', '2026-11-23 23:41Z', 'anna', NULL, true, 'created'),
    ('OLD_FLAG', '2026-11-20 23:41Z', 'anna', true, false, 'long ago');

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'export', '', 'app2', '2026-11-24 02:00:12Z', '2026-11-24 00:00Z',
    '2026-11-24 02:00Z', 3, 0, '20000000-0000-4000-8000-000000000000', 'OSError: the disk is full');
