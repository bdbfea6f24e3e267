"""Compose a message: the facts of its incidents, in the templates of this room as text and HTML, and as JSON.

Comes in: a delivery of the outbox. Goes out: the message that a route sends. A message about one incident has all its
facts; one about several lists them, each with its reason and the command to run next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.incidents import OF_RESULTS, Delivery, Incident, Kind, What
from scheduled_tasks.alert.message import words
from scheduled_tasks.alert.message.facts import Facts, facts_of
from scheduled_tasks.alert.message.message import Message, Severity, severity_of
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.masking import mask
from scheduled_tasks.operate.on_call.run_logs import readable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.run.database import Connection

TEMPLATES = Path(__file__).with_name("templates")
MAX_LISTED = 20  # incidents of one message that are listed, the last ones
MAX_LOG_LINES = 60  # as people read them: an error has a line for each of its frames
FLAPPING = "It changed more than six times in 24 hours. Further changes come in a digest, once a day."


def compose(connection: Connection, delivery: Delivery, settings: NotifySettings, now: datetime) -> Message:
    """Compose the message of a delivery."""
    incidents = [*{incident.id: incident for incident in delivery.incidents}.values()]
    listed = incidents[-MAX_LISTED:]
    known = [facts_of(connection, incident, now, page_url=settings.page_url) for incident in listed]
    subject = words.subject(incidents, delivery.what, now, is_lost=known[-1].is_lost)
    severity = _severity(incidents)
    view = _view(known, delivery.what, now) | {
        "subject": subject,
        "severity": severity,
        "left_out": len(incidents) - len(listed),
    }
    text = _environment().get_template("message.txt.j2").render(view)
    html = _environment().get_template("message.html.j2").render(view)
    incidents_as_json = [_as_json(facts) for facts in known]
    return Message(delivery.id, str(delivery.what), severity, subject, text, html, now, incidents_as_json)


def _severity(incidents: Sequence[Incident]) -> Severity:
    severities = {severity_of(incident.kind) for incident in incidents if incident.is_open}
    return "critical" if "critical" in severities else "warning" if severities else "ok"


def _view(known: Sequence[Facts], what: What, now: datetime) -> dict[str, Any]:
    """What the templates show."""
    if len(known) > 1 or what == What.DIGEST:
        return {"facts": [], "paragraph": "", "listed": [_entry(facts, what, now) for facts in known]}
    [facts] = known
    return {
        "paragraph": FLAPPING if what == What.FLAPPING else "",
        "facts": list(_facts(facts)),
        "changes": facts.changes,
        "last_good": _worked(facts.last_good, facts.times) if facts.last_good else "",
        "means": facts.means,
        "do": facts.do,
        "log": _log(facts),
    }


def _entry(facts: Facts, what: What, now: datetime) -> dict[str, Any]:
    said = What.OPENED if what == What.DIGEST else what
    return {
        "sentence": words.sentence(facts.incident, said, now, is_lost=facts.is_lost),
        "reason": facts.reason.partition("\n")[0] if facts.incident.is_open else "",
        "commands": facts.commands,
    }


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Names and values, as a table of the message."""
    incident, times, run = facts.incident, facts.times, facts.run
    if incident.kind in OF_RESULTS and incident.is_open:
        yield "slot" if run is None or run.slot_host is not None else "started", times.both(incident.last_at)
    if facts.reason and incident.is_open:
        yield "reason", facts.reason
    if run and run.exit_code and incident.is_open:
        yield "exit code", str(run.exit_code)
    host = (run.host if run else "") or incident.run_host or incident.host
    if host and incident.job:
        yield "host", host
    if incident.first_at < incident.last_at or incident.kind not in OF_RESULTS:
        yield "since", times.relative(incident.first_at)
    if incident.closed_at:
        yield "until", times.relative(incident.closed_at)
        if incident.close_reason:
            yield "because", incident.close_reason
    if facts.task:
        yield "next run", f"none: paused {facts.paused}" if facts.paused else _next(facts)
    named = ("task", facts.task), ("owner", facts.owner), ("runbook", facts.runbook), ("page", facts.page)
    yield from ((name, value) for name, value in named if value)
    yield "incident", _incident(incident)


def _log(facts: Facts) -> list[str]:
    return readable(facts.log_lines, facts.times.zone_name)[-MAX_LOG_LINES:]


def _next(facts: Facts) -> str:
    return facts.times.relative(facts.next_run) if facts.next_run else "none"


def _incident(incident: Incident) -> str:
    """Its number, by which it is acknowledged, and its kind."""
    named = f"{incident.id}, {incident.kind}"
    return f"{named}; once you have seen it: clocks ack {incident.id} --reason …" if incident.is_open else named


def _worked(run: RunRow, times: words.Times) -> str:
    at = run.scheduled_at if run.slot_host is not None and run.scheduled_at else run.started_at
    return times.relative(at)


def _as_json(facts: Facts) -> dict[str, Any]:
    """An incident for programs; missing values are null."""
    incident = facts.incident
    return {
        "id": incident.id,
        "kind": str(incident.kind),
        "clock": incident.clock or None,
        "job": incident.job or None,
        "host": incident.host or None,
        "owner": facts.owner or None,
        "task": facts.task or None,
        "opened_at": rfc3339(incident.opened_at),
        "first_at": rfc3339(incident.first_at),
        "last_at": rfc3339(incident.last_at),
        "closed_at": _instant(incident.closed_at),
        "close_reason": incident.close_reason or None,
        "bad": incident.bad,
        "missed": incident.missed,
        "reason": facts.reason or None,
        "zone": facts.times.zone_name,
        "run": _run_as_json(facts.run) if facts.run and incident.kind != Kind.MISSED else None,
        "last_good_at": _instant(facts.last_good.ended_at) if facts.last_good else None,
        "next_run": _instant(facts.next_run),
        "paused": facts.paused or None,
        "changes": list(facts.changes),
        "means": facts.means or None,
        "do": facts.do or None,
        "commands": facts.commands,
        "log_lines": _log(facts),
        "runbook": facts.runbook or None,
        "page": facts.page or None,
    }


def _run_as_json(run: RunRow) -> dict[str, Any]:
    return {
        "id": str(run.run_id),
        "host": run.host or None,
        "status": run.status,
        "attempt": run.attempt,
        "exit_code": run.exit_code,
        "error_type": run.error_type,
        "error_message": run.error_message and mask(run.error_message),
        "started_at": rfc3339(run.started_at),
        "ended_at": _instant(run.ended_at),
        "release": run.release,
    }


def _instant(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": _code, "with_code": _with_code}
    return environment


def _with_code(text: str) -> Markup:
    """A text in which what is in backticks is code."""
    from markupsafe import Markup

    parts = (_code(part) if number % 2 else Markup.escape(part) for number, part in enumerate(text.split("`")))
    return Markup("").join(parts)


# One click selects the whole command. A line is broken between words, not at their hyphens, unless a word is longer.
CODE = (
    "font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px; user-select: all; -webkit-user-select: all"
)
WORD = "display: inline-block; max-width: 100%; overflow-wrap: anywhere"


def _code(text: str) -> Markup:
    """A command, as code."""
    from markupsafe import Markup

    words = (
        Markup('<span style="{}">{}</span>').format(WORD, word) if "-" in word else word for word in text.split(" ")
    )
    return Markup('<code style="{}">{}</code>').format(CODE, Markup(" ").join(words))
