"""The screens that list rows: flags, pauses, hosts, incidents and changes."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from scheduled_tasks.alert import incident_rows
from scheduled_tasks.instants import parse
from scheduled_tasks.operate import feature_flags, pauses
from scheduled_tasks.operate.account import HOST_TIMEOUT
from scheduled_tasks.page.reads.changes import changes as read_changes
from scheduled_tasks.page.reads.notices import told
from scheduled_tasks.page.view import View, viewing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PAGE = 100
PAUSES_OF = 50  # that have ended
# The page has no clock files and no enum: it shows the flags that the table has.
_UNDECLARED = Enum("_UNDECLARED", {})  # type: ignore[misc] # an enum without members


def flags(request: Request) -> Response:
    """The flags, and the last changes of them."""
    with viewing(request) as view:
        known = feature_flags.list_flags(view.connection, _UNDECLARED)
        history = feature_flags.history(view.connection, limit=PAGE)
        return view.render("flags", title="Flags", flags=known, history=history)


def pauses_screen(request: Request) -> Response:
    """The active pauses, and the last ones that ended."""
    with viewing(request) as view:
        ended = view.connection.execute(
            "SELECT clock, job, host, paused_at, paused_by, reason, coalesce(resumed_at, until), resumed_by,"
            " resume_reason FROM pause"
            " WHERE resumed_at IS NOT NULL OR until <= %s ORDER BY id DESC LIMIT %s",
            [view.now, PAUSES_OF],
        ).fetchall()
        return view.render("pauses", title="Pauses", active=pauses.active(view.connection, view.now), ended=ended)


def hosts(request: Request) -> Response:
    """The hosts: heartbeat, release, jobs, account and problems."""
    with viewing(request) as view:
        rows = view.connection.execute(
            "SELECT name, heartbeat_at, heartbeats_since, accounted_until, release, booted_at, problems,"
            " (SELECT count(*) FROM deployed_job WHERE host = name AND valid_until IS NULL) FROM host ORDER BY name"
        ).fetchall()
        return view.render("hosts", title="Hosts", hosts=rows, timeout=HOST_TIMEOUT)


def incidents(request: Request) -> Response:
    """The open incidents, and the last ones that were closed."""
    with viewing(request) as view:
        found = incident_rows.incidents(view.connection, limit=PAGE * 2)
        unsent = view.connection.execute(
            "SELECT count(*) FROM notice WHERE sent_at IS NULL AND dropped IS NULL AND due_at < %s", [view.now]
        ).fetchall()[0][0]
        opened = [one for one in found if one.is_open]
        closed = [one for one in found if not one.is_open][:PAGE]
        return view.render(
            "incidents",
            title="Incidents",
            opened=opened,
            closed=closed,
            unsent=unsent,
            told=told(view.connection, [one.id for one in opened]),
        )


def changes(request: Request) -> Response:
    """The changes, newest first; a page begins where the last one ended."""
    with viewing(request) as view:
        before = _before(request, view)
        found = read_changes(view.connection, before, PAGE + 1)
        following = found[PAGE - 1].at if len(found) > PAGE else None
        return view.render("changes", title="Changes", changes=found[:PAGE], following=following)


def _before(request: Request, view: View) -> datetime:
    try:
        return parse(request.query_params.get("before", ""))
    except ValueError:
        return view.now
