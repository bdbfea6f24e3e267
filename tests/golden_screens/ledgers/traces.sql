-- Ten past three in Paris, 2037-11-24: the receiver of traces has been away since two.
INSERT INTO trace_export (wanted_at, exported, exported_at, dropped, dropped_at, tries, retry_at, error)
VALUES ('2037-11-24 01:30Z', 128310, '2037-11-24 00:59:40Z', 3, '2037-11-02 12:00Z', 8, '2037-11-24 02:14Z',
    'https://collector.observability.example.org:4318 can''t be reached: [Errno 111] Connection refused');
INSERT INTO span_outbox (run_id, attempt, queued_at)
SELECT gen_random_uuid(), 1, '2037-11-24 01:00:02Z'::timestamptz + number * interval '1 s' FROM generate_series(1, 300) AS numbers (number);
