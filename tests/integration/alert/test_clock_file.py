"""What a clock file says about alerts reaches the database with a host's report, and decides who is told, and when."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.incidents import Kind
from scheduled_tasks.alert.judge import judge
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.operate.deployments import JobsReport, report
from scheduled_tasks.render.jobs_manifest import jobs_json
from tests.integration.alert.simulation import MINUTE

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.alert.incidents import Delivery
    from tests.integration.alert.simulation import Simulation

FILE = """
from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris", {of_clock})
scheduler.add_job(command.run, "cron", [["/bin/true"]], id="sell", second="0", {of_job})
"""


@pytest.fixture
def folder(tmp_path: Path, ledger: Simulation) -> Path:
    ledger.heartbeat()
    return tmp_path


def deploy(ledger: Simulation, folder: Path, of_job: str = "", of_clock: str = "") -> None:
    path = folder / "shop.py"
    path.write_text(FILE.format(of_clock=of_clock, of_job=of_job))
    clock = read_clock(path, "shop", ReadingContext("scheduled_tasks.domains", "", ledger.now, lines=False))
    manifest = jobs_json([clock])
    report(ledger.owner, "app1", JobsReport(json.loads(manifest)["jobs"], manifest, ledger.now, ledger.now))


def deliveries(ledger: Simulation, after: timedelta = MINUTE) -> list[Delivery]:
    ledger.wait(after)
    ledger.heartbeat()
    judge(ledger.owner, ledger.now, has_routes=True)
    known = ("ops", "chat", "pager")
    return outbox.take(ledger.owner, ledger.now, 10, default=("ops",), fallback="pager", known=known)


def fail(ledger: Simulation, times: int = 1) -> None:
    for _ in range(times):
        ledger.wait(MINUTE)
        ledger.result("sell", "failed", reason="OSError: the disk is full")


def test_a_clocks_option_holds_for_its_jobs_and_a_job_overrides_it(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder, of_clock="alert_after=2, notify='chat'")
    fail(ledger)
    assert deliveries(ledger) == []
    fail(ledger)
    [delivery] = deliveries(ledger)
    assert (delivery.what, delivery.routes, delivery.incidents[0].bad) == ("opened", ("chat", "pager"), 2)


def test_a_job_clears_what_its_clock_says(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder, of_clock="alert_after=2, notify='chat'", of_job="alert_after=None, notify=None")
    fail(ledger)
    [delivery] = deliveries(ledger)
    assert delivery.routes == ("ops", "pager")


def test_routes_are_tried_in_the_order_of_the_clock_file(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder, of_job="notify=['chat', 'gone', 'ops']")
    fail(ledger)
    [delivery] = deliveries(ledger)
    assert delivery.routes == ("chat", "ops", "pager")


def test_an_empty_list_tells_nobody_and_the_incident_is_recorded(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder, of_job="notify=[]")
    fail(ledger)
    assert deliveries(ledger) == []
    assert ledger.open_incidents() == [("failing", "sell", "", 1, 0)]


def test_quiet_hours_are_those_of_the_jobs_zone(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder, of_job="quiet='07:00-08:30'")  # it is 6:00 in UTC, 7:00 in Paris
    fail(ledger)
    assert deliveries(ledger) == []
    [delivery] = deliveries(ledger, timedelta(hours=1, minutes=29))
    assert [notice.what for notice in delivery.notices] == ["opened"]


def test_a_change_of_these_options_counts_from_the_next_result(ledger: Simulation, folder: Path) -> None:
    deploy(ledger, folder)
    ledger.wait(MINUTE)
    deploy(ledger, folder, of_job="alert_after=3")
    fail(ledger, 2)
    assert ledger.open_incidents() == []
    ledger.wait(MINUTE)
    deploy(ledger, folder, of_job="alert_after=2, expected_at_least='90s', expected_duration='10min'")
    fail(ledger)
    assert ledger.open_incidents() == [("failing", "sell", "", 3, 0)]
    ledger.wait(MINUTE)
    ledger.result("sell", "ended", duration=60.0)
    told = [delivery for _ in range(2) for delivery in deliveries(ledger)]
    assert [(delivery.what, delivery.incidents[0].kind) for delivery in told] == [
        ("opened", Kind.FAILING),
        ("closed", Kind.FAILING),
        ("opened", Kind.SHORT),
    ]
    assert ledger.open_incidents() == [("short", "sell", "", 1, 0)]
