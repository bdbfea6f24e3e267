"""Requests: what people ask a host to do is done by a host that has the job, or its outcome says why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import pauses
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.request_rows import Request
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.shop import Database, ran
from tests.integration.operate.shop_requests import SELL, SIX, ask, hours, result, runs
from tests.integration.operate.simulated_services import SimulatedHost

if TYPE_CHECKING:
    from uuid import UUID


def test_a_request_becomes_the_run_that_it_names(connection: Database, app1: SimulatedHost) -> None:
    number = ask(connection, host="app1")
    assert app1.watch() == []  # it has been started; whether it has a row, the next look says
    [line] = app1.watch()
    assert line == f"request {number} to run shop/sell by anna: done"
    request = request_rows.find(connection, number)
    assert (request.outcome, request.taken_by, request.asked_by) == ("done", "app1", "anna")
    assert connection.execute("SELECT run_id, status, trigger FROM task_run").fetchall() == [
        (request.run_id, "ended", "manual")
    ]


def test_one_pass_is_enough_if_the_run_starts_in_time(connection: Database, app1: SimulatedHost) -> None:
    number = ask(connection, host="app1", slot=SIX)
    app1.watch(seconds=10)
    assert result(connection, number) == ("done", None)
    assert runs(connection) == [("ended", "app1", "manual", SIX, 1)]


def test_a_request_to_no_host_in_particular_is_taken_by_one_that_has_the_job(
    connection: Database, app1: SimulatedHost, app2: SimulatedHost
) -> None:
    number = ask(connection, job="count")
    assert app2.watch(seconds=10) == []
    assert request_rows.find(connection, number).taken_by is None
    app1.watch(seconds=10)
    assert result(connection, number) == ("done", None)


def test_a_job_that_has_left_the_hosts_set_is_refused(connection: Database, app2: SimulatedHost) -> None:
    number = ask(connection, host="app2")
    app2.jobs.clear()
    app2.watch()
    assert result(connection, number) == (
        "refused", "shop/sell is not in the current set of app2: see 'clocks plan'"
    )  # fmt: skip
    assert app2.services.starts == []


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"job": "sel"}, "shop/sel is not deployed anywhere"),
        ({"host": "app9"}, "shop/sell is not deployed on app9"),
        ({"host": "prod/shop"}, "prod/shop is a cluster, where nothing can start a unit: use kubectl"),
        ({"slot": datetime(2099, 1, 1, tzinfo=UTC)}, "the slot 2099-01-01T00:00:00Z is not due yet"),
        ({"reason": " "}, "who does it and why must be said"),
        ({"kind": "backfill", "slot": SIX}, "a request to backfill needs other arguments"),
        ({"kind": "backfill", "slot": SIX, "until_slot": hours(-1)}, "the first slot is after the last one"),
        ({"kind": "stop"}, "a request to stop needs other arguments"),
        (
            {"kind": "log", "run_id": "00000000-0000-4000-8000-000000000000"},
            "shop/sell has no run 00000000-0000-4000-8000-000000000000",
        ),
    ],
)
def test_what_no_host_could_do_is_not_asked(
    connection: Database, app1: SimulatedHost, asked: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError) as refused:
        ask(connection, **asked)
    assert str(refused.value) == problem
    assert connection.execute("SELECT FROM request").fetchall() == []


def test_who_asks_twice_has_asked_once(connection: Database, app1: SimulatedHost) -> None:
    number = ask(connection, host="app1", slot=SIX)
    assert ask(connection, host="app1", slot=SIX, reason="and again") == number
    assert ask(connection, host="app1", slot=hours(1)) != number
    app1.watch(seconds=10)
    assert ask(connection, host="app1", slot=SIX) != number


def test_a_request_that_no_host_takes_expires_and_says_so_even_if_no_watch_works(
    connection: Database, app2: SimulatedHost
) -> None:
    connection.execute("UPDATE host SET heartbeat_at = '2026-11-24 06:00Z'")
    named, unnamed = ask(connection, host="app2"), ask(connection)
    connection.execute("UPDATE request SET expires_at = clock_timestamp()")
    silent = "app2 did not take it within 5 min: its last heartbeat was at 2026-11-24T06:00:00Z"
    for _ in range(2):
        assert result(connection, named) == ("expired", silent)
        assert result(connection, unnamed) == ("expired", "no host that has the job took it within 5 min")
        app2.watch()  # it records that, and takes neither
    assert connection.execute("SELECT DISTINCT outcome FROM request").fetchall() == [("expired",)]
    assert app2.services.starts == []


def test_what_a_host_took_before_it_died_is_given_up(connection: Database, app1: SimulatedHost) -> None:
    taken = {"shop": ask(connection, host="app1"), "slot": ask(connection, host="app1", slot=SIX)}
    request = request_rows.take(connection, "app1", app1.jobs)
    assert request is not None
    app1.services.start(SELL, run_id(request), at=None, trigger="manual", force=False)
    request_rows.take(connection, "app1", app1.jobs, [taken["shop"]])
    long_ago = "clock_timestamp() - interval '11 min'"
    connection.execute(f"UPDATE request SET taken_until = {long_ago}".encode())
    connection.execute(f"UPDATE host SET heartbeat_at = {long_ago} - interval '1 min'".encode())
    assert request_rows.expire(connection) == 2
    assert result(connection, taken["shop"]) == ("done", None)
    assert result(connection, taken["slot"]) == (
        "failed", "app1 took it and has had no heartbeat since: what became of it is unknown"
    )  # fmt: skip


def run_id(request: Request) -> UUID:
    assert request.run_id is not None
    return request.run_id


def test_a_slot_that_has_run_is_refused_and_with_force_it_runs_again(connection: Database, app1: SimulatedHost) -> None:
    ran(connection, "sell", SIX, "ended")
    number = ask(connection, host="app1", slot=SIX)
    app1.watch(seconds=10)
    assert result(connection, number) == (
        "refused", "the slot 2026-11-24T06:00:00Z has a run already, status ended"
    )  # fmt: skip
    forced = ask(connection, host="app1", slot=SIX, is_forced=True)
    app1.watch(seconds=10)
    assert result(connection, forced) == ("done", None)
    assert runs(connection) == [("ended", "app1", "manual", SIX, 2)]


def test_a_slot_that_another_host_claims_meanwhile_is_refused(
    connection: Database, app1: SimulatedHost, app2: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    app2.services.lasting.add(SELL)
    mine, others = ask(connection, host="app1", slot=SIX), ask(connection, host="app2", slot=SIX)
    start = app1.services.start

    def late_start(unit: str, run_id: UUID, **how: Any) -> None:
        app2.watch(seconds=10)
        start(unit, run_id, **how)

    monkeypatch.setattr(app1.services, "start", late_start)
    app1.watch(seconds=10)
    assert result(connection, others) == ("done", None)
    assert result(connection, mine) == (
        "refused", "the slot 2026-11-24T06:00:00Z has a run already, status started"
    )  # fmt: skip
    assert runs(connection) == [("started", "app2", "manual", SIX, 1)]


def test_an_instant_at_which_the_job_is_not_due_is_refused_with_the_nearest_slots(
    connection: Database, app1: SimulatedHost
) -> None:
    number = ask(connection, host="app1", slot=SIX + timedelta(minutes=1))
    app1.watch()
    nearest = "2026-11-24T06:00:00Z and 2026-11-24T07:00:00Z"
    assert result(connection, number) == (
        "refused", f"shop/sell is not due at 2026-11-24T06:01:00Z; the nearest slots are {nearest}"
    )  # fmt: skip


def test_a_paused_job_is_refused_and_runs_with_force(connection: Database, app1: SimulatedHost) -> None:
    pauses.pause(connection, Pause(Scope("shop"), SIX, "bert", "stocktaking", None))
    number, forced = ask(connection, host="app1"), ask(connection, host="app1", is_forced=True)
    app1.watch(seconds=10)
    assert result(connection, number) == (
        "refused", "it is paused: shop since 2026-11-24T06:00:00Z by bert: stocktaking"
    )  # fmt: skip
    assert result(connection, forced) == ("done", None)


def test_a_job_that_runs_is_not_started_twice(connection: Database, app1: SimulatedHost) -> None:
    app1.services.lasting.add(SELL)
    ask(connection, host="app1", slot=SIX)
    app1.watch(seconds=10)
    number = ask(connection, host="app1")
    app1.watch()
    assert result(connection, number) == ("refused", "shop/sell is already running on app1, and never runs twice")
    assert len(app1.services.starts) == 1


def test_a_service_that_is_started_and_runs_nothing_is_said_to(connection: Database, app1: SimulatedHost) -> None:
    app1.services.broken.add(SELL)
    number = ask(connection, host="app1", slot=SIX)
    app1.watch(seconds=10)
    unmet = "one of the conditions of clock-shop-sell.service is not met"
    assert result(connection, number) == ("failed", f"shop/sell was started on app1 and recorded no run: {unmet}")


def test_a_run_is_stopped_on_its_host_and_no_other_run_is(connection: Database, app1: SimulatedHost) -> None:
    app1.services.lasting.add(SELL)
    started = ask(connection, host="app1")
    app1.watch(seconds=10)
    run = run_id(request_rows.find(connection, started))
    number = ask(connection, kind="stop", run_id=run)
    app1.watch(seconds=10)
    assert result(connection, number) == ("done", None)
    assert runs(connection) == [("failed", "app1", "manual", None, 1)]
    again = ask(connection, kind="stop", run_id=run)
    app1.watch(seconds=10)
    assert result(connection, again) == ("refused", "it does not run: failed")
    connection.execute("UPDATE task_run SET status = 'started'")
    third = ask(connection, kind="stop", run_id=run)
    app1.watch(seconds=10)
    assert result(connection, third) == (
        "refused", "its service does not run on app1: the watch will record it as lost"
    )  # fmt: skip


def test_the_log_lines_of_a_run_are_stored(connection: Database, app1: SimulatedHost) -> None:
    started = ask(connection, host="app1")
    app1.watch(seconds=10)
    run = run_id(request_rows.find(connection, started))
    number = ask(connection, kind="log", run_id=run)
    app1.watch(seconds=10)
    assert result(connection, number) == ("done", None)
    assert connection.execute("SELECT run_id, lines FROM run_log").fetchall() == [(run, "{}")]


def test_a_backfill_runs_the_slots_that_have_not_run_in_their_order(connection: Database, app1: SimulatedHost) -> None:
    ran(connection, "sell", hours(1), "ended")
    ran(connection, "sell", hours(2), "missed")
    number = ask(connection, kind="backfill", host="app1", slot=SIX, until_slot=hours(3))
    app1.watch(seconds=20)
    request = request_rows.find(connection, number)
    assert (request.outcome, request.ran, request.total) == ("done", 3, 3)
    assert [start.at for start in app1.services.starts] == [SIX, hours(2), hours(3)]
    assert {status for status, *_ in runs(connection)} == {"ended"}


def test_a_backfill_stops_at_its_first_failure_and_says_where(connection: Database, app1: SimulatedHost) -> None:
    app1.services.failing.add(SELL)
    number = ask(connection, kind="backfill", host="app1", slot=SIX, until_slot=hours(3))
    app1.watch(seconds=20)
    assert result(connection, number) == ("failed", "stopped at 2026-11-24T06:00:00Z: failed: no stock")
    assert len(app1.services.starts) == 1


def test_a_backfill_goes_on_in_the_next_pass(connection: Database, app1: SimulatedHost) -> None:
    number = ask(connection, kind="backfill", host="app1", slot=SIX, until_slot=hours(3))
    for _ in range(5):
        app1.watch()
    assert result(connection, number) == ("done", None)
    assert [start.at for start in app1.services.starts] == [SIX, hours(1), hours(2), hours(3)]


def test_nothing_to_backfill_is_done_at_once(connection: Database, app1: SimulatedHost) -> None:
    ran(connection, "sell", SIX, "ended")
    number = ask(connection, kind="backfill", host="app1", slot=SIX, until_slot=SIX)
    app1.watch()
    assert result(connection, number) == ("done", None)
    assert request_rows.find(connection, number).total == 0
