"""What the commands about jobs share: how a job is named on the command line, and instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from scheduled_tasks.errors import UsageError
from scheduled_tasks.options import seconds_of
from scheduled_tasks.options.validators import SPAN, matching
from scheduled_tasks.run.arguments import NAME

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


def split(which: str) -> tuple[str, str]:
    """`CLOCK` or `CLOCK/JOB` as (clock, job), the job "" where none is named.

    Raises:
        UsageError: it is neither.
    """
    clock, slash, job = which.partition("/")
    if not NAME.fullmatch(clock) or (slash and not NAME.fullmatch(job)):
        raise UsageError(f"{which!r} is neither CLOCK nor CLOCK/JOB: see 'clocks list'")
    return clock, job


def one_job(which: str) -> tuple[str, str]:
    """`CLOCK/JOB` as (clock, job).

    Raises:
        UsageError: it is none.
    """
    clock, job = split(which)
    if not job:
        raise UsageError(f"{which!r} names no job: write CLOCK/JOB, see 'clocks list'")
    return clock, job


def instant_of(value: str, now: datetime, *, past: bool) -> datetime:
    """An instant: ISO 8601 (UTC where it has no offset), or a span such as `2h` before or after now.

    Raises:
        click.BadParameter: it is neither.
    """
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        try:
            span = timedelta(seconds=seconds_of(matching(SPAN)(value)))
        except ValueError:
            example = "2026-11-24T06:00Z, or 2h, 30min, 7d"
            raise click.BadParameter(f"{value!r} is no instant; write {example}") from None
        return now - span if past else now + span
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def past(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: an instant of the past, or how long ago."""
    return instant_of(value, datetime.now(UTC), past=True) if value else None


def coming(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: an instant to come, or in how long."""
    return instant_of(value, datetime.now(UTC), past=False) if value else None


def database_now(connection: Connection) -> datetime:
    """The database's clock: the one that all hosts share."""
    [(now,)] = connection.execute("SELECT clock_timestamp()").fetchall()
    assert isinstance(now, datetime)  # noqa: S101 - a timestamptz is
    return now


def shown(at: datetime | None) -> str:
    """An instant as tables show it, in UTC to the second; "-" for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if at else "-"
