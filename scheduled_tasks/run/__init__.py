"""The hot path: one run of one task.

What comes in: a task's name and a job's arguments, from a unit or a person. What goes out: log lines, a row
in `task_run`, an exit code. It imports no other room, and of the libraries psycopg and pythonjsonlogger alone,
because every run of every job pays for each import.
"""
