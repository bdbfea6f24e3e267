"""Somebody is told: a job of a booted host fails, and people hear of it by each kind of route, from real servers.

The host's own timer starts the jobs; clock-notify.service sends, in its sandbox and with a role of its own in the
database. The mail server, the web servers and Alertmanager run beside the machine, on its loopback.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.documented import commands
from tests.machine.fleet import CONFIG, ENVIRONMENT, ETC, FOLDER, Fleet, two_machines
from tests.machine.waiting import wait_for
from tests.roots import lacking, require
from tests.sinks import MailServer, WebServer, mail_server, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("told")

HOST, ROLE = "app1", "teller"
BROKEN = "srv/broken"
TASKS = '''
from pathlib import Path

from scheduled_tasks import log_cron


@log_cron
def work():
    """Fails while a file is there."""
    if Path("/srv/broken").exists():
        print("opening the report, password=hunter2hunter2", flush=True)
        raise OSError("the disk is full")
'''
KINDS = ("mail", "webhook", "apprise", "alertmanager")
JOBS = "from fleet.tasks.told import work\n" + "".join(
    f'scheduler.add_job(work, "cron", id="by_{kind}", second="*/30", notify="{kind}")\n' for kind in KINDS
)
NOTIFY = """
notifier_role = "{role}"

[notify]
default = ["mail"]
alertmanager_url = "{alertmanager}"

[notify.routes.mail]
kind = "mail"
credential = "mail_url"
from = "clocks@example.org"
to = ["ops@example.org"]
allow_network = []

[notify.routes.webhook]
kind = "webhook"
credential = "webhook_url"
allow_network = []

