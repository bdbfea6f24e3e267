"""A Healthchecks outside knows when this host no longer judges or tells, whichever part of it is stopped.

Each pass of the watch is one that the test starts, so that "no ping" is a fact and not a time that nobody waited for.
"""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.documented import commands
from tests.machine.fleet import ETC, Fleet, two_machines
from tests.machine.project import FAR_HOUR
from tests.machine.waiting import wait_for
from tests.outside.healthchecks import API_KEY, PING_KEY, Healthchecks, healthchecks
from tests.outside.http_server import Webhook, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("outside")  # one machine for all of them

WATCH, TIMER, SENDER = "clock-watch.service", "clock-watch.timer", "clock-notify.service"
AWAY = "/run/scheduled-tasks/database-away.json"
SLUG = "watch-app1"
CONFIGURATION = """
credentials = ["database_url", "notify.healthchecks_api_key"]

[notify]
heartbeat_url = "{outside}/ping/{key}/watch-{{host}}?create=1"

[notify.routes.sink]
kind = "webhook"
url = "{sink}"
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Healthchecks]:
    with healthchecks() as service:
        service.add(name=SLUG, slug=SLUG, timeout=60, grace=240)
        yield service


@pytest.fixture(scope="module")
def sink() -> Iterator[Webhook]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def fleet(outside: Healthchecks, sink: Webhook) -> Iterator[Fleet]:
    with two_machines("app1") as one:
        machine = one.machines["app1"]
        path = machine.root / f"{ETC}/config.toml".lstrip("/")
        urls = {"outside": outside.url, "key": PING_KEY, "sink": sink.url}
        text = path.read_text().replace('credentials = ["database_url"]\n', "")
        path.write_text(text + CONFIGURATION.format(**urls))
        (path.parent / "credentials/notify.healthchecks_api_key").write_text(API_KEY)
        ping = f"{outside.url}/ping/{PING_KEY}/{{clock}}-{{job}}"
        fields = f"hour={FAR_HOUR}, ping='{ping}'"
        one.write(shop=f"scheduler.add_job(work, 'cron', ['a'], id='work', {fields})")
        assert one.ask("app1", "apply")["changed"]
        machine.run("systemctl", "stop", TIMER)
        look(machine)
        # A host is judged from its second heartbeat on, a minute after its first one.
        one.query("UPDATE host SET heartbeats_since = heartbeats_since - interval '1 minute'")
        yield one


@pytest.fixture
def machine(fleet: Fleet) -> Machine:
    return fleet.machines["app1"]


def look(machine: Machine) -> str:
    """Let the watch make a pass, and the sender that it may have started end; return the watch's result."""
    machine.run("systemctl", "start", "--wait", WATCH, check=False)
    show = ("systemctl", "show", "--value", "--property=ActiveState", SENDER)
    wait_for("the sender's end", lambda: machine.run(*show).stdout.strip() in {"inactive", "failed"})
    return machine.run("systemctl", "show", "--value", "--property=Result", WATCH).stdout.strip()


def subjects(sink: Webhook) -> list[str]:
    """The subjects of the messages that were sent."""
    return [message["subject"] for message in sink.got]


def pings(outside: Healthchecks) -> int:
    """How often the dead man's switch was pinged."""
    return len(outside.by_slug(SLUG).pings)


@pytest.fixture
def healthy(machine: Machine, outside: Healthchecks) -> int:
    """The number of pings, after one more that has just arrived."""
    before = pings(outside)
    assert look(machine) == "success"
    assert pings(outside) == before + 1
    return before + 1


def test_the_pages_commands_make_a_jobs_check_and_show_what_it_was_told(
    fleet: Fleet, outside: Healthchecks, healthy: int
) -> None:
    for command in commands("how-to/monitor-from-outside.md", "outside"):
        words = command.split()
        if words[0] == "clocks":
            done = fleet.clocks("app1", *words[1:], check=False)
            expected = {"--check": 2, "doctor": 3}.get(words[-1], 0)  # the timer is stopped, by the fixture
            assert done.returncode == expected, str(done)
        else:
            fleet.machines["app1"].run(*words)
    check = outside.by_slug("shop-work")
    assert (check.schedule, check.tz) == (f"0 {FAR_HOUR} * * *", "UTC")
    fleet.clocks("app1", "run", "shop/work", "--wait")
    look(fleet.machines["app1"])
    assert [ping.kind for ping in check.pings] == ["success"]
    assert check.pings[0].body.startswith("ended on app1 after ")
    [row] = fleet.ask("app1", "monitors", "list")
    assert (row["monitor"], row["what"], row["waiting"], row["error"]) == ("shop/work", "success", 0, "")


