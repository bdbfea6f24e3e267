"""The reader's time zone: a form that keeps the choice in a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from zoneinfo import available_timezones

from starlette.responses import RedirectResponse

from scheduled_tasks.page.view import ZONE_COOKIE, is_zone, viewing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

YEAR = 365 * 86400  # seconds


def zone(request: Request) -> Response:
    """The form."""
    with viewing(request) as view:
        return view.render("zone", title="Time zone", zones=sorted(available_timezones()), project=view.site.zone)


async def choose(request: Request) -> Response:
    """Keep the choice."""
    fields = parse_qs((await request.body()).decode("utf-8", errors="replace"))
    chosen = fields.get("zone", [""])[0].strip()
    answer = RedirectResponse("/" if is_zone(chosen) else "/zone", 303)
    if is_zone(chosen):
        answer.set_cookie(ZONE_COOKIE, chosen, max_age=YEAR, httponly=True, samesite="strict")
    return answer
