-- Ten past three in Paris, 2037-11-24: one request waits, one is taken, and four are over.
INSERT INTO request (kind, clock, job, slot, until_slot, run_id, host, reason, asked_by, asked_at, expires_at, taken_by,
    taken_at, started_at, ran, total, outcome, why, finished_at)
VALUES
    ('run', 'shop', 'index', NULL, NULL, '50000001-0000-4000-8000-000000000000', 'app2', 'the index was empty', 'anna',
     '2037-11-23 20:00Z', '2037-11-23 20:05Z', 'app2', '2037-11-23 20:00:41Z', '2037-11-23 20:00:42Z', 0, NULL, 'done', NULL,
     '2037-11-23 20:00:44Z'),
    ('run', 'suppliers', 'synchronize_prices_and_stocks_of_every_supplier', '2037-11-24 01:30Z', NULL,
     '50000002-0000-4000-8000-000000000000', 'app1', 'the supplier says that its interface answers again since midnight',
     'ben', '2037-11-24 01:50Z', '2037-11-24 01:55Z', 'app1', '2037-11-24 01:50:12Z', NULL, 0, NULL, 'refused',
     'it is paused: suppliers since 2037-11-24T01:40:00Z by anna: the supplier has been called', '2037-11-24 01:50:12Z'),
    ('stop', 'shop', 'count', NULL, NULL, '50000003-0000-4000-8000-000000000000', 'app3', 'it loops', 'anna',
     '2037-11-24 01:55Z', '2037-11-24 02:00Z', NULL, NULL, NULL, 0, NULL, 'expired',
     'app3 did not take it within 5 min: its last heartbeat was at 2037-11-24T01:31:00Z', '2037-11-24 02:00Z'),
    ('backfill', 'shop', 'count', '2037-11-20 02:00Z', '2037-11-22 02:00Z', '50000004-0000-4000-8000-000000000000',
     'app1', 'three nights without stock', 'anna', '2037-11-24 02:01Z', '2037-11-24 02:06Z', 'app1',
     '2037-11-24 02:01:30Z', '2037-11-24 02:01:50Z', 1, 3, 'failed', 'stopped at 2037-11-21T02:00:00Z: failed: HTTPError: 503 Server Error',
     '2037-11-24 02:02:10Z'),
    ('backfill', 'shop', 'index', '2037-11-01 02:00Z', '2037-11-20 02:00Z', '50000005-0000-4000-8000-000000000000',
     'app2', 'the old index is lost', 'ben', '2037-11-24 02:05Z', '2037-11-24 02:10Z', 'app2', '2037-11-24 02:05:40Z',
     '2037-11-24 02:09:30Z', 7, 20, NULL, NULL, NULL),
    ('run', 'shop', 'count', NULL, NULL, '50000006-0000-4000-8000-000000000000', NULL, 'once more', 'anna',
     '2037-11-24 02:09:50Z', '2037-11-24 02:14:50Z', NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL);
