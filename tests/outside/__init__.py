"""Services outside, for tests: they run here, and behave as theirs do."""
