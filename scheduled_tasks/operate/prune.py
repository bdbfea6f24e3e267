"""Delete old runs, in small batches, so that nothing else waits for the deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

KEEP_DAYS = 400
BATCH_ROWS = 5_000


def prune(connection: psycopg.Connection[Any], keep_days: float) -> int:
    """Delete runs that started, and deployments that ended, more than `keep_days` ago; return how many runs.

    Unfinished runs stay, however old they are.
    """
    pruned = 0
    while True:
        deleted = connection.execute(
            "DELETE FROM task_run WHERE run_id = ANY (ARRAY(SELECT run_id FROM task_run"
            " WHERE started_at < now() - make_interval(days => 1) * %s AND status <> 'started'"
            " ORDER BY started_at LIMIT %s))",
            [keep_days, BATCH_ROWS],
        ).rowcount
        pruned += deleted
        if deleted < BATCH_ROWS:
            break
    for table, ended in (("past_attempt", "started_at"), ("deployed_job", "valid_until")):
        connection.execute(
            f"DELETE FROM {table} WHERE {ended} < now() - make_interval(days => 1) * %s",  # noqa: S608 - our own text
            [keep_days],
        )
    return pruned
