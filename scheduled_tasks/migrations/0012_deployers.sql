-- Who deployed a job, and who removed it or deployed what replaced it: whoever ran `clocks apply`, or the play.
-- Null if the host's release does not report it yet.
ALTER TABLE deployed_job ADD deployed_by text, ADD removed_by text;
