"""The hot path: one run of one task.

A unit or a person passes a task's name and a job's arguments; the result is log lines, a row in `task_run` and an exit
code. Every run of every job pays for each import, so of other rooms this one imports only what evaluates a schedule
(schedule/, when a run needs it), and of libraries only psycopg and pythonjsonlogger.
"""
