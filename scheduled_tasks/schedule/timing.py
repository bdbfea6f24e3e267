"""The result of a translation: the Timing of a timer and its service, and the years for which it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Timing:
    """What a timer and its service need to fire at a trigger's occurrences.

    `on_calendar` are values of `OnCalendar=`. `exec_condition` are argument lists for `ExecCondition=`, not escaped:
    the renderer does that. The lines are exact until `exact_until`, or forever if that is None.
    `jitter` is in seconds, for `RandomizedDelaySec=`. `years` are the first and the last, in the job's zone, for which
    dates and instants are written out.
    """

    on_calendar: tuple[str, ...]
    exec_condition: tuple[tuple[str, ...], ...] = ()
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
