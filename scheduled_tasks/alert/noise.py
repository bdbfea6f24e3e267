"""Decide what becomes of the pending notices: which are sent in one message, held for later, or dropped. Pure.

Input is each pending notice with what the database knows about its incident, and an instant; output are the messages to
send, what is held until when, and what is dropped and why. docs/decisions/0028-incidents.md has the rules.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from scheduled_tasks.alert.incidents import Delivery, Incident, Kind, Notice, What

K = TypeVar("K", bound=Hashable)

MIN_GROUP = 5  # incidents of one clock or host with one cause become one message
MAX_CHANGES = 6  # of one incident in FLAPPING_PERIOD: with more it is flapping
FLAPPING_PERIOD = timedelta(days=1)
STILL_AFTER = (timedelta(hours=1), timedelta(hours=4))
STILL_EVERY = timedelta(days=1)
# While a host is silent its jobs' notices wait, and after it for its timers to catch up.
SILENCE_CHECK, CATCH_UP_TIME = timedelta(minutes=5), timedelta(minutes=10)
SILENCE_KNOWN = timedelta(days=1)  # for how long an ended silence explains what opened in it
PAUSE_CHECK = timedelta(hours=1)
GROUPING_TIME = timedelta(seconds=10)  # from a notice to its due time, so that what breaks at once is told at once
ORDER_CHECK = timedelta(seconds=30)  # after which a notice looks again whether the one before it has been sent

QUIET, FLAPPING = "quiet hours", "flapping"  # how `held` begins
_QUIET = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_VARYING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+")  # parts of a reason that differ for one cause


@dataclass(frozen=True)
class Pending:
    """A pending notice, with its incident and what decides about it.

    Attributes:
        notice, incident: what is to be said, and about what.
        routes: the names of its routes, in order; empty if nobody is to be told.
        quiet, zone: the job's quiet hours (`22:00-07:00`) and their time zone; "" for none.
        is_paused: whether the job is paused on all of its hosts.
        silence_ends: if all of its hosts are silent, or were in the last day: when that ended, or a far future if it
            continues. None otherwise.
        silent_host: one of them.
        opened: the notice that it was opened, if that is pending too.
        opened_dropped: why that was dropped; "" if it wasn't.
        changes: how often the incident's subject was opened or closed in FLAPPING_PERIOD.
        flapping_since: when it was last told that it is flapping, in that period.
    """

    notice: Notice
    incident: Incident
    routes: tuple[str, ...] = ()
    quiet: str = ""
    zone: str = "UTC"
    is_paused: bool = False
    silence_ends: datetime | None = None
    silent_host: str = ""
    opened: Notice | None = None
    opened_dropped: str = ""
    changes: int = 0
    flapping_since: datetime | None = None

    @property
    def subject(self) -> tuple[str, ...]:
        """What the incident is about, over its closing and opening again."""
        incident = self.incident
        kind = Kind.FAILING if incident.kind is Kind.MISSED else incident.kind
        return kind, incident.clock, incident.job, incident.host


@dataclass(frozen=True)
class Hold:
    """A notice that becomes due later; `why` if it is then part of a digest."""

    notice: UUID
    until: datetime
    why: str = ""


@dataclass(frozen=True)
class Drop:
    """A notice that is never sent, and why."""

    notice: UUID
    why: str


@dataclass
class Decisions:
    """What becomes of the pending notices; `deliveries` the most urgent first."""

    deliveries: list[Delivery] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)


def decide(pending: Sequence[Pending], now: datetime) -> Decisions:
    """Decide about notices that are due at an instant, or a moment later: those only join another's message."""
    decisions = Decisions()
    send: list[Pending] = []
    flapping: dict[tuple[str, ...], list[Pending]] = defaultdict(list)
    untold: dict[int, str] = {}  # incidents whose opening is dropped now
    for one in sorted(pending, key=lambda one: (one.notice.what is What.CLOSED, one.notice.due_at, one.incident.id)):
        is_end = one.notice.what is What.CLOSED
        verdict = Drop(one.notice.id, why) if is_end and (why := untold.get(one.incident.id)) else _verdict(one, now)
        match verdict:
            case Hold():
                decisions.holds.append(verdict)
            case Drop():
                decisions.drops.append(verdict)
                if one.notice.what is What.OPENED:
                    untold[one.incident.id] = verdict.why
            case What.FLAPPING:
                flapping[one.subject].append(one)
            case _:
                send.append(one)
    deliveries = [_delivery(What.FLAPPING, carried) for carried in flapping.values()]
    deliveries += _digests([one for one in send if one.notice.held])
    deliveries += _groups([one for one in send if not one.notice.held])
    due = [delivery for delivery in deliveries if any(notice.due_at <= now for notice in delivery.notices)]
    decisions.deliveries = sorted(due, key=lambda delivery: (delivery.notices[0].due_at, delivery.incidents[0].id))
    return decisions


def _delivery(what: What, carried: Sequence[Pending]) -> Delivery:
    """One message for some notices, the first of which leads."""
    notices = tuple(one.notice for one in carried)
    return Delivery(notices[0].id, what, tuple(one.incident for one in carried), notices, carried[0].routes)


def _verdict(one: Pending, now: datetime) -> Hold | Drop | What:
    """What becomes of a notice by itself: held, dropped, or what its message says."""
    if why := _needless(one, now):
        return Drop(one.notice.id, why)
    if hold := _hold(one, now):
        return hold
    if one.notice.held or one.notice.what is What.STILL or one.changes <= MAX_CHANGES:
        return one.notice.what
    return What.FLAPPING


