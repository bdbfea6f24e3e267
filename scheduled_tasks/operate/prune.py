"""Delete old runs daily, in small batches, so that nothing else waits for the deletion."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

KEEP_DAYS = 400
BATCH_ROWS = 5_000
MAX_SECONDS = 60.0  # for which one pass of the watch prunes; the next pass continues


def keep_days(configured: str) -> float:
    """Read `keep_runs` of the configuration: for how many days runs are kept.

    Raises:
        ConfigurationError: it is not a number.
    """
    try:
        return float(configured or KEEP_DAYS)
    except ValueError:
        raise ConfigurationError(f"keep_runs = {configured!r}: write a number of days, such as {KEEP_DAYS}") from None


def prune_daily(connection: psycopg.Connection[Any], keep_days: float, now: datetime) -> int:
    """Prune unless a host has done so in the last day; return how many runs were deleted."""
    due = connection.execute(
        "INSERT INTO maintenance AS last (name, done_at) VALUES ('prune', %s) ON CONFLICT (name) DO UPDATE"
        " SET done_at = excluded.done_at WHERE abs(extract(epoch FROM excluded.done_at - last.done_at)) > 86400",
        [now],
    ).rowcount
    if not due:
        return 0
    until = time.monotonic() + MAX_SECONDS
    pruned = prune(connection, keep_days, until)
    if time.monotonic() >= until:
        connection.execute("DELETE FROM maintenance WHERE name = 'prune'")
    return pruned


def prune(connection: psycopg.Connection[Any], keep_days: float, until: float = inf) -> int:
    """Delete runs that started, and deployments that ended, more than `keep_days` ago; return how many runs.

    Unfinished runs stay, however old they are. After `until`, in seconds of the monotonic clock, no batch is begun.
    """
    pruned = 0
    while time.monotonic() < until:
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
