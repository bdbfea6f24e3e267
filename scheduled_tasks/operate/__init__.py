"""The operator's side of PostgreSQL: the tables and the embedded server."""
