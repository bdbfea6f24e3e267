"""What changed since a job last worked: release, host, schedule, options, task and flags, all from the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.schedule.description import describe
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.words import Times
    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.run.database import Connection

MAX_FLAGS = 5  # changes of flags that are named, the last ones
# Names of options in the jobs manifest, and as clock files have them.
OPTION_NAMES = {"grace": "misfire_grace_time"}


class Deployed(NamedTuple):
    """A job as a host had it."""

    task: str
    schedule: Mapping[str, Any]
    options: Mapping[str, Any]


def changes(connection: Connection, good: RunRow, bad: RunRow, times: Times) -> list[str]:
    """A sentence for each difference between the last good run and a bad one, and for flags switched in between."""
    found = []
    if good.release and bad.release and good.release != bad.release:
        found.append(f"release: {good.release} → {bad.release}")
    if good.host and bad.host and good.host != bad.host:
        found.append(f"host: {good.host} → {bad.host}")
    until = max(bad.started_at, bad.ended_at or bad.started_at)
    before = _deployed(connection, good, good.started_at)
    after = _deployed(connection, bad, until)
    if before and after:
        found += _differences(before, after)
    return [*found, *_flags(connection, good.started_at, until, times)]


def _deployed(connection: Connection, run: RunRow, at: datetime) -> Deployed | None:
    """The job of a run as its host, or any, had it at an instant."""
    row = connection.execute(
        "SELECT task, schedule, options FROM deployed_job WHERE clock = %s AND job = %s AND valid_from <= %s"
        " AND (valid_until IS NULL OR valid_until > %s) ORDER BY (host = %s) DESC, valid_from DESC LIMIT 1",
        [run.clock, run.job, at, at, run.host],
    ).fetchone()
    return Deployed(*row) if row else None


def _differences(before: Deployed, after: Deployed) -> Iterator[str]:
    if before.task != after.task:
        yield f"task: {before.task} → {after.task}"
    if before.schedule != after.schedule:
        old, new = (describe(Trigger.from_json(deployed.schedule)) for deployed in (before, after))
        yield f"schedule: {old} → {new}" if old != new else "schedule: its details"
    for name in sorted({*before.options, *after.options}):
        value, new_value = before.options.get(name), after.options.get(name)
        if value != new_value:
            yield f"{OPTION_NAMES.get(name, name)}: {_shown(value)} → {_shown(new_value)}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _flags(connection: Connection, since: datetime, until: datetime, times: Times) -> list[str]:
    """The last changes of flags in a time. Which flags a task reads is not known, so all of them count."""
    rows = connection.execute(
        "SELECT name, is_active, changed_at, changed_by, reason FROM feature_change"
        " WHERE changed_at BETWEEN %s AND %s AND was_active <> is_active ORDER BY changed_at DESC LIMIT %s",
        [since, until, MAX_FLAGS],
    ).fetchall()
    return [
        f"flag {name}: switched {'on' if is_active else 'off'} by {by}, {times.local(at)}"
        f"{f': {reason}' if reason else ''}"
        for name, is_active, at, by, reason in reversed(rows)
    ]