@contextmanager
def changed(machine: Machine, unit: str, *lines: str, section: str = "Service") -> Iterator[None]:
    """A unit with other directives."""
    folder = f"/run/systemd/system/{unit}.d"
    text = "\n".join([f"[{section}]", *lines, ""])
    machine.run("mkdir", "-p", folder)
    machine.run("sh", "-c", f"cat >{folder}/99-test.conf <<'END'\n{text}END")
    machine.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        machine.run("rm", "-r", folder)
        machine.run("systemctl", "daemon-reload")


@contextmanager
def without_postgresql(fleet: Fleet) -> Iterator[None]:
    processes = fleet.server.processes
    processes[0].send_signal(signal.SIGINT)  # a fast shutdown
    psutil.wait_procs(processes, timeout=120)
    try:
        yield
    finally:
        fleet.server.running.ensure_postgres_running()


BROKEN = ("ExecStart=", "ExecStart=/bin/false")
STOPPED: dict[str, Callable[[Fleet], AbstractContextManager[None]]] = {
    "the watch's service": lambda fleet: changed(fleet.machines["app1"], WATCH, *BROKEN),
    "PostgreSQL": without_postgresql,
    "the sender": lambda fleet: changed(fleet.machines["app1"], SENDER, *BROKEN),
    "the network": lambda fleet: changed(fleet.machines["app1"], SENDER, "PrivateNetwork=yes"),
}


@pytest.mark.parametrize("part", STOPPED)
def test_what_is_stopped_is_known_outside_within_six_minutes(
    fleet: Fleet, machine: Machine, outside: Healthchecks, healthy: int, part: str
) -> None:
    stopped_at = datetime.now(UTC)
    with STOPPED[part](fleet):
        look(machine)
        assert pings(outside) == healthy
        assert outside.by_slug(SLUG).status_at(stopped_at + timedelta(minutes=6)) == "down"
    assert look(machine) == "success"
    assert pings(outside) == healthy + 1


SPEED = 10  # of the clock outside: six seconds of this machine are its minute
EACH_MINUTE = ("OnCalendar=", "OnCalendar=*-*-* *:*:0/6", "RandomizedDelaySec=0")


def test_a_stopped_timer_is_known_outside_within_six_minutes(
    machine: Machine, outside: Healthchecks, healthy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On compressed time: the timer elapses each minute of the clock outside, and nobody else starts the watch."""
    began, check = datetime.now(UTC), outside.by_slug(SLUG)
    monkeypatch.setattr(outside, "now", lambda: began + SPEED * (datetime.now(UTC) - began))
    with changed(machine, TIMER, *EACH_MINUTE, section="Timer"):
        machine.run("systemctl", "start", TIMER)
        wait_for("the timer's pings", lambda: pings(outside) >= healthy + 3)
        assert check.status_at(outside.now()) == "up"
        machine.run("systemctl", "stop", TIMER)
        running = ("systemctl", "list-units", "--plain", "--no-legend", "--state=activating,active", WATCH, SENDER)
        wait_for("the end of the last pass", lambda: not machine.run(*running).stdout)
        stopped_at = outside.now()
        wait_for("silence", lambda: check.status_at(outside.now()) == "down")
        assert outside.now() - stopped_at <= timedelta(minutes=6)


def test_a_host_whose_database_is_away_says_so_itself_once_and_when_it_is_back(
    fleet: Fleet, machine: Machine, sink: Webhook, healthy: int
) -> None:
    with without_postgresql(fleet):
        assert look(machine) != "success"
        known = json.loads(machine.run("cat", AWAY).stdout)
        assert "PostgreSQL is unreachable" in known["error"]
        known["since"] -= 300  # five minutes ago
        machine.run("sh", "-c", f"echo '{json.dumps(known)}' >{AWAY}")
        for _ in range(3):
            look(machine)
        assert subjects(sink) == ["[app1] the ledger is out of reach"]
    for _ in range(2):
        look(machine)
    assert subjects(sink) == ["[app1] the ledger is out of reach", "[app1] the ledger can be used again"]


def test_a_dead_host_is_known_outside_within_six_minutes(fleet: Fleet, outside: Healthchecks, healthy: int) -> None:
    fleet.kill("app1")
    assert pings(outside) == healthy
    assert outside.by_slug(SLUG).status_at(datetime.now(UTC) + timedelta(minutes=6)) == "down"
