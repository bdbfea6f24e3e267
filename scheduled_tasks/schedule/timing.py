"""What a translation gives: the Timing of a timer and its service, and the years it is worked out for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Timing:
    """What a timer and its service need so as to fire at a trigger's occurrences.

    `on_calendar` are values of `OnCalendar=`. `exec_condition` are argument lists for `ExecCondition=`, not escaped:
    the renderer's escape function does that. The lines are exact until `exact_until`, None being for ever.
    `jitter` is in seconds, for `RandomizedDelaySec=`.
    """

    on_calendar: tuple[str, ...]
    exec_condition: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    exact_until: datetime | None = None
    jitter: int | None = None


@dataclass(frozen=True)
class Period:
    """The years for which corrections are written, and the present instant."""

    first: int
    last: int
    now: datetime

    @property
    def start(self) -> datetime:
        """The first instant of the period."""
        return datetime(self.first, 1, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first instant behind it."""
        return datetime(self.last + 1, 1, 1, tzinfo=UTC)
