"""How the importer knows a value: read in the file, APScheduler's default, or assumed in place of what isn't known.

Code is written from facts only, and a job's outcome follows from their evidence: what was assumed is a difference,
whatever it is about. So nothing that was assumed can be imported "exactly".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.errors import UsageError
from scheduled_tasks.importers.apscheduler.model import (
    UNKNOWN,
    Scheduler,
    TriggerObject,
    UnknownValue,
    Value,
    is_plain,
    why_unknown,
)
from scheduled_tasks.importers.apscheduler.vocabulary import UNREAD
from scheduled_tasks.importers.request import ImportRequest
from scheduled_tasks.schedule.zone import zone_name

NAME_IT = "if it is another, write it into the clock or the job"
Evidence = Enum("Evidence", ["READ", "DEFAULTED", "ASSUMED"])


@dataclass(frozen=True)
class Fact:
    """A value, how it is known, and of an assumed one the sentence for the report.

    `kind` is the difference's word for programs.
    """

    value: Any
    evidence: Evidence = Evidence.READ
    why: str = ""
    kind: str = "assumed"
    instead: str = ""

    def differences(self) -> tuple[Difference, ...]:
        """The difference that an assumed value is; nothing for any other."""
        if self.evidence is not Evidence.ASSUMED:
            return ()
        return (Difference(self.kind, self.why, instead=self.instead),)


@dataclass(frozen=True)
class Zones:
    """The zone of the clock, and the one of the hosts that it ran on."""

    clock: Fact
    host: Fact


def settle(name: str, value: Value) -> tuple[Value, list[Fact]]:
    """Put what can stand in for unknown values in their place; return the value and the facts that are assumed now."""
    if isinstance(value, UnknownValue):
        if value.stand_in is UNKNOWN or value.stand_in is None:
            return value, []
        why = f"{name}: {value.text} depends on {value.why}: taken as {value.stand_in!r}"
        return value.stand_in, [Fact(value.stand_in, Evidence.ASSUMED, why)]
    if isinstance(value, TriggerObject):
        fields, facts = settle(name, value.fields)
        parts, more = settle(name, value.parts)
        return replace(value, fields=fields, parts=parts), [*facts, *more]
    if isinstance(value, dict):
        settled = {key: settle(str(key), item) for key, item in value.items()}
        return {key: item for key, (item, _) in settled.items()}, [
            fact for _, facts in settled.values() for fact in facts
        ]
    if isinstance(value, list | tuple) and not is_plain(value):
        items = [settle(name, item) for item in value]
        values = [item for item, _ in items]
        return tuple(values) if isinstance(value, tuple) else values, [fact for _, facts in items for fact in facts]
    return value, []


def stand_in(value: Value) -> Value:
    """What can stand in for a value: itself if it is known; UNKNOWN if nothing can."""
    if isinstance(value, UnknownValue):
        return value.stand_in
    return value if is_plain(value) else UNKNOWN


def zones_of(scheduler: Scheduler, set_zone: Value, request: ImportRequest, shown_path: str) -> Zones:
    """The zone of a scheduler, and the one of its hosts, which the file can set by the variable TZ.

    Raises:
        UsageError: no zone is known that could be assumed.
    """
    host = _zone_of_hosts(set_zone, request)
    given = scheduler.settings.get("timezone")
    zone = zone_name(given) if given is not None and not isinstance(given, UnknownValue) else None
    if zone is not None:
        return Zones(Fact(zone), host if host.value else Fact(zone, Evidence.ASSUMED, _no_host(zone), "zone"))
    if why := _why_unread(scheduler, given):
        likely = given.stand_in if isinstance(given, UnknownValue) and isinstance(given.stand_in, str) else host.value
        if not likely:
            raise UsageError(f"{shown_path}: the scheduler's timezone isn't known ({why}): give it with --timezone")
        text = f"the zone could not be read: {why}: taken as {likely}"
        return Zones(Fact(likely, Evidence.ASSUMED, text, "zone", NAME_IT), host)
    if not host.value:
        problem = "the scheduler has no timezone, so it used the host's"
        raise UsageError(f"{shown_path}: {problem}: give that with --timezone, for example --timezone Europe/Paris")
    return Zones(host, host)


def _zone_of_hosts(set_zone: Value, request: ImportRequest) -> Fact:
    if set_zone is not None:
        zone = set_zone if isinstance(set_zone, str) else request.timezone
        text = f"the file sets the variable TZ, the zone of its process: taken as {zone}"
        return Fact(zone, Evidence.ASSUMED, text, "zone", NAME_IT)
    if request.is_zone_given or not request.timezone:
        return Fact(request.timezone, Evidence.DEFAULTED)
    text = f"it has the zone of the hosts that it ran on, taken to be the configured one, {request.timezone}"
    return Fact(request.timezone, Evidence.ASSUMED, text, "zone", "import with --timezone and the zone of those hosts")


def _no_host(zone: str) -> str:
    return f"it has the zone of the hosts that it ran on, taken to be the scheduler's, {zone}"


def _why_unread(scheduler: Scheduler, given: Value) -> str:
    """Why a scheduler's zone isn't known; "" if it is known that it has none of its own."""
    if given is not None:
        return why_unknown(given) or f"timezone={given!r} has no name"
    if UNREAD in scheduler.settings:
        return why_unknown(scheduler.settings[UNREAD])
    return scheduler.unread


def assumed_settings(scheduler: Scheduler) -> tuple[Fact, ...]:
    """What is assumed of a scheduler besides its zone: that its jobs have APScheduler's defaults."""
    why = scheduler.unread
    if UNREAD in scheduler.settings:
        why = why_unknown(scheduler.settings[UNREAD])
    defaults = scheduler.settings.get("job_defaults")
    if defaults is not None and not (isinstance(defaults, dict) and is_plain(defaults)):
        why = why_unknown(defaults)
    if not why:
        return ()
    likely = stand_in(defaults) if defaults is not None else UNKNOWN
    text = f"{why}: its job_defaults are taken to be {likely if isinstance(likely, dict) else 'those of APScheduler'}"
    return (Fact(None, Evidence.ASSUMED, text, "defaults"),)
