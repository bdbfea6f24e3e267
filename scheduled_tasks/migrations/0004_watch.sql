-- What the watch keeps of each host: up to which instant its slots are judged, since when its words come without a
-- gap, and which list of jobs it told last.
ALTER TABLE watched_host
    ADD COLUMN accounted_until timestamptz,
    ADD COLUMN since           timestamptz,
    ADD COLUMN told            text;

-- An operator's host pauses are known by the file that holds them: told twice, it is still one row.
ALTER TABLE pause ADD COLUMN note text UNIQUE;
