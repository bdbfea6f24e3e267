-- Hosts of the sample, and what people did: a pause, and flags that they switched. All times are relative to now().
INSERT INTO host (name, heartbeat_at, heartbeats_since, accounted_until, accounted_at, release)
SELECT name, now() - silent, now() - interval '40 days', now() - silent - interval '1 minute', now() - silent, '2.15.0'
  FROM (VALUES ('app1', interval '21 s'), ('app2', interval '8 s'), ('app3', interval '52 minutes')) AS host (name, silent);

INSERT INTO pause (clock, job, paused_at, paused_by, reason, until, resumed_at, resumed_by) VALUES
    ('booking', 'archive_past_events', now() - interval '5 hours', 'anna', 'the archive is moved to its new disk',
     now() + interval '20 hours', NULL, NULL),
    ('titelive', NULL, now() - interval '50 hours', 'ben', 'Titelive works on its servers', NULL,
     now() - interval '49 hours', 'ben');

INSERT INTO feature (name, description, is_active, updated_at, updated_by, reason) VALUES
    ('REMIND_VISITORS', 'Remind visitors of tomorrow''s events by mail', false, now() - interval '30 hours', 'clara',
     'wrong dates in the mail of Friday'),
    ('SYNCHRONIZE_STOCKS', 'Fetch stocks from Titelive', true, now() - interval '40 days', 'clocks features sync', NULL),
    ('INDEX_OFFERS', 'Bring the search index up to date', true, now() - interval '38 hours', 'ben', 'the index is back');

INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason) VALUES
    ('SYNCHRONIZE_STOCKS', now() - interval '40 days', 'clocks features sync', NULL, true, 'added with its default'),
    ('INDEX_OFFERS', now() - interval '41 hours', 'ben', true, false, 'the search service is overloaded'),
    ('INDEX_OFFERS', now() - interval '38 hours', 'ben', false, true, 'the index is back'),
    ('REMIND_VISITORS', now() - interval '30 hours', 'clara', true, false, 'wrong dates in the mail of Friday');
