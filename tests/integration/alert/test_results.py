"""A job's results open and close its incident in the transaction that writes them, whoever writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.alert.incident_rows import incidents
from scheduled_tasks.alert.judge import judge_results
from scheduled_tasks.operate import pauses
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.alert.simulation import MINUTE

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Simulation


def test_the_first_bad_slot_opens_an_incident_and_the_next_good_run_closes_it(ledger: Simulation) -> None:
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    ledger.result("sell", "failed", error_type="ValueError", error_message="no offer")
    ledger.wait(MINUTE)
    last = ledger.result("sell", "failed", error_type="ValueError", error_message="no offer")
    [incident] = incidents(ledger.connect())
    assert (incident.kind, incident.name, incident.bad, incident.missed) == ("failing", "shop/sell", 2, 0)
    assert (incident.reason, incident.run_id, incident.run_host) == ("ValueError: no offer", last, "app1")
    assert incident.last_at - incident.first_at == MINUTE
    ledger.wait(MINUTE)
    good = ledger.result("sell", "ended")
    [incident] = incidents(ledger.connect())
    assert (incident.closed_at, incident.closed_by_run, incident.close_reason) == (ledger.now, good, "")
    assert ledger.notices() == [("failing", "sell", "opened"), ("failing", "sell", "closed")]


def test_alert_after_counts_slots_in_a_row_and_a_missed_one_counts_at_once(ledger: Simulation) -> None:
    ledger.deploy("sell", alert_after=3)
    for status in ("failed", "failed", "ended", "failed", "failed"):
        ledger.wait(MINUTE)
        ledger.result("sell", status)
    assert ledger.open_incidents() == []
    ledger.wait(MINUTE)
    ledger.result("sell", "lost")
    assert ledger.open_incidents() == [("failing", "sell", "", 3, 0)]
    ledger.wait(MINUTE)
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    ledger.result("sell", "missed")
    assert ledger.open_incidents() == [("missed", "sell", "", 1, 1)]
    ledger.wait(MINUTE)
    ledger.result("sell", "failed")
    assert ledger.open_incidents() == [("missed", "sell", "", 2, 1)]


HARMLESS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a run by hand": ({"trigger": "manual", "slot_host": None, "scheduled_at": None}, {}),
    "a backfill": ({"trigger": "backfill"}, {}),
    "a run in a checkout": ({"clock": "other"}, {}),
    "an attempt that systemd repeats": ({}, {"retries": 2, "retry_delay": 30}),
    "a job that is paused in its clock file": ({}, {"paused": True}),
}


@pytest.mark.parametrize(("columns", "options"), HARMLESS.values(), ids=HARMLESS)
def test_nobody_is_told_of(ledger: Simulation, columns: dict[str, Any], options: dict[str, Any]) -> None:
    ledger.deploy("sell", **options)
    ledger.result("sell", "failed", started_at=ledger.now - MINUTE, **columns)
    judge_results(ledger.connect())
    assert ledger.open_incidents() == []


def test_a_failed_attempt_counts_once_systemd_has_given_up(ledger: Simulation) -> None:
    ledger.deploy("sell", retries=1, retry_delay=30)
    ledger.result("sell", "failed")
    ledger.wait(timedelta(seconds=91))  # it has not been repeated, for example because its exit code forbids it
    judge_results(ledger.connect())
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]
    ledger.wait(MINUTE)
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    ledger.result("sell", "failed", attempt=2)
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]


def test_a_good_run_by_hand_closes_and_a_bad_one_does_not(ledger: Simulation) -> None:
    ledger.result("sell", "failed")
    by_hand: dict[str, Any] = {"trigger": "manual", "slot_host": None, "scheduled_at": None}
    ledger.wait(MINUTE)
    ledger.result("sell", "failed", started_at=ledger.now, **by_hand)
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]
    ledger.wait(MINUTE)
    ledger.result("sell", "ended", started_at=ledger.now, **by_hand)
    assert ledger.open_incidents() == []


def test_each_host_has_its_own_incident_with_per_host(ledger: Simulation) -> None:
    ledger.deploy("sell", hosts=("app1", "app2"), per_host=True)
    for host in ("app1", "app2"):
        ledger.result("sell", "failed", host=host, slot_host=host)
    ledger.wait(MINUTE)
    ledger.result("sell", "ended", host="app1", slot_host="app1")
    assert ledger.open_incidents() == [("failing", "sell", "app2", 1, 0)]


def test_a_bad_slot_that_runs_again_stays_open_until_it_ends(ledger: Simulation) -> None:
    ledger.result("sell", "missed")
    ledger.wait(MINUTE)
    ledger.owner.execute(
        "UPDATE task_run SET run_id = gen_random_uuid(), attempt = 1, status = 'started', trigger = 'manual',"
        " started_at = %s, ended_at = NULL, reason = 'was missed: app1 did not start it'",
        [ledger.now],
    )
    judge_results(ledger.connect())
    assert ledger.open_incidents() == [("missed", "sell", "", 1, 1)]
    ledger.wait(MINUTE)
    ledger.owner.execute("UPDATE task_run SET status = 'failed', ended_at = %s", [ledger.now])
    assert ledger.open_incidents() == [("missed", "sell", "", 1, 1)]
    ledger.wait(MINUTE)
    ledger.owner.execute("UPDATE task_run SET status = 'ended', ended_at = %s", [ledger.now])
    assert ledger.open_incidents() == []


def test_a_paused_job_opens_none_and_after_the_pause_what_is_still_bad_does(ledger: Simulation) -> None:
    database, scope = ledger.connect(), Scope("shop", "sell", None)
    pauses.pause(database, Pause(scope, ledger.now, "anna", "stocktaking", None))
    ledger.wait(MINUTE)
    ledger.result("sell", "failed")
    judge_results(database)
    assert ledger.open_incidents() == []
    ledger.wait(MINUTE)
    pauses.resume(database, scope, by="anna", at=ledger.now)
    ledger.wait(MINUTE)
    judge_results(database)
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]


def test_a_slot_missed_while_its_flag_is_off_opens_none(ledger: Simulation) -> None:
    ledger.result("sell", "skipped", reason="feature SELL is not active")
    ledger.wait(MINUTE)
    ledger.result("sell", "missed")
    assert ledger.open_incidents() == []


def test_a_withdrawn_verdict_and_a_removed_job_close_the_incident(ledger: Simulation) -> None:
    database = ledger.connect()
    ledger.result("sell", "missed")
    ledger.owner.execute("DELETE FROM task_run")
    judge_results(database)
    ledger.wait(MINUTE)
    ledger.result("sell", "failed")
    ledger.deploy("sell", hosts=())
    judge_results(database)
    assert [incident.close_reason for incident in incidents(database)] == [
        "no host has the job any more",
        "its results are not bad after all",
    ]


def test_a_result_is_written_although_it_cannot_be_judged(ledger: Simulation) -> None:
    ledger.deploy("sell", alert_after="many")
    ledger.result("sell", "failed")
    assert ledger.owner.execute("SELECT status FROM task_run").fetchall() == [("failed",)]
    ledger.deploy("sell")
    judge_results(ledger.connect())
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]


def test_a_locked_incident_delays_no_result_and_the_watch_judges_later(ledger: Simulation) -> None:
    ledger.result("sell", "failed")
    holder = ledger.connect()
    with holder.transaction():
        holder.execute("SELECT FROM incident FOR UPDATE")
        ledger.wait(MINUTE)
        ledger.result("sell", "ended")
        assert ledger.owner.execute("SELECT status FROM task_run ORDER BY started_at").fetchall() == [
            ("failed",),
            ("ended",),
        ]
    judge_results(holder)
    assert ledger.open_incidents() == []


def test_two_transactions_at_once_open_one_incident(ledger: Simulation) -> None:
    first, second = ledger.connect(), ledger.connect()
    with first.transaction():
        ledger.result("sell", "missed", connection=first)
        with second.transaction():
            second.execute("SET LOCAL lock_timeout = '100ms'")
            ledger.result("sell", "failed", connection=second, scheduled_at=ledger.now - MINUTE)
    judge_results(first)
    assert ledger.open_incidents() == [("missed", "sell", "", 2, 1)]
    assert ledger.notices() == [("missed", "sell", "opened")]
