"""What is sent, held and dropped, by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from scheduled_tasks.alert.incidents import Incident, Kind, Notice, What
from scheduled_tasks.alert.noise import Pending, decide, end_of_quiet, next_still

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def pending(
    number: int = 1, what: What = What.OPENED, *, due_at: datetime = NOW, held: str = "", tries: int = 0, **facts: Any
) -> Pending:
    """A notice about the job `sell1`, `sell2`, … of the shop; its incident was opened a minute ago."""
    incident = Incident(
        number, Kind.FAILING, "shop", f"sell{number}", "", "app1", NOW - MINUTE, NOW - MINUTE, NOW - MINUTE,
        reason=f"exit code {number}",
    )  # fmt: skip
    if what is What.CLOSED:
        incident = replace(incident, closed_at=NOW)
    of_incident = {key: facts.pop(key) for key in list(facts) if hasattr(incident, key)}
    notice = Notice(UUID(int=number * 10 + list(What).index(what)), number, what, NOW - MINUTE, due_at, held, tries)
    return Pending(notice, replace(incident, **of_incident), **{"routes": ("ops",), **facts})


def outcome(*given: Pending, now: datetime = NOW) -> list[str]:
    """What becomes of notices: each message with the incidents that it carries, each hold and drop."""
    done = decide(given, now)
    names = {one.notice.id: one.incident.id for one in given}
    messages = [
        f"{delivery.what} {' '.join(str(incident.id) for incident in delivery.incidents)}"
        for delivery in done.deliveries
    ]
    holds = [f"hold {names[hold.notice]} {hold.until - now} {hold.why}".strip() for hold in done.holds]
    return [*messages, *holds, *(f"drop {names[drop.notice]}: {drop.why}" for drop in done.drops)]


def test_single_notices_are_messages_of_their_own() -> None:
    assert outcome(pending(1), pending(2, What.CLOSED)) == ["opened 1", "closed 2"]


def test_five_of_one_clock_with_one_cause_are_one_message() -> None:
    assert outcome(*map(pending, range(1, 5))) == ["opened 1", "opened 2", "opened 3", "opened 4"]
    assert outcome(*map(pending, range(1, 6))) == ["opened 1 2 3 4 5"]
    other = pending(9, reason="no route to host")
    assert outcome(*map(pending, range(1, 6)), other) == ["opened 1 2 3 4 5", "opened 9"]


def test_five_of_one_host_with_one_cause_are_one_message() -> None:
    of_clocks = [pending(number, clock=f"clock{number}") for number in range(1, 6)]
    assert outcome(*of_clocks) == ["opened 1 2 3 4 5"]
    assert len(outcome(*(pending(n, clock=f"clock{n}", run_host=f"app{n}") for n in range(1, 6)))) == 5


def test_other_routes_are_other_messages() -> None:
    assert len(outcome(*map(pending, range(1, 5)), pending(5, routes=("night",)))) == 5


def test_what_is_due_in_a_moment_joins_but_is_not_sent_alone() -> None:
    later = pending(5, due_at=NOW + timedelta(seconds=5))
    assert outcome(*map(pending, range(1, 5)), later) == ["opened 1 2 3 4 5"]
    assert outcome(later) == []


def test_without_a_route_it_is_dropped() -> None:
    assert outcome(pending(1, routes=())) == ["drop 1: no route is configured"]


def test_more_than_six_changes_a_day_are_flapping_and_then_a_digest() -> None:
    assert outcome(pending(1, changes=6)) == ["opened 1"]
    assert outcome(pending(1, changes=7)) == ["flapping 1"]
    since = NOW - HOUR
    assert outcome(pending(1, What.CLOSED, changes=8, flapping_since=since)) == ["hold 1 23:00:00 flapping"]
    assert outcome(pending(1, What.STILL, flapping_since=since)) == ["hold 1 23:00:00"]
    ends = [pending(1, held="flapping"), pending(1, What.CLOSED, held="flapping", changes=9)]
    assert outcome(*ends) == ["digest 1 1"]


def test_quiet_hours_hold_and_one_digest_follows() -> None:
    quiet: dict[str, Any] = {"quiet": "11:00-14:30", "zone": "Europe/Paris"}
    assert outcome(pending(1, **quiet)) == ["hold 1 1:30:00 quiet hours 11:00-14:30"]
    held = [pending(number, held="quiet hours 11:00-14:30", **quiet) for number in (1, 2)]
    assert outcome(*held) == ["digest 1 2"]
    assert outcome(held[0]) == ["opened 1"]


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        ("22:00-07:00", "2026-11-24T21:59+01:00", None),
        ("22:00-07:00", "2026-11-24T22:00+01:00", "2026-11-25T07:00+01:00"),
        ("22:00-07:00", "2026-11-25T06:59+01:00", "2026-11-25T07:00+01:00"),
        ("22:00-07:00", "2026-11-25T07:00+01:00", None),
        ("12:00-13:00", "2026-11-24T12:30+01:00", "2026-11-24T13:00+01:00"),
        ("22:00-07:00", "2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),  # the night of change
        ("at night", "2026-11-24T22:00+01:00", None),
    ],
)
def test_quiet_hours_end_in_the_jobs_zone(quiet: str, now: str, end: str | None) -> None:
    found = end_of_quiet(quiet, "Europe/Paris", datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(end) if end else None)


def test_a_silent_host_inhibits_its_jobs_until_they_had_time_to_catch_up() -> None:
    silent: dict[str, Any] = {"silence_ends": NOW + 999 * HOUR, "silent_host": "app1"}
    assert outcome(pending(1, **silent)) == ["hold 1 0:05:00"]
    back: dict[str, Any] = {"silence_ends": NOW - 9 * MINUTE, "silent_host": "app1", "opened_at": NOW - HOUR}
    assert outcome(pending(1, **back)) == ["hold 1 0:05:00"]
    back["silence_ends"] = NOW - 11 * MINUTE
    assert outcome(pending(1, **back)) == ["opened 1"]
    opened = pending(1, closed_at=NOW, **back)
    closed = pending(1, What.CLOSED, opened=opened.notice, **back)
    assert outcome(closed, opened) == ["drop 1: the host app1 was silent", "drop 1: the host app1 was silent"]
    assert outcome(pending(1, silence_ends=NOW - HOUR)) == ["opened 1"]  # it began after the silence


def test_acknowledged_nothing_more_is_said_but_the_end() -> None:
    acked: dict[str, Any] = {"acked_at": NOW, "acked_by": "anna"}
    assert outcome(pending(1, What.STILL, **acked)) == ["drop 1: acknowledged by anna"]
    assert outcome(pending(1, What.CLOSED, **acked)) == ["closed 1"]


def test_snoozed_nothing_is_said_until_then_but_the_end_of_what_was_told() -> None:
    snoozed: dict[str, Any] = {"snoozed_until": NOW + HOUR, "snoozed_by": "anna"}
    assert outcome(pending(1, **snoozed)) == ["hold 1 1:00:00"]
    assert outcome(pending(1, What.CLOSED)) == ["closed 1"]
    opened = pending(1, closed_at=NOW, **snoozed)
    closed = pending(1, What.CLOSED, opened=opened.notice, **snoozed)
    assert outcome(opened, closed) == ["drop 1: closed while snoozed by anna", "drop 1: closed while snoozed by anna"]


def test_the_end_is_not_told_before_the_beginning() -> None:
    tried = pending(1, tries=1).notice
    assert outcome(pending(1, What.CLOSED, opened=tried)) == ["hold 1 0:00:30"]
    held = pending(1, due_at=NOW + HOUR, held="quiet hours 11:00-14:00").notice
    assert outcome(pending(1, What.CLOSED, opened=held)) == ["hold 1 1:00:00 quiet hours 11:00-14:00"]
    assert outcome(pending(1, What.CLOSED, opened_dropped="no route is configured")) == [
        "drop 1: not told before: no route is configured"
    ]


def test_still_is_needless_once_it_is_closed_and_waits_while_the_job_is_paused() -> None:
    assert outcome(pending(1, What.STILL, closed_at=NOW)) == ["drop 1: closed meanwhile"]
    assert outcome(pending(1, What.STILL, is_paused=True)) == ["hold 1 1:00:00"]


def test_still_is_said_after_an_hour_four_hours_and_then_daily() -> None:
    at = NOW
    said = []
    for _ in range(5):
        at = next_still(NOW, at)
        said.append((at - NOW) // HOUR)
    assert said == [1, 4, 24, 48, 72]