[notify.routes.apprise]
kind = "apprise"
credential = "apprise_url"
allow_network = []
"""


@dataclass
class Told:
    """The host, and the servers by which people hear of it."""

    fleet: Fleet
    mail: MailServer
    webhook: WebServer
    apprise: WebServer
    alertmanager: str
    webhook_answers: threading.Event

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that amtool lists."""
        command = ["amtool", "alert", "query", f"--alertmanager.url={self.alertmanager}", "--output=json"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        listed: list[dict[str, Any]] = json.loads(printed)
        return listed

    def mails_of(self, what: str) -> list[str]:
        """The texts of the mails whose subject contains something."""
        found = [mail for mail in self.mail.mails if what in str(mail["Subject"])]
        return [str(mail.get_body(("plain",)).get_content()) for mail in found]  # type: ignore[union-attr]

    def wait_for(self, what: str, question: Any) -> Any:
        """Wait; if it does not come true, show what the sender says."""
        try:
            return wait_for(what, question)
        except AssertionError as error:
            machine = self.fleet.machines[HOST]
            said = machine.run("journalctl", "--no-pager", "--unit=clock-notify", "--unit=clock-watch", check=False)
            notices = self.fleet.query("SELECT incident, what, route, tries, error, sent_at, dropped FROM notice")
            raise AssertionError(f"{error}\n{said.stdout[-4000:]}\n{notices}") from None


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """Debian's Alertmanager, which tells nobody, until the end of the block; its URL."""
    binaries = {"prometheus-alertmanager": "prometheus-alertmanager", "amtool": "prometheus-alertmanager"}
    require(lacking("alerts in Alertmanager", binaries, root=False))
    configuration = folder / "alertmanager.yml"
    configuration.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        str(shutil.which("prometheus-alertmanager")), f"--config.file={configuration}", f"--storage.path={folder}/data",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "alertmanager.log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        try:
            wait_for("Alertmanager", lambda: answers(address))
            yield f"http://{address}"
        finally:
            process.terminate()


def answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with closing(socket.socket()) as connection:
        return connection.connect_ex((host, int(port))) == 0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A host that was deployed once, with all four kinds of routes."""
    with ExitStack() as stack:
        alerts = stack.enter_context(alertmanager(tmp_path_factory.mktemp("alertmanager")))
        answers = threading.Event()
        answers.set()
        servers = mail_server(auth_require_tls=False), web_server(on_request=lambda _: answers.wait(60)), web_server()
        mail, webhook, apprise = (stack.enter_context(server) for server in servers)
        assert isinstance(mail, MailServer)
        assert isinstance(webhook, WebServer)
        assert isinstance(apprise, WebServer)
        fleet = stack.enter_context(two_machines(HOST))
        fleet.query(f"CREATE ROLE {ROLE} LOGIN")
        root = fleet.machines[HOST].root
        (root / f"{FOLDER}/fleet/tasks/told.py".lstrip("/")).write_text(TASKS)
        urls = {
            "database_url": fleet.url.replace("//postgres@", f"//{ROLE}@"),
            "mail_url": f"smtp://127.0.0.1:{mail.port}",
            "webhook_url": f"{webhook.url}/hook",
            "apprise_url": apprise.url.replace("http://", "json://"),
        }
        for name, url in urls.items():
            (root / f"{ETC}/credentials/notify.{name}".lstrip("/")).write_text(url)
        names = ["database_url", *(f"notify.{name}" for name in urls)]
        config = CONFIG.replace('["database_url"]', json.dumps(names))
        config += NOTIFY.format(role=ROLE, alertmanager=alerts)
        (root / f"{ETC}/config.toml".lstrip("/")).write_text(config)
        (root / BROKEN).touch()
        fleet.write(night=JOBS)
        fleet.clocks(HOST, "migrate")
        fleet.clocks(HOST, "apply")
        yield Told(fleet, mail, webhook, apprise, alerts, answers)


def test_people_are_told_by_each_kind_of_route(told: Told) -> None:
    [text] = told.wait_for("a mail", lambda: told.mails_of("night/by_mail"))[:1]
    assert "the disk is full" in text
    assert "opening the report, password=***" in text
    assert "clocks show" in text or "clocks logs" in text
    told.wait_for("a webhook", lambda: told.webhook.requests)
    posted = told.webhook.requests[0].json
    assert (posted["what"], [one["job"] for one in posted["incidents"]]) == ("opened", ["by_webhook"])
    told.wait_for("Apprise", lambda: told.apprise.requests)
    assert "night/by_apprise" in told.apprise.requests[0].json["title"]
    told.wait_for("all alerts", lambda: len(told.alerts()) == len(KINDS))
    alert = next(one for one in told.alerts() if one["labels"]["job"] == "by_alertmanager")
    assert alert["labels"] == {
        "alertname": "ScheduledTaskFailing", "kind": "failing", "clock": "night", "job": "by_alertmanager",
        "severity": "critical",
    }  # fmt: skip
    assert "the disk is full" in alert["annotations"]["description"]


def test_each_incident_is_told_once_and_closed_once(told: Told) -> None:
    (told.fleet.machines[HOST].root / BROKEN).unlink()
    told.wait_for("a second mail", lambda: len(told.mails_of("night/by_mail")) == 2)
    told.wait_for("a second webhook", lambda: len(told.webhook.requests) == 2)
    assert [posted.json["what"] for posted in told.webhook.requests] == ["opened", "closed"]
    assert len({posted.headers["Idempotency-Key"] for posted in told.webhook.requests}) == 2
    told.wait_for("the end of the alert", lambda: "by_alertmanager" not in str(told.alerts()))
    pending = "SELECT count(*) FROM notice WHERE sent_at IS NULL AND dropped IS NULL AND what <> 'still'"
    told.wait_for("the last notice", lambda: told.fleet.query(pending) == [(0,)])
    assert told.fleet.query("SELECT what, count(*) FROM notice WHERE sent_at IS NOT NULL GROUP BY 1 ORDER BY 1") == [
        ("closed", len(KINDS)), ("opened", len(KINDS)),
    ]  # fmt: skip


def test_a_test_of_the_routes_is_sent_from_inside_the_senders_sandbox(told: Told) -> None:
    before = len(told.mail.mails)
    answer = told.fleet.ask(HOST, "notify", "test")
    assert answer["inside_sandbox"]
    assert {one["route"]: one["sent"] for one in answer["routes"]} == dict.fromkeys(KINDS, True), answer
    [mail] = told.mail.mails[before:]
    assert f"root has tested the route mail from {HOST}" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_the_guides_command_sends_a_test(told: Told) -> None:
    [command] = commands("how-to/be-told.md", "told")
    done = told.fleet.clocks(HOST, *command.removeprefix("clocks ").split())
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == list(KINDS)


def test_a_route_that_fails_is_named_and_why(told: Told) -> None:
    told.webhook.answers = [(410, {}, b"gone")]
    done = told.fleet.clocks(HOST, "notify", "test", "webhook", check=False)
    assert (done.returncode, done.stdout) == (
        75,
        f"webhook (webhook): not sent: {told.webhook.url} answered 410 Gone: gone\n",
    )
    done = told.fleet.clocks(HOST, "notify", "test", "webhok", check=False)
    assert (done.returncode, "write webhook" in done.stderr) == (64, True)


def test_no_job_and_nobody_else_sees_the_senders_credentials(told: Told) -> None:
    machine = told.fleet.machines[HOST]
    shown = machine.run("systemctl", "cat", "clock-night-by_mail.service", "clock-watch.service").stdout
    assert "notify." not in shown.replace("notify.service", "")
    assert (
        machine.run("systemctl", "show", "--property=DynamicUser", "clock-notify.service").stdout == "DynamicUser=yes\n"
    )


def in_run(machine: Machine, *patterns: str) -> list[str]:
    """The files and folders in /run with names like these."""
    names = " -o ".join(f"-name '{pattern}'" for pattern in patterns)
    return machine.run("sh", "-c", rf"find /run -path /run/systemd/units -prune -o \( {names} \) -print").stdout.split()


def test_a_test_that_is_killed_leaves_nothing_once_something_is_applied(told: Told) -> None:
    machine = told.fleet.machines[HOST]
    left = ("scheduled-tasks-inside-*", "inside-*")
    told.webhook_answers.clear()
    variables = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    command = f"{variables} {FOLDER}/bin/clocks notify test webhook >/dev/null 2>&1 & echo $!"
    process = machine.run("sh", "-c", command).stdout.strip()
    running = ("systemctl", "list-units", "--plain", "--no-legend", "--state=activating", "scheduled-tasks-inside-*")
    wait_for("the test's unit", lambda: machine.run(*running).stdout)
    machine.run("kill", "-KILL", process)
    assert in_run(machine, *left) != []
    told.webhook_answers.set()
    wait_for("the unit's end", lambda: not machine.run(*running).stdout)
    told.fleet.clocks(HOST, "apply")
    assert in_run(machine, *left) == []
    assert machine.run("systemctl", "list-units", "--all", "--no-legend", "scheduled-tasks-inside-*").stdout == ""


def test_a_removal_leaves_nothing_of_the_sender(told: Told) -> None:
    machine = told.fleet.machines[HOST]
    assert "/run/scheduled-tasks-notify" in in_run(machine, "scheduled-tasks-notify")
    told.fleet.clocks(HOST, "remove", "--all")
    wait_for(
        "the jobs' end", lambda: not machine.run("systemctl", "list-units", "--no-legend", "clock-*.service").stdout
    )
    told.fleet.clocks(HOST, "remove", "--all")
    assert in_run(machine, "*scheduled-tasks*", "clock-*") == []
