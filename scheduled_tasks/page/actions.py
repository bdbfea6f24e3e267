"""What a person's forms do: pause and resume, switch a flag, acknowledge, and requests to hosts.

A form comes in, with a reason; rows go out through the same functions as those of the commands. Who may is asked of the
actor for the very clock, owner or flag that the form names. The answer leads back to where the form was, or to the
request, which says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse

from scheduled_tasks.alert import incident_rows
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import parse
from scheduled_tasks.operate import feature_flags, pauses
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.page.view import View, viewing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.run.database import Connection

MAX_REASON = 2000
# How long a pause, a switch or a snooze can hold, by the value in the form; "" for no end.
LENGTHS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "24h": timedelta(days=1), "7d": timedelta(days=7)}
Fields = Mapping[str, str]


class NotAllowedError(Exception):
    """The actor may not do this."""


async def act(request: Request) -> Response:
    """Do what a form says."""
    body = (await request.body()).decode("utf-8", errors="replace")
    fields = {name: value.strip() for name, value in parse_qsl(body, keep_blank_values=True)}
    return await run_in_threadpool(_act, request, fields)


def _act(request: Request, fields: Fields) -> Response:
    action = ACTIONS.get(request.path_params["kind"])
    if action is None:
        return PlainTextResponse("there is no such action\n", 404)
    back = fields.get("back", "/")
    if not back.startswith("/") or back.startswith(("//", "/\\")):
        back = "/"  # never to another site
    with viewing(request) as view:
        try:
            _require_reason(fields)
            with view.site.database.writing() as connection:
                leads_to = action(view, connection, fields)
        except NotAllowedError as error:
            return view.render("refused", status=403, title="Not allowed", why=str(error), back=back)
        except (UsageError, ValueError) as error:
            return view.render("refused", status=409, title="Not done", why=str(error), back=back)
    return RedirectResponse(leads_to or back, 303)


def _require_reason(fields: Fields) -> None:
    if not fields.get("reason"):
        raise UsageError("a reason is missing: say why, for colleagues")


def _reason(fields: Fields) -> str:
    return fields["reason"][:MAX_REASON]


def _until(view: View, fields: Fields) -> datetime | None:
    length = LENGTHS.get(fields.get("for", ""))
    return view.now + length if length else None


def _job(view: View, fields: Fields) -> tuple[str, str]:
    """The job that a form names, if the actor may act on it."""
    clock, job = fields.get("clock", ""), fields.get("job", "")
    _require(view.may(clock, job), f"act on {clock}/{job}" if job else f"act on {clock or 'all clocks'}")
    return clock, job


def _require(allowed: bool, what: str) -> None:  # noqa: FBT001 - the answer of a question
    if not allowed:
        raise NotAllowedError(f"You may not {what}: your name is in none of its lists in the configuration ([page]).")


def _pause(view: View, connection: Connection, fields: Fields) -> str:
    clock, job = _job(view, fields)
    scope = Scope(clock or None, job or None, fields.get("host") or None)
    new = Pause(scope, view.now, view.actor.name, _reason(fields), _until(view, fields))
    if not pauses.pause(connection, new):
        raise UsageError(f"{scope} is paused already: its pause stays as it is")
    return ""


def _resume(view: View, connection: Connection, fields: Fields) -> str:
    clock, job = _job(view, fields)
    scope = Scope(clock or None, job or None, fields.get("host") or None)
    if not pauses.resume(connection, scope, by=view.actor.name, at=view.now, reason=_reason(fields)):
        raise UsageError(f"{scope} is not paused by a pause of the database: it may have been resumed")
    return ""


def _switch(view: View, connection: Connection, fields: Fields) -> str:
    _require(view.actor.is_admin, "switch flags")
    feature_flags.set_active(
        connection,
        fields["flag"],
        active=fields.get("active") == "yes",
        actor=view.actor.name,
        reason=_reason(fields),
        until=_until(view, fields),
    )
    return ""


def _incident(view: View, connection: Connection, fields: Fields) -> int:
    """The incident that a form names, if the actor may act on its job; on a host's, whoever may act on anything."""
    number = int(fields["incident"])
    incident = incident_rows.find(connection, number)
    allowed = view.may(incident.clock, incident.job) if incident.job else view.actor.is_operator
    _require(allowed, f"act on {incident.name}")
    return number


def _ack(view: View, connection: Connection, fields: Fields) -> str:
    number = _incident(view, connection, fields)
    incident_rows.acknowledge(connection, number, by=view.actor.name, reason=_reason(fields), at=view.now)
    return ""


def _snooze(view: View, connection: Connection, fields: Fields) -> str:
    number, until = _incident(view, connection, fields), _until(view, fields)
    if until is None:
        raise UsageError("for how long is missing")
    incident_rows.snooze(connection, number, until, by=view.actor.name, reason=_reason(fields))
    return ""


def _ask(kind: request_rows.Kind) -> Callable[[View, Connection, Fields], str]:
    """Ask a host to do something; leads to the request."""

    def ask(view: View, connection: Connection, fields: Fields) -> str:
        clock, job = _job(view, fields)
        values: dict[str, Any] = {"host": fields.get("host") or None}
        for name in ("slot", "until_slot"):
            if fields.get(name):
                values[name] = parse(fields[name], zone=view.times.zone)
        if fields.get("run_id"):
            values["run_id"] = UUID(fields["run_id"])
        wanted = request_rows.Ask(kind, clock, job, _reason(fields), **values)
        number = request_rows.ask(connection, wanted, by=view.actor.name)
        return f"/request/{number}"

    return ask


ACTIONS: Mapping[str, Callable[[View, Connection, Fields], str]] = {
    "pause": _pause, "resume": _resume, "switch": _switch, "ack": _ack, "snooze": _snooze,
    "run": _ask("run"), "stop": _ask("stop"), "backfill": _ask("backfill"), "log": _ask("log"),
}  # fmt: skip
