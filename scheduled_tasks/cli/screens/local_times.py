"""Write and read instants as people do: all of a command in one time zone, the relative beside the absolute.

The zone is the project's (`timezone` in the configuration; UTC without one), or UTC with --utc. What a screen shows can
be typed as it stands: it is read in the same zone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import click

from scheduled_tasks import instants
from scheduled_tasks.project import value_if_configured
from scheduled_tasks.quantities import relative

UTC_WANTED = f"{__name__}.utc"  # the key of a context's meta
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
# "06:00", "yesterday 06:00", "11-24 06:00": a day that the full date's parser does not know, and a time of it.
_DAY_AND_TIME = re.compile(r"(?:(yesterday|today|tomorrow|\d\d-\d\d)(?:[ T]+|$))?(\d\d:\d\d\S*)?")


def _set_utc(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value:
        context.meta[UTC_WANTED] = True


# Eager: the zone is known before the other options' instants are read.
utc_option = click.option(
    "--utc",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_set_utc,
    help="Show and read instants in UTC, not in the project's time zone.",
)


class AmbiguousTimeError(ValueError):
    """A wall time that a zone skips or has twice."""


def current_time() -> datetime:
    """The time by this machine's clock, for all that a command shows or reads."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class LocalTimes:
    """Writes and reads instants in a zone, relative to `now`."""

    now: datetime
    zone: tzinfo
    zone_name: str

    @classmethod
    def of_command(cls, now: datetime | None = None, zones: Collection[str] = ()) -> LocalTimes:
        """The times of the command that is running, by its --utc and the project's time zone.

        If the jobs that it shows have one of `zones` in common, that zone is used.
        """
        context = click.get_current_context(silent=True)
        if context and context.meta.get(UTC_WANTED):
            name = ""
        else:
            name = next(iter(zones)) if len(set(zones)) == 1 else value_if_configured("timezone")
        return cls(now or current_time(), ZoneInfo(name) if name else UTC, name or "UTC")

    def full(self, at: datetime | None) -> str:
        """With date and seconds: 2026-11-24 06:00:00; "-" for None."""
        return f"{self._local(at):%Y-%m-%d %H:%M:%S}{self._offset(at)}" if at else "-"

    def exact(self, at: datetime) -> str:
        """With weekday and offset, as schedules are read: Tue 2026-11-24 07:00:00+01:00."""
        local = self._local(at)
        return f"{local:%a} {local.isoformat(sep=' ', timespec='seconds').replace('+00:00', 'Z')}"

    def brief(self, at: datetime | None) -> str:
        """As short as it can be: 06:00 today, 11-24 06:00 in this year, 2027-03-28 03:30; "-" for None."""
        if at is None:
            return "-"
        local, today = self._local(at), self._local(self.now)
        day = "" if local.date() == today.date() else "%m-%d " if local.year == today.year else "%Y-%m-%d "
        return f"{local:{day}%H:%M}{self._offset(at)}"

    def detailed(self, at: datetime | None) -> str:
        """With date, seconds and the relative: 2026-11-24 06:00:00, in 22 h; "-" for None."""
        return f"{self.full(at)}, {self.relative(at)}" if at else "-"

    def relative(self, at: datetime | None) -> str:
        """How far away it is: in 22 h, 6 min ago; "-" for None."""
        return relative((at - self.now).total_seconds()) if at else "-"

    def both(self, at: datetime | None) -> str:
        """The absolute and the relative: 06:00, in 22 h; "-" for None."""
        return f"{self.brief(at)}, {self.relative(at)}" if at else "-"

    def now_sentence(self) -> str:
        """What time it is, and the zone of all that is shown: 2026-11-24 06:06:00 Europe/Paris."""
        return f"{self._local(self.now):%Y-%m-%d %H:%M:%S} {self.zone_name}"

    def read(self, text: str, *, direction: int = 0) -> datetime:
        """Read an instant.

        Args:
            text: as a screen shows it, in ISO 8601 (2026-11-24, 2026-11-24T06:00Z), `now`, `yesterday`, `today 06:00`,
                or a time span such as 2h.
            direction: -1 if it is in the past and 1 if it is in the future: a time without a day, a date without a
                year or a span is the nearest one in this direction. 0: a time without a day is today's, and a span is
                in the future.

        Raises:
            ValueError: it has another form, or the zone skips this time or has it twice.
        """
        if text == "now":
            return self.now
        exact = ":" in text  # a date alone is the first instant of its day, whatever the zone does at midnight
        try:
            return self._in_zone(datetime.fromisoformat(text), exact=exact)
        except AmbiguousTimeError:
            raise
        except ValueError:
            pass
        if text and (found := _DAY_AND_TIME.fullmatch(text)):
            return self._nearest(*found.groups(), direction=direction, exact=exact)
        if text.isdecimal():
            raise ValueError("a number without a unit")  # 0250 is not 250 seconds
        from scheduled_tasks.options.validators import SPAN, matching, seconds_of

        return self.now + (direction or 1) * timedelta(seconds=seconds_of(matching(SPAN)(text)))

    def _nearest(self, day: str | None, clock: str | None, *, direction: int, exact: bool) -> datetime:
        """The nearest instant in a direction with a time of the day, or a month and a day."""
        today = self._local(self.now).date()
        if day in DAYS:
            days = [today + timedelta(days=DAYS[day])]
        elif day:
            days = [date.fromisoformat(f"{year}-{day}") for year in (today.year, today.year + direction)]
        else:
            days = [today, today + timedelta(days=direction)]
        at_time = time.fromisoformat(clock) if clock else time()
        for one_day in days:
            at = self._in_zone(datetime.combine(one_day, at_time), exact=exact)
            if (at - self.now) * direction >= timedelta():
                break
        return at

    def _in_zone(self, at: datetime, *, exact: bool) -> datetime:
        if at.tzinfo:
            return at.astimezone(UTC)
        first, second = (at.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if exact and first != second:
            problem = "comes twice" if first < second else "does not exist"
            raise AmbiguousTimeError(f"{at:%Y-%m-%d %H:%M} {problem} in {self.zone_name}: write it with its offset")
        return first

    def _local(self, at: datetime) -> datetime:
        return instants.local(at, self.zone)

    def _offset(self, at: datetime) -> str:
        return instants.offset_if_repeated(self._local(at))
