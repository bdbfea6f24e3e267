"""The SQL of a run: one statement at its start, one at its end, one for each flag that it reads besides its own.

What they do is in the database's functions open_run and close_run (migrations/0001_flags_and_ledger.sql), because the
tasks' role has no privilege on the ledger's tables.
"""

from __future__ import annotations

# The deadline, by the database's clock, counts from the start of this connection: a server that was suspended may read
# a statement long after the run has given up. A connection pooler's connections are older than the run's and belong to
# another server process than the one that the run knows; then the function counts from the statement's arrival.
OPEN = """
SELECT attempt, is_active, switch_expired, paused, skip_reason, is_queued
  FROM open_run(%(run)s::jsonb, (
      SELECT backend_start + make_interval(secs => %(answered_within)s)
        FROM pg_stat_get_activity(%(server_process)s) WHERE pid = pg_backend_pid()
  ))
"""

CLOSE = "SELECT close_run(%(result)s::jsonb)"

# A temporary switch (reverts_at) reverts automatically: after it the flag has its former state, the opposite.
FLAG = """
SELECT is_active <> coalesce(reverts_at <= clock_timestamp(), false) FROM feature WHERE name = %(feature)s
"""

# Of a run in a pod: which attempt of its Job it is (migrations/0010_pods.sql).
NEXT_ATTEMPT = "SELECT next_attempt(%(run_id)s::uuid, %(pod)s::uuid)"
