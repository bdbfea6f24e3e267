"""Debian's node_exporter serves what the watch of a booted machine writes for it, and never old values as new ones."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.machine.fleet import ETC, Fleet, two_machines
from tests.machine.project import FAR_HOUR
from tests.machine.waiting import wait_for
from tests.roots import lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("watch")

HOST, TEXTFILES = "app1", "/var/lib/prometheus/node-exporter"
NODE_EXPORTER = {"prometheus-node-exporter": "prometheus-node-exporter"}
JOBS = f"""
scheduler.add_job(work, "cron", ["x"], id="works", hour={FAR_HOUR}, owner="data")
scheduler.add_job(fail, "cron", [], id="fails", hour={FAR_HOUR})
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    require(lacking("a machine with node_exporter", NODE_EXPORTER))
    with two_machines(HOST) as one:
        configuration = one.machines[HOST].root / f"{ETC}/config.toml".lstrip("/")
        configuration.write_text(f'{configuration.read_text()}metrics_textfile_folder = "{TEXTFILES}"\n')
        one.write(shop=JOBS)
        assert one.ask(HOST, "apply")["changed"]
        yield one


@pytest.fixture(scope="module")
def port(fleet: Fleet) -> int:
    """Of Debian's node_exporter, as its package's unit starts it."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])  # the machine has the host's network
    machine = fleet.machines[HOST]
    (machine.root / "etc/default/prometheus-node-exporter").write_text(
        f'ARGS="--web.listen-address=127.0.0.1:{number}"\n'
    )
    machine.run("systemctl", "start", "prometheus-node-exporter.service")
    return number


def served(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape of node_exporter has of ours, and of its textfiles."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
    except URLError:  # it does not listen yet
        return {}
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("scheduled_tasks_", "node_textfile_"))
    }


def watch(fleet: Fleet) -> str:
    """Let the watch make a pass; return its result."""
    machine = fleet.machines[HOST]
    machine.run("systemctl", "start", "--wait", "clock-watch.service", check=False)
    return machine.run("systemctl", "show", "--value", "--property=Result", "clock-watch.service").stdout.strip()


def test_node_exporter_serves_the_metrics_of_the_host_and_its_jobs(fleet: Fleet, port: int) -> None:
    fleet.clocks(HOST, "run", "shop/works", "--wait")
    fleet.clocks(HOST, "run", "shop/fails", "--wait", check=False)
    assert watch(fleet) == "success"
    found = wait_for("an answer", lambda: served(port))
    assert found["scheduled_tasks_ledger_up", frozenset()] == 1
    assert found["node_textfile_scrape_error", frozenset()] == 0
    assert found["scheduled_tasks_host_pending_results", frozenset({("host", HOST)})] == 0
    job = {("clock", "shop"), ("job_name", "works")}
    [(at,)] = fleet.query("SELECT max(ended_at) FROM task_run WHERE job = 'works' AND status = 'ended'")
    last = found["scheduled_tasks_job_last_success_timestamp_seconds", frozenset(job)]
    assert last == pytest.approx(at.timestamp(), abs=0.001)
    assert found["scheduled_tasks_job_last_slot_bad", frozenset({("clock", "shop"), ("job_name", "fails")})] == 1
    assert found["scheduled_tasks_run_duration_seconds_count", frozenset({("clock", "shop")})] == 2
    described = [labels for name, labels in found if name == "scheduled_tasks_job_info"]
    assert sum(("owner", "data") in labels for labels in described) == 1


def test_the_watch_can_write_that_folder_and_no_job_can(fleet: Fleet) -> None:
    def writable(unit: str) -> str:
        return fleet.machines[HOST].run("systemctl", "show", "--property=ReadWritePaths", unit).stdout

    assert f"-{TEXTFILES}" in writable("clock-watch.service")
    assert "prometheus" not in writable("clock-watch.service").replace(TEXTFILES, "")
    for unit in ("clock-shop-works.service", "clock-failed@x.service"):
        assert "prometheus" not in writable(unit)


def test_while_postgresql_is_away_it_serves_no_old_values(fleet: Fleet, port: int) -> None:
    url = fleet.machines[HOST].root / f"{ETC}/credentials/database_url".lstrip("/")
    before = url.read_text()
    url.write_text("postgresql://postgres@127.0.0.1:1/postgres")
    try:
        assert watch(fleet) == "exit-code"
        found = served(port)
        assert found["scheduled_tasks_ledger_up", frozenset()] == 0
        assert {name for name, _ in found if name.startswith("scheduled_tasks_")} == {
            "scheduled_tasks_build_info", "scheduled_tasks_host_pending_results", "scheduled_tasks_ledger_up",
            "scheduled_tasks_read_timestamp_seconds",
        }  # fmt: skip
    finally:
        url.write_text(before)
    assert watch(fleet) == "success"
    assert served(port)["scheduled_tasks_ledger_up", frozenset()] == 1


def test_a_folder_that_is_gone_fails_the_watch_and_is_named(fleet: Fleet) -> None:
    machine = fleet.machines[HOST]
    machine.run("mv", TEXTFILES, f"{TEXTFILES}.away")
    try:
        assert watch(fleet) == "exit-code"
        lines = [str(entry["MESSAGE"]) for entry in machine.journal("clock-watch.service")]
        assert any("can't write metrics: ConfigurationError" in line and TEXTFILES in line for line in lines)
    finally:
        machine.run("mv", f"{TEXTFILES}.away", TEXTFILES)
    assert watch(fleet) == "success"
