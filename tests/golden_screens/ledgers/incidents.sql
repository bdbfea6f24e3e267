-- Ten past three in Paris, 2037-11-24: four incidents are open, of which one is acknowledged and one snoozed.
INSERT INTO host (name, heartbeat_at) VALUES ('app1', '2037-11-24 02:09:30Z'), ('app2', '2037-11-24 02:09:40Z');

INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)
SELECT 'app1', clock, job, clock || '.' || job,
       '{"kind": "cron", "zone": "Europe/Paris", "hours": [3], "minutes": [0], "seconds": [0]}', '{}', '2037-01-01Z'
FROM (VALUES ('suppliers', 'synchronize_prices_and_stocks_of_every_supplier'), ('shop', 'count'), ('shop', 'index'))
     AS jobs (clock, job);

INSERT INTO incident (kind, clock, job, host, run_host, opened_at, first_at, last_at, bad, missed, reason, acked_at,
    acked_by, ack_reason, snoozed_until, snoozed_by, snooze_reason, closed_at, closed_by_run, close_reason)
VALUES
    ('failing', 'suppliers', 'synchronize_prices_and_stocks_of_every_supplier', '', 'app1', '2037-11-24 00:30:13Z',
     '2037-11-23 23:30Z', '2037-11-24 01:30Z', 3, 1,
     'HTTPError: 503 Server Error: Service Unavailable for url: https://api.supplier.example/v2/catalogue/prices?shop=4711',
     '2037-11-24 01:10Z', 'anna', 'the supplier has been called', NULL, NULL, NULL, NULL, NULL, NULL),
    ('missed', 'shop', 'count', '', 'app1', '2037-11-24 02:01:10Z', '2037-11-24 02:00Z', '2037-11-24 02:00Z', 1, 1,
     'app1 did not start it', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('slow', 'shop', 'index', '', 'app1', '2037-11-24 01:50Z', '2037-11-24 01:00Z', '2037-11-24 01:00Z', 1, 0,
     'it has been running for 1 h 10 min; expected are at most 45 min', NULL, NULL, NULL, '2037-11-24 07:00Z', 'ben',
     'the whole index is built again tonight', NULL, NULL, NULL),
    ('silent', NULL, NULL, 'app3', '', '2037-11-24 02:05Z', '2037-11-24 02:00Z', '2037-11-24 02:00Z', 0, 0,
     'no heartbeat since 2037-11-24T02:00:00Z; it has 8 jobs', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('failing', 'shop', 'index', '', 'app1', '2037-11-22 02:00:30Z', '2037-11-22 02:00Z', '2037-11-23 02:00Z', 2, 0,
     'killed by SIGKILL', NULL, NULL, NULL, NULL, NULL, NULL, '2037-11-23 09:12Z',
     '50000001-0000-4000-8000-000000000000', NULL),
    ('stale', NULL, NULL, 'app2', '', '2037-11-21 02:05Z', '2037-11-21 02:00Z', '2037-11-21 02:00Z', 0, 0,
     'its slots have not been accounted for since 2037-11-21T02:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL,
     '2037-11-21 02:25Z', NULL, 'its slots are accounted for again');
