"""The result of a translation: the Timing of a timer, and the years for which it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Timing:
    """What a timer and its service need to fire at a trigger's occurrences.

    `on_calendar` are values of `OnCalendar=`. If `elapses_every` is set, they elapse more often than the trigger, every
    so many seconds, and run-task does nothing in between. They are exact until `exact_until`, or forever if it is None.
    `jitter` is in seconds, for `RandomizedDelaySec=`. `years` are the first and the last, in the job's zone, for which
    dates and instants are written out.
    """

    on_calendar: tuple[str, ...]
    elapses_every: int | None = None
    warnings: tuple[str, ...] = ()
    exact_until: datetime | None = None
    jitter: int | None = None
    years: tuple[int, int] | None = None


@dataclass(frozen=True)
class Period:
    """The years of the job's zone for which dates and instants are written out.

    Attributes:
        first: the first year.
        last: the last year.
        now: the current instant.
        until: the first instant after the last year.
    """

    first: int
    last: int
    now: datetime
    until: datetime

    @property
    def start(self) -> datetime:
        """The first instant of the first year, in UTC."""
        return datetime(self.first, 1, 1, tzinfo=UTC)
