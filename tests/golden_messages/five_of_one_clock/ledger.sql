INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt, started_at,
    ended_at, duration, lag, exit_code, error_type, error_message, reason, release, invocation_id)
VALUES
    ('20000000-0000-4000-8000-000000000000', 'shop.export', 'shop', 'export', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 75, 'ServiceUnavailableError', 'PostgreSQL is unreachable', NULL, '1.4.0', gen_random_uuid()),
    ('20000001-0000-4000-8000-000000000000', 'shop.mail', 'shop', 'mail', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 75, 'ServiceUnavailableError', 'PostgreSQL is unreachable', NULL, '1.4.0', gen_random_uuid()),
    ('20000002-0000-4000-8000-000000000000', 'shop.prices', 'shop', 'prices', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 75, 'ServiceUnavailableError', 'PostgreSQL is unreachable', NULL, '1.4.0', gen_random_uuid()),
    ('20000003-0000-4000-8000-000000000000', 'shop.stock', 'shop', 'stock', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 75, 'ServiceUnavailableError', 'PostgreSQL is unreachable', NULL, '1.4.0', gen_random_uuid()),
    ('20000004-0000-4000-8000-000000000000', 'shop.index', 'shop', 'index', '2026-11-24 02:00Z', '', 'app1', 'timer',
     'failed', 1, '2026-11-24 02:00Z', '2026-11-24 02:00Z'::timestamptz + interval '12 s', 12, 0.4, 75, 'ServiceUnavailableError', 'PostgreSQL is unreachable', NULL, '1.4.0', gen_random_uuid());

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'export', '', 'app1', '2026-11-24 02:00:30Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000000-0000-4000-8000-000000000000', 'ServiceUnavailableError: PostgreSQL is unreachable');
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'mail', '', 'app1', '2026-11-24 02:00:30Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000001-0000-4000-8000-000000000000', 'ServiceUnavailableError: PostgreSQL is unreachable');
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'prices', '', 'app1', '2026-11-24 02:00:30Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000002-0000-4000-8000-000000000000', 'ServiceUnavailableError: PostgreSQL is unreachable');
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'stock', '', 'app1', '2026-11-24 02:00:30Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000003-0000-4000-8000-000000000000', 'ServiceUnavailableError: PostgreSQL is unreachable');
INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, run_id, reason)
VALUES ('failing', 'shop', 'index', '', 'app1', '2026-11-24 02:00:30Z', '2026-11-24 02:00Z',
    '2026-11-24 02:00Z', 1, 0, '20000004-0000-4000-8000-000000000000', 'ServiceUnavailableError: PostgreSQL is unreachable');
