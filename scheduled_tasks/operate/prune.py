"""Delete old runs and log lines daily, in small batches, so that nothing else waits for the deletion."""

from __future__ import annotations

import time
from math import inf, nan
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import psycopg

KEEP_DAYS, KEEP_LOG_DAYS = 400, 30
MAX_DAYS = 36_500
BATCH_ROWS = 5_000
# What is old in each table.
OLD = {
    "task_run": "status <> 'started' AND started_at < now() - make_interval(days => 1) * %(days)s",
    "past_attempt": "started_at < now() - make_interval(days => 1) * %(days)s",
    "incident": "closed_at < now() - make_interval(days => 1) * %(days)s",  # and its notices
    "slot_hour": "hour < now() - interval '35 days'",
    "clock_hour": "hour < now() - interval '400 days'",
    "ping": "happened_at < now() - interval '7 days'",
    "span_outbox": "queued_at < now() - interval '2 days'",  # of hosts that no longer export
    "deployed_job": "valid_until < now() - make_interval(days => 1) * %(days)s",
    "request": "asked_at < now() - make_interval(days => 1) * %(days)s",
    "run_log": "requested_at < now() - make_interval(days => 1) * least(%(days)s, %(log_days)s)",
}
MAX_SECONDS = 60.0  # for which one pass of the watch prunes; the next pass continues


def keep_days(configured: str, key: str = "keep_runs", default: float = KEEP_DAYS) -> float:
    """Read `keep_runs` or `keep_logs` of the configuration: for how many days runs or log lines are kept.

    Raises:
        ConfigurationError: it is not a number of days.
    """
    try:
        days = float(configured or default)
    except ValueError:
        days = nan
    if not 0 < days <= MAX_DAYS:
        raise ConfigurationError(f"{key} = {configured!r}: write a number of days, such as {default}")
    return days


def prune_daily(
    connection: psycopg.Connection[Any], keep_days: float, now: datetime, *, keep_logs: float = KEEP_LOG_DAYS
) -> int:
    """Prune unless a host has done so in the last day; return how many runs were deleted."""
    due = connection.execute(
        "INSERT INTO maintenance AS last (name, done_at) VALUES ('prune', %s) ON CONFLICT (name) DO UPDATE"
        " SET done_at = excluded.done_at WHERE abs(extract(epoch FROM excluded.done_at - last.done_at)) > 86400",
        [now],
    ).rowcount
    if not due:
        return 0
    until = time.monotonic() + MAX_SECONDS
    pruned = prune(connection, keep_days, until, keep_logs=keep_logs)
    if time.monotonic() >= until:
        connection.execute("DELETE FROM maintenance WHERE name = 'prune'")
    return pruned


def count_old(connection: psycopg.Connection[Any], keep_days: float, *, keep_logs: float = KEEP_LOG_DAYS) -> int:
    """How many rows `prune` would delete."""
    counts = " + ".join(f"(SELECT count(*) FROM {table} WHERE {is_old})" for table, is_old in OLD.items())  # noqa: S608 - our own text
    [(number,)] = connection.execute(f"SELECT {counts}", {"days": keep_days, "log_days": keep_logs}).fetchall()
    return int(number)


def prune(
    connection: psycopg.Connection[Any],
    keep_days: float,
    until: float = inf,
    *,
    keep_logs: float = KEEP_LOG_DAYS,
    after_batch: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Delete runs, incidents and deployments that ended more than `keep_days` ago; return how many runs.

    Log lines older than `keep_logs` days are deleted too. Unfinished runs stay, however old they are. After `until`, in
    seconds of the monotonic clock, no batch is begun. `after_batch` gets the number of rows that each batch deleted.
    """
    pruned = 0
    for table, is_old in OLD.items():
        deleted = BATCH_ROWS
        while deleted == BATCH_ROWS and time.monotonic() < until:
            # By ctid: a row that is claimed again meanwhile has another one, and stays.
            deleted = connection.execute(
                f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {is_old} LIMIT %(rows)s))",  # noqa: S608 - our own text
                {"days": keep_days, "log_days": keep_logs, "rows": BATCH_ROWS},
            ).rowcount
            pruned += deleted if table == "task_run" else 0
            after_batch(deleted)
    return pruned
