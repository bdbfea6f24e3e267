"""The watch opens and closes the incidents that no result tells of: runs, hosts, overdue notices."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.faults import account_age
from scheduled_tasks.alert.incident_rows import incidents
from scheduled_tasks.alert.judge import judge
from scheduled_tasks.operate.account import account
from tests.integration.alert.simulation import DAILY, MINUTE

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Simulation

HOUR = timedelta(hours=1)


def judged(
    ledger: Simulation, step: timedelta = MINUTE, *, has_routes: bool = True, are_sent: bool = True
) -> list[str]:
    """Let time pass and judge; what is open then, or was closed now."""
    if are_sent:
        ledger.owner.execute("UPDATE notice SET sent_at = %s WHERE sent_at IS NULL", [ledger.now])
    ledger.wait(step)
    judge(ledger.owner, ledger.now, has_routes=has_routes)
    return [
        f"{row.kind} {row.name}: {row.reason if row.is_open else f'closed, {row.close_reason}'}"
        for row in incidents(ledger.owner)
        if row.is_open or row.closed_at == ledger.now
    ]


def started(ledger: Simulation, **columns: Any) -> None:
    ledger.result("sell", "started", started_at=ledger.now, ended_at=None, **columns)


def test_a_run_is_slow_while_it_runs_longer_than_the_clock_file_says(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=1200)
    started(ledger)
    assert judged(ledger, timedelta(minutes=20)) == []
    assert judged(ledger) == ["slow shop/sell: it has been running for 21 min; expected are at most 20 min"]
    assert judged(ledger, 2 * HOUR) == [
        "slow shop/sell: it has been running for 2 h 21 min; expected are at most 20 min"
    ]
    ledger.owner.execute("UPDATE task_run SET status = 'ended', ended_at = %s", [ledger.now])
    assert judged(ledger) == ["slow shop/sell: closed, the run is over"]
    assert ledger.notices() == [("slow", "sell", "opened"), ("slow", "sell", "closed")]


def test_a_run_that_took_too_long_between_two_looks_is_told_once(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=10)
    assert judged(ledger) == []
    ledger.result("sell", "ended", scheduled_at=ledger.now - timedelta(seconds=30), duration=30.0)
    ledger.result("sell", "ended", duration=2.0)  # one more run since, which took no time
    assert judged(ledger) == ["slow shop/sell: it took 30 s; expected are at most 10 s"]
    assert judged(ledger) == ["slow shop/sell: closed, the run is over"]
    assert judged(ledger) == []
    assert ledger.notices() == [("slow", "sell", "opened"), ("slow", "sell", "closed")]


def test_a_run_that_was_slow_while_it_ran_is_not_told_again_when_it_has_ended(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=30)
    started(ledger)
    assert judged(ledger) == ["slow shop/sell: it has been running for 1 min; expected are at most 30 s"]
    ledger.owner.execute("UPDATE task_run SET status = 'ended', duration = 90, ended_at = %s", [ledger.now])
    assert judged(ledger) == ["slow shop/sell: closed, the run is over"]
    assert judged(ledger) == []


def test_without_an_expected_duration_three_times_the_usual_one_is_slow(ledger: Simulation) -> None:
    for number in range(5):
        if number == 4:
            started(ledger)
            assert judged(ledger, 2 * HOUR) == []  # four runs say nothing
            ledger.owner.execute("DELETE FROM task_run WHERE status = 'started'")
        ledger.result("sell", "ended", duration=600.0)
        ledger.wait(MINUTE)
    started(ledger)
    assert judged(ledger, timedelta(minutes=30)) == []
    assert judged(ledger) == [
        "slow shop/sell: it has been running for 31 min; expected are at most 30 min, three times its usual duration"
    ]


def test_a_short_history_of_quick_runs_makes_no_run_slow_within_five_minutes(ledger: Simulation) -> None:
    for _ in range(5):
        ledger.result("sell", "ended", duration=1.0)
        ledger.wait(MINUTE)
    started(ledger)
    assert judged(ledger, timedelta(minutes=5)) == []
    assert len(judged(ledger)) == 1


def test_a_run_by_hand_is_never_slow(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=60)
    started(ledger, trigger="manual")
    assert judged(ledger, HOUR) == []


def test_a_run_that_began_long_after_its_time_is_late_until_one_is_punctual(ledger: Simulation) -> None:
    ledger.deploy("sell", schedule=DAILY, grace=300)
    at = ledger.now.replace(hour=3)
    ledger.result("sell", "ended", scheduled_at=at, lag=10800.0, started_at=ledger.now)
    assert judged(ledger) == ["late shop/sell: it began 3 h after its time"]
    assert judged(ledger, HOUR) == ["late shop/sell: it began 3 h after its time"]
    ledger.wait(timedelta(hours=20))
    ledger.result("sell", "ended", scheduled_at=ledger.now, lag=300.0)
    assert judged(ledger) == ["late shop/sell: closed, a run began on time"]


@pytest.mark.parametrize(
    ("columns", "options"),
    [({}, {"grace": 10800}), ({"reason": "was missed: app1 did not start it"}, {}), ({}, {"schedule": None})],
    ids=["within its grace", "it makes up for a missed slot", "the next slot has passed"],
)
def test_not_late_is(ledger: Simulation, columns: dict[str, Any], options: dict[str, Any]) -> None:
    ledger.deploy("sell", **({"schedule": DAILY, **options} if "schedule" not in options else {}))
    ledger.result(
        "sell", "ended", scheduled_at=ledger.now.replace(hour=3), started_at=ledger.now, lag=10800.0, **columns
    )
    assert judged(ledger) == []


def test_a_run_that_ends_too_soon_is_short_until_one_takes_long_enough(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_at_least=60)
    ledger.result("sell", "ended", duration=2.0)
    assert judged(ledger) == ["short shop/sell: it ended well after 2.0 s; expected are at least 1 min"]
    ledger.result("sell", "ended", duration=2.0)
    judged(ledger)
    assert [row.bad for row in incidents(ledger.owner)] == [2]
    ledger.result("sell", "ended", duration=61.0)
    assert judged(ledger) == ["short shop/sell: closed, a run took long enough"]


def test_a_run_that_was_too_short_is_told_even_if_the_next_one_was_not(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_at_least=10)
    ledger.result("sell", "ended", scheduled_at=ledger.now - timedelta(seconds=40), duration=2.0)
    ledger.result("sell", "ended", duration=30.0)
    assert judged(ledger) == ["short shop/sell: it ended well after 2.0 s; expected are at least 10 s"]
    assert judged(ledger) == ["short shop/sell: closed, a run took long enough"]
    assert judged(ledger) == []


def test_a_host_is_silent_after_five_minutes_if_another_one_is_alive(ledger: Simulation) -> None:
    ledger.deploy("sell", hosts=("app1", "app2"))
    ledger.heartbeat("app2")
    since = ledger.now.strftime("%H:%M:%SZ")
    for number in range(1, 8):
        ledger.wait(MINUTE)
        ledger.heartbeat("app1")
        judge(ledger.owner, ledger.now, has_routes=True)
        assert len(ledger.open_incidents()) == (number > 5)
    [incident] = incidents(ledger.owner)
    assert (incident.kind, incident.host) == ("silent", "app2")
    assert incident.reason == f"no heartbeat since 2026-11-24T{since}; it has 1 job"
    ledger.heartbeat("app2")
    assert judged(ledger) == ["silent app2: closed, it has heartbeats again, or was removed"]


def test_after_an_outage_of_the_database_no_host_is_silent(ledger: Simulation) -> None:
    ledger.deploy("sell", hosts=("app1", "app2"))
    ledger.heartbeat("app1")
    ledger.heartbeat("app2")
    ledger.wait(HOUR)
    account(ledger.owner, "app1", ledger.now)
    judge(ledger.owner, ledger.now, has_routes=True)
    assert ledger.open_incidents() == []


def test_a_host_with_heartbeats_whose_slots_are_not_accounted_for_is_stale(ledger: Simulation) -> None:
    ledger.heartbeat()
    for number in range(1, 8):
        ledger.wait(MINUTE)
        ledger.heartbeat(accounted=False)
        judge(ledger.owner, ledger.now, has_routes=True)
        assert len(ledger.open_incidents()) == (number > 5)
        assert account_age(ledger.owner, ledger.now) == number * MINUTE
    assert ledger.open_incidents() == [("stale", "", "app1", 0, 0)]
    account(ledger.owner, "app1", ledger.now)
    assert "stale app1: closed, its slots are accounted for again" in judged(ledger)


def test_a_notice_that_cannot_be_sent_opens_unsent_which_goes_to_the_fallback_first(ledger: Simulation) -> None:
    ledger.result("sell", "failed")
    ledger.wait(MINUTE)
    [delivery] = outbox.take(ledger.owner, ledger.now, default=["ops"], fallback="pager")
    outbox.failed(ledger.owner, delivery, ledger.now, "connection refused")
    assert judged(ledger, 3 * MINUTE, are_sent=False) == ["failing shop/sell: "]
    assert sorted(judged(ledger, 2 * MINUTE, are_sent=False)) == [
        "failing shop/sell: ", "unsent notices: 1 notice not sent yet: connection refused",
    ]  # fmt: skip
    ledger.wait(MINUTE)
    deliveries = outbox.take(ledger.owner, ledger.now, 9, default=["ops"], fallback="pager")
    assert {delivery.incidents[0].kind: delivery.routes for delivery in deliveries} == {
        "failing": ("ops", "pager"),
        "unsent": ("pager", "ops"),
    }
    assert "unsent notices: closed, no notice is overdue any more" in judged(ledger)


def test_without_a_route_on_any_host_notices_are_dropped(ledger: Simulation) -> None:
    ledger.result("sell", "failed")
    judged(ledger, has_routes=True, are_sent=False)
    dropped = "SELECT dropped FROM notice JOIN incident ON incident.id = notice.incident WHERE kind = 'failing'"
    judged(ledger, timedelta(minutes=30), has_routes=False, are_sent=False)  # another host has routes
    assert ledger.owner.execute(dropped).fetchall() == [(None,)]
    judged(ledger, HOUR, has_routes=False, are_sent=False)
    assert ledger.owner.execute(dropped).fetchall() == [("no route is configured",)]


def test_a_paused_job_opens_nothing(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=60)
    started(ledger)
    ledger.owner.execute(
        "INSERT INTO pause (clock, paused_by, reason, paused_at) VALUES ('shop', 'anna', 'x', %s)", [ledger.now]
    )
    assert judged(ledger, HOUR) == []


def test_one_host_judges_for_all_within_half_a_minute(ledger: Simulation) -> None:
    ledger.deploy("sell", expected_duration=60)
    started(ledger)
    judge(ledger.owner, ledger.now, has_routes=True)
    assert judged(ledger, timedelta(seconds=61)) != []
    ledger.owner.execute("UPDATE incident SET closed_at = now()")
    assert judged(ledger, timedelta(seconds=29)) == []
    assert judged(ledger, timedelta(seconds=2)) != []
