"""Old runs go: in small pieces, so that nobody waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

KEEP_DAYS = 400
PIECE = 5_000  # rows of one statement


def prune(connection: psycopg.Connection[Any], keep_days: float) -> int:
    """Deletes the runs that began more than so many days ago, and deployments that ended then; returns how many runs.

    What still runs stays, however old it is.
    """
    pruned = 0
    while True:
        found = connection.execute(
            "DELETE FROM task_run WHERE run_id = ANY (ARRAY(SELECT run_id FROM task_run"
            " WHERE started_at < now() - make_interval(days => 1) * %s AND status <> 'started'"
            " ORDER BY started_at LIMIT %s))",
            [keep_days, PIECE],
        ).rowcount
        pruned += found
        if found < PIECE:
            break
    connection.execute(
        "DELETE FROM deployed_job WHERE valid_until < now() - make_interval(days => 1) * %s", [keep_days]
    )
    return pruned
