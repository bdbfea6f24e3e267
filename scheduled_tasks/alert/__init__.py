"""Tell somebody: incidents, notices, messages and the routes by which they go out.

The watch and the failure service judge (`judge`), a service of its own sends (`outbox`, `noise`). Nothing of this is
imported by run-task: the results of runs are judged in the database (migrations/0002_incidents.sql).
"""
