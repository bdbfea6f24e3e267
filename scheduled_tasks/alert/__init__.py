"""Alerts: incidents and notices in the database, and how they reach people. No run imports this."""