def _needless(one: Pending, now: datetime) -> str:
    """Why a notice says nothing that anybody needs; "" if somebody does."""
    notice, incident = one.notice, one.incident
    if not one.routes:
        return "no route is configured"
    if notice.what is What.CLOSED and not one.opened:
        return f"not told before: {one.opened_dropped}" if one.opened_dropped else ""
    if incident.is_open:
        return f"acknowledged by {incident.acked_by}" if incident.acked_at and notice.what is not What.CLOSED else ""
    if notice.what is What.STILL:
        return "closed meanwhile"
    return _ended_untold(one, now)


def _ended_untold(one: Pending, now: datetime) -> str:
    """Why nobody needs to know of an incident that is over; "" if somebody does."""
    notice, incident = one.notice, one.incident
    if incident.snoozed_until and incident.snoozed_until > notice.created_at:
        return f"closed while snoozed by {incident.snoozed_by}"
    if _is_of_silence(one) and one.silence_ends and one.silence_ends <= now - CATCH_UP_TIME:
        return f"the host {one.silent_host} was silent"
    return ""


def _is_of_silence(one: Pending) -> bool:
    """Whether a notice is about what began while all hosts of its job were silent."""
    return one.silence_ends is not None and one.incident.opened_at <= one.silence_ends


def _hold(one: Pending, now: datetime) -> Hold | None:
    """Until when a notice is held, and whether it is then part of a digest; None if it is not held."""
    notice, incident = one.notice, one.incident
    until, why = None, ""
    is_end = notice.what is What.CLOSED
    if is_end and one.opened and (waiting := _wait_for_opening(one.opened, now)):
        until, why = waiting, one.opened.held
    elif notice.what is What.STILL and one.is_paused:
        until = now + PAUSE_CHECK
    elif one.flapping_since and not notice.held and (notice.what is What.STILL or one.changes > MAX_CHANGES):
        until, why = one.flapping_since + FLAPPING_PERIOD, "" if notice.what is What.STILL else FLAPPING
    elif is_end and not one.opened:
        pass  # the end of what was told
    elif incident.is_open and incident.snoozed_until and incident.snoozed_until > now:
        until = incident.snoozed_until
    elif _is_of_silence(one) and one.silence_ends and one.silence_ends > now - CATCH_UP_TIME:
        until = now + SILENCE_CHECK
    if until is None and one.quiet and not notice.held and (ends := end_of_quiet(one.quiet, one.zone, now)):
        until, why = ends, f"{QUIET} {one.quiet}"
    return Hold(notice.id, until, why) if until else None


def _wait_for_opening(opened: Notice, now: datetime) -> datetime | None:
    """Until when the end of an incident waits for the notice of its beginning; None if both can go out now."""
    if opened.tries:
        return now + ORDER_CHECK
    return opened.due_at if opened.due_at > now + GROUPING_TIME else None


def end_of_quiet(quiet: str, zone: str, now: datetime) -> datetime | None:
    """When the quiet hours end in which an instant lies; None if it lies in none, or they are not HH:MM-HH:MM."""
    if not (found := _QUIET.fullmatch(quiet)):
        return None
    first, last = _minutes(*found.groups()[:2]), _minutes(*found.groups()[2:])
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    is_quiet = first <= minute < last if first <= last else minute >= first or minute < last
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=minute >= last)
    return datetime(day.year, day.month, day.day, *divmod(last, 60), tzinfo=local.tzinfo)


def _minutes(hour: str, minute: str) -> int:
    """The minutes since midnight."""
    return int(hour) % 24 * 60 + int(minute)


def next_still(opened_at: datetime, now: datetime) -> datetime:
    """When to say again that an incident continues: after 1 h, 4 h, and then daily."""
    age = now - opened_at
    for after in STILL_AFTER:
        if age < after:
            return opened_at + after
    return opened_at + (age // STILL_EVERY + 1) * STILL_EVERY


def cause(incident: Incident) -> str:
    """What incidents with one cause have in common: their kind, and their reason without numbers and ids."""
    return f"{incident.kind} {_VARYING.sub('#', incident.reason.lower())}"


def _digests(held: Iterable[Pending]) -> list[Delivery]:
    """One message for all that was held and goes the same way; a single notice needs no digest."""
    together = _by(held, lambda one: one.routes)
    return [
        _delivery(What.DIGEST if len(carried) > 1 else carried[0].notice.what, carried) for carried in together.values()
    ]


def _groups(send: Sequence[Pending]) -> list[Delivery]:
    """One message for MIN_GROUP or more incidents of one clock, or else of one host, with one cause; others alone."""
    deliveries: list[Delivery] = []
    rest = list(send)
    for of_one in (lambda one: one.incident.clock, lambda one: one.incident.host or one.incident.run_host):
        key = _grouping(of_one)
        groups = [carried for name, carried in _by(rest, key).items() if name[-1] and len(carried) >= MIN_GROUP]
        deliveries += [_delivery(carried[0].notice.what, carried) for carried in groups]
        grouped = {one.notice.id for one in chain.from_iterable(groups)}
        rest = [one for one in rest if one.notice.id not in grouped]
    return deliveries + [_delivery(one.notice.what, [one]) for one in rest]


def _grouping(of_one: Callable[[Pending], str]) -> Callable[[Pending], tuple[What, tuple[str, ...], str, str]]:
    return lambda one: (one.notice.what, one.routes, cause(one.incident), of_one(one))


def _by(items: Iterable[Pending], key: Callable[[Pending], K]) -> Mapping[K, list[Pending]]:
    found: dict[K, list[Pending]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found
