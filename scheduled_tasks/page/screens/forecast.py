"""Forecast: how many runs start, hour by hour for seven days, how busy it is then, and the quietest half hour ahead."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from scheduled_tasks.page.reads import forecast as ahead
from scheduled_tasks.page.view import View, viewing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KEPT_FOR = timedelta(minutes=10)
SHADES = 5


class Square(NamedTuple):
    """An hour of the grid: how many runs start, how busy it is, and its shade from 0 to SHADES."""

    at: datetime
    starts: int
    busy: float
    shade: int


class _Kept(NamedTuple):
    catalog: object
    at: datetime
    week: list[ahead.HourAhead]
    quiet: ahead.Quiet


_lock = threading.Lock()
_kept: _Kept | None = None


def forecast(request: Request) -> Response:
    """The screen."""
    with viewing(request) as view:
        kept = _computed(view)
        zone = ZoneInfo(view.times.zone_name)
        most = max((hour.busy for hour in kept.week), default=0.0)
        days: dict[date, dict[int, Square]] = {}
        for hour in kept.week:
            local = hour.at.astimezone(zone)
            shade = 0 if not hour.busy else 1 + min(int((SHADES - 1) * hour.busy / most), SHADES - 1)
            days.setdefault(local.date(), {})[local.hour] = Square(hour.at, hour.starts, hour.busy, shade)
        return view.render("forecast", title="Forecast", days=days, quiet=kept.quiet, shifts=_shifts(days, zone))


def _computed(view: View) -> _Kept:
    """The forecast, computed again if it is older than ten minutes, or another catalog's."""
    global _kept  # noqa: PLW0603 - one of a process
    with _lock:
        kept = _kept
        if (
            kept is None
            or kept.catalog is not view.catalog
            or view.now - kept.at > KEPT_FOR
            or kept.quiet.at < view.now
        ):
            found = ahead.groups(view.connection, view.catalog, view.now)
            _kept = kept = _Kept(view.catalog, view.now, ahead.week(found, view.now), ahead.quietest(found, view.now))
        return kept


def _shifts(days: dict[date, dict[int, Square]], zone: ZoneInfo) -> list[date]:
    """The days on which the clocks of the zone change."""

    def offset(day: date) -> timedelta | None:
        return datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset()

    return [day for day in days if offset(day) != offset(day + timedelta(days=1))]
