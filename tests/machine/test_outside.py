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
from tests.outside.otlp import Receiver, attributes, otlp_receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("outside")  # one machine for all of them

WATCH, TIMER, SENDER = "clock-watch.service", "clock-watch.timer", "clock-notify.service"
AWAY = "/run/scheduled-tasks/database-away.json"
SLUG = "watch-app1"
CONFIGURATION = """
credentials = ["database_url", "notify.healthchecks_api_key", "notify.otlp_headers"]

[notify]
heartbeat_url = "{outside}/ping/{key}/watch-{{host}}?create=1"

[notify.routes.sink]
kind = "webhook"
url = "{sink}"

[traces]
url = "{traces}"
headers_credential = "otlp_headers"
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
def traces() -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def fleet(outside: Healthchecks, sink: Webhook, traces: Receiver) -> Iterator[Fleet]:
    with two_machines("app1") as one:
        machine = one.machines["app1"]
        path = machine.root / f"{ETC}/config.toml".lstrip("/")
        urls = {"outside": outside.url, "key": PING_KEY, "sink": sink.url, "traces": traces.url}
        text = path.read_text().replace('credentials = ["database_url"]\n', "")
        path.write_text(text + CONFIGURATION.format(**urls))
        (path.parent / "credentials/notify.healthchecks_api_key").write_text(API_KEY)
        (path.parent / "credentials/notify.otlp_headers").write_text("X-API-Key: s3cret\n")
        ping = f"{outside.url}/ping/{PING_KEY}/{{clock}}-{{job}}"
        fields = f"hour={FAR_HOUR}, ping='{ping}'"
        killed = f"scheduler.add_job(die, 'cron', hour={FAR_HOUR})"
        one.write(shop=f"scheduler.add_job(work, 'cron', ['a'], id='work', {fields})\n{killed}")
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


def test_a_killed_run_and_a_slot_that_nobody_ran_have_spans(
    fleet: Fleet, machine: Machine, traces: Receiver, healthy: int
) -> None:
    machine.run("systemctl", "start", "--wait", "clock-shop-die.service", check=False)
    # As if the host had been down for a day: the job was due once.
    fleet.query("UPDATE deployed_job SET valid_from = now() - interval '25 hours' WHERE job = 'die'")
    heartbeats = "heartbeat_at = now(), heartbeats_since = now() - interval '1 hour'"
    fleet.query(f"UPDATE host SET accounted_until = now() - interval '25 hours', {heartbeats}")

    def outcomes() -> set[str]:
        look(machine)
        return {*traces.attribute("scheduled_tasks.outcome")}

    try:
        wait_for("the spans", lambda: {"failed", "missed"} <= outcomes())
    except AssertionError as error:
        rows = fleet.query("SELECT status, attempt, reason, error_message FROM task_run")
        log = machine.run("journalctl", "--no-pager", "--lines=40", f"--unit={SENDER}", f"--unit={WATCH}", check=False)
        raise AssertionError(f"{error}: {outcomes()}, {rows}, {log.stdout}") from None
    bad = [span for span in traces.spans.values() if span.status.code == span.status.STATUS_CODE_ERROR]
    assert {span.name for span in bad} == {"jobs.die"}
    ids = {"failed": "", "missed": ""}
    for span in bad:
        known = attributes(span.attributes)
        ids[known["scheduled_tasks.outcome"]] = known["scheduled_tasks.run_id"]
        assert span.trace_id.hex() == known["scheduled_tasks.run_id"].replace("-", "")
    attempts = "SELECT status, run_id::text FROM task_run UNION ALL SELECT status, run_id::text FROM past_attempt"
    assert ids.items() <= set(fleet.query(attempts))
    assert traces.requests[-1].headers["X-API-Key"] == "s3cret"


@contextmanager
def changed(machine: Machine, unit: str, *lines: str) -> Iterator[None]:
    """A unit with other directives."""
    folder = f"/run/systemd/system/{unit}.d"
    text = "\n".join(["[Service]", *lines, ""])
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


def test_with_its_timer_stopped_systemd_starts_no_watch(machine: Machine, outside: Healthchecks, healthy: int) -> None:
    """All passes before this one were started by these tests, and each had exactly one ping."""
    timer = machine.run("systemctl", "show", "--value", "--property=ActiveState", TIMER).stdout.strip()
    assert timer == "inactive"
    assert outside.by_slug(SLUG).status_at(datetime.now(UTC) + timedelta(minutes=6)) == "down"


def test_a_host_whose_database_is_away_says_so_itself_once_and_when_it_is_back(
    fleet: Fleet, machine: Machine, sink: Webhook, healthy: int
) -> None:
    before = len(subjects(sink))
    with without_postgresql(fleet):
        assert look(machine) != "success"
        known = json.loads(machine.run("cat", AWAY).stdout)
        assert "PostgreSQL is unreachable" in known["error"]
        known["since"] -= 300  # five minutes ago
        machine.run("sh", "-c", f"echo '{json.dumps(known)}' >{AWAY}")
        for _ in range(3):
            look(machine)
        assert subjects(sink)[before:] == ["[app1] the ledger is out of reach"]
    for _ in range(2):
        look(machine)
    told = ["[app1] the ledger is out of reach", "[app1] the ledger can be used again"]
    assert subjects(sink)[before:] == told


def test_a_dead_host_is_known_outside_within_six_minutes(fleet: Fleet, outside: Healthchecks, healthy: int) -> None:
    fleet.kill("app1")
    assert pings(outside) == healthy
    assert outside.by_slug(SLUG).status_at(datetime.now(UTC) + timedelta(minutes=6)) == "down"
