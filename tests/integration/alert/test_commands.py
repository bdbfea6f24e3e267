"""clocks incidents, ack and snooze: who has seen what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.alert.incident_rows import incidents
from tests.integration.alert.simulation import MINUTE
from tests.integration.operate.shop import ask, clocks

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Simulation


@pytest.fixture
def failing(ledger: Simulation) -> Simulation:
    """The job `sell` fails; before, it was missed once and recovered."""
    ledger.result("sell", "missed")
    ledger.wait(MINUTE)
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    ledger.result("sell", "failed", error_type="ValueError", error_message="no offer")
    return ledger


def test_open_incidents_are_found_by_the_exit_code(failing: Simulation) -> None:
    shown = clocks("incidents", "--open")
    assert shown.exit_code == 3
    assert "failing  shop/sell  open" in shown.stdout
    assert "ValueError: no offer" in shown.stdout
    failing.wait(MINUTE)
    failing.result("sell", "ended")
    assert clocks("incidents", "--open").exit_code == 0
    assert [row["state"] for row in ask("incidents", "shop/sell")] == ["closed", "closed"]
    assert clocks("incidents").exit_code == 0


def test_an_unknown_job_and_an_unknown_or_closed_incident_are_errors(failing: Simulation) -> None:
    del failing
    assert "the clock shop has no job sel; did you mean sell?" in clocks("incidents", "shop/sel", check=False).stderr
    assert "there is no incident 99" in clocks("ack", "99", "--reason", "x", check=False).stderr
    done = clocks("ack", "1", "--reason", "x", check=False)
    assert (done.exit_code, done.stderr) == (64, "clocks: the incident 1, shop/sell, is closed already\n")
    assert "--reason is empty" in clocks("ack", "2", "--reason", " ", check=False).stderr


def test_who_acknowledged_first_stays(failing: Simulation) -> None:
    assert clocks("ack", "2", "--reason", "it is the bank").stdout == "acknowledged failing shop/sell\n"
    assert clocks("ack", "2", "--reason", "me too").stdout == "already acknowledged by anna: it is the bank\n"
    assert json.loads(clocks("ack", "2", "--reason", "x", "--json").stdout)["changed"] is False
    [_, incident] = sorted(incidents(failing.owner), key=lambda row: row.id)
    assert (incident.acked_by, incident.ack_reason) == ("anna", "it is the bank")
    [shown] = ask("incidents", "--open")
    assert shown["state"] == "acknowledged"
    assert ask("status")["open_incidents"] == 1
    assert "1 open incident, 1 acknowledged: see 'clocks incidents --open'" in clocks("status").stdout


def test_a_snooze_ends_in_the_future(failing: Simulation) -> None:
    assert "snoozed failing shop/sell until 2" in clocks("snooze", "2", "--until", "2h", "--reason", "x").stdout
    [incident] = incidents(failing.owner, open_only=True)
    assert (incident.snoozed_by, incident.snooze_reason) == ("anna", "x")
    assert "in the past" in clocks("snooze", "2", "--until", "2020-01-01", "--reason", "x", check=False).stderr
