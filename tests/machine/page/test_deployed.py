"""The page as the role deploys it, on booted hosts: who can connect, what it costs, the proxies of the guide, a phone.

Each test is a step, and follows the one before.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.integration.page.proxied import NAME, PASSWORD
from tests.machine.deployments.steps import rows
from tests.machine.page.hosts import (
    BANK_IS_DOWN,
    SERVICE,
    SOCKET,
    Answer,
    Fleet,
    connect,
    proxy,
    show,
    two_hosts,
)
from tests.machine.waiting import wait_for
from tests.roots import lacking, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Playwright

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("page")  # two machines for all of them

UNITS = ("clocks-page.socket", SERVICE)
INSTALLED = [
    "page | Create the group of those who can connect to the page",
    "page | Set who can connect to the page",
    "page | Install the page's units",
    "page | Listen for the page's readers, now and at boot",
]
REMOVED = [
    "page | Stop serving the page",
    "page | Remove the page's units",
    "page | Remove the group of those who could connect",
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with two_hosts(tmp_path_factory.mktemp("controller")) as fleet:
        yield fleet


def of_the_page(changed: list[str]) -> list[str]:
    return [task for task in changed if task.startswith("page | ")]


def serves(machine: Machine) -> tuple[bool, bool, bool]:
    """Whether a host has the page's units, listens, and has the group."""
    there = any((machine.root / "etc/systemd/system" / unit).exists() for unit in UNITS)
    group = machine.run("getent", "group", "clocks-page", check=False).stdout
    has_socket = machine.run("test", "-S", SOCKET, check=False).returncode == 0
    return there, has_socket and is_listening(machine), bool(group)


def is_listening(machine: Machine) -> bool:
    return machine.run("systemctl", "is-active", "--quiet", UNITS[0], check=False).returncode == 0


def test_a_play_serves_the_page_on_the_named_host_alone(fleet: Fleet) -> None:
    predicted = fleet.controller.play("dry run", "--check").changed
    assert of_the_page(predicted["app1"]) == INSTALLED
    changed = fleet.controller.play("first deploy").changed
    assert {host: of_the_page(tasks) for host, tasks in changed.items()} == {"app1": INSTALLED, "app2": []}
    assert (serves(fleet.app1), serves(fleet.app2)) == ((True, True, True), (False, False, False))
    members = fleet.app1.run("getent", "group", "clocks-page").stdout.strip().rpartition(":")[2]
    assert sorted(members.split(",")) == ["anna", "caddy", "www-data"]
    assert fleet.controller.play("no change").changed == {"app1": [], "app2": []}


def test_only_the_page_has_its_secrets(fleet: Fleet) -> None:
    etc = "etc/scheduled-tasks"
    assert (fleet.app1.root / etc / "credentials").is_dir()
    current = "/etc/scheduled-tasks/credentials/current"
    assert fleet.app1.run("stat", "--format=%a %U", f"{current}/page_database_url").stdout == "600 root\n"
    assert fleet.app2.run("ls", current).stdout.split() == [
        "database_url", "notify.database_url", "operators_database_url",
    ]  # fmt: skip
    for machine in (fleet.app1, fleet.app2):
        named = machine.run("grep", "-r", "page_database_url", "/etc/scheduled-tasks/units/current/", check=False)
        assert (named.returncode, named.stdout) == (1, "")
        assert "page_database_url" not in (machine.root / etc / "config.toml").resolve().name
    [text] = [fleet.app2.run("cat", f"/{etc}/config.toml").stdout]
    assert "[page]" not in text


def test_members_of_the_group_connect_as_themselves_and_nobody_else_does(fleet: Fleet) -> None:
    [answer] = connect(fleet.app1, "anna", {})
    assert (answer.status, "You are <strong>anna</strong>." in answer.text) == (200, True)
    assert connect(fleet.app1, "bert", {}) == []


def test_a_header_that_no_proxy_sent_is_refused(fleet: Fleet) -> None:
    refused, again = connect(fleet.app1, "anna", {"X-Forwarded-User": "root"}, {"X_Forwarded_User": "root"})
    assert (refused.status, refused.text) == (403, "the header x-forwarded-user counts only from the proxy\n")
    assert (again.status, again.text) == (403, "the header x-forwarded-user is written with _\n")


def test_there_is_no_process_until_somebody_reads_and_none_when_nobody_reads_any_more(
    fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    wait_until_it_has_left(fleet.app1)
    commands = fleet.app1.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert "/systemd" in commands
    assert "clocks page" not in commands
    firsts, seconds = [], []
    for _ in range(2):
        first, second = connect(fleet.app1, "anna", {}, {})
        assert (first.status, second.status) == (200, 200)
        firsts.append(first.seconds)
        seconds.append(second.seconds)
        used = pss(fleet.app1, SERVICE)
        wait_until_it_has_left(fleet.app1)
    record_property("seconds to the first answer after activation", [round(value, 2) for value in firsts])
    record_property("seconds to the next answer", [round(value, 3) for value in seconds])
    record_property("MB of the page", used)
    record_property("MB of the listener", pss(fleet.app2, "clock-listen.service"))
    assert max(firsts) < 20  # on a busy machine; benchmarks/README.md has what it takes on an idle one


def wait_until_it_has_left(machine: Machine) -> None:
    wait_for("the page's end", lambda: show(machine, SERVICE, "ActiveState") == "inactive")
    assert (show(machine, SERVICE, "MainPID"), show(machine, SERVICE, "Result")) == ("0", "success")
    assert is_listening(machine)


def pss(machine: Machine, unit: str) -> float:
    """The memory of a unit's process, its share of common pages included, in MB."""
    pid = wait_for(unit, lambda: int(show(machine, unit, "MainPID")))
    text = machine.run("cat", f"/proc/{pid}/smaps_rollup").stdout
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert match is not None
    return round(int(match[1]) / 1024, 1)


@pytest.mark.parametrize("program", ["nginx", "caddy"])
def test_the_guides_proxy_ends_tls_and_says_who_a_reader_is_whatever_the_reader_says(
    fleet: Fleet, program: str
) -> None:
    with proxy(fleet, program):
        wait_for("the proxy", lambda: answers(fleet))
        assert fleet.ask("", "").status == 401
        assert fleet.ask("anna", "another password").status == 401
        assert who(fleet.ask("anna", PASSWORD)) == "anna"
        assert who(fleet.ask("anna", PASSWORD, X__Forwarded__User="root")) == "anna"
        # nginx drops it; Caddy drops it or passes it on, as its version is, and then the page refuses it.
        spoofed = fleet.ask("anna", PASSWORD, X_Forwarded_User="root")
        assert (spoofed.status, spoofed.text.count("twice")) == (400, 1) or who(spoofed) == "anna"


def answers(fleet: Fleet) -> bool:
    try:
        return fleet.ask("", "").status == 401
    except OSError:
        return False


def who(answer: Answer) -> str:
    """As whom the page knows a reader."""
    assert answer.status == 200, answer
    match = re.search(r"You are <strong>(\w+)</strong>", answer.text)
    return match[1] if match else ""


def test_on_a_phone_from_a_notices_link_to_a_run_that_ended_on_the_other_host_in_five_taps(
    fleet: Fleet, playwright: Playwright
) -> None:
    # Not `browser_type`: pytest runs the tests of a parameter of the session together, so this one before the others.
    require(lacking("the page in a browser", {"chromium": "chromium"}))
    [told] = wait_for(
        "the notice", lambda: [mail for mail in fleet.mail.mails if "billing/export" in mail["Subject"]][:1]
    )
    text = str(told.get_body(("plain",)).get_content())  # type: ignore[union-attr] # every notice has it
    [link] = set(re.findall(rf"https://{NAME}:\d+/job/\S*[a-z]", text))
    resolve = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    with proxy(fleet, "nginx"):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", resolve])
        phone = browser.new_context(
            viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, ignore_https_errors=True,
            http_credentials={"username": "anna", "password": PASSWORD},
        )  # fmt: skip
        page = phone.new_page()
        page.goto(link)  # the first tap
        expect(page.locator("pre.log").first).to_contain_text("the bank answered: 503 Service Unavailable")
        page.locator(".act summary", has_text="Pause").tap()
        page.locator(".act[open]").get_by_label("Reason").fill("the bank is down")
        page.locator(".act[open] button").tap()
        expect(page.locator(".note")).to_contain_text("the bank is down")
        (fleet.app2.root / BANK_IS_DOWN).unlink()
        page.locator(".act summary", has_text="Run this slot again").tap()
        page.locator(".act[open]").get_by_label("Reason").fill("the bank is back")
        page.locator(".act[open] button").tap()  # the fifth
        expect(page.get_by_role("status")).to_contain_text("It ended, after", timeout=120_000)
        browser.close()
    acted = "SELECT asked_by, reason, taken_by, outcome FROM request WHERE kind = 'run'"
    done = [("anna", "the bank is back", "app2", "done")]
    wait_for("the request's end", lambda: rows(fleet.database, acted) == done)
    ran = "SELECT task_run.host, status FROM task_run JOIN request USING (run_id) WHERE request.kind = 'run'"
    assert rows(fleet.database, ran) == [("app2", "ended")]
    paused = "SELECT clock, job, paused_by, reason FROM pause WHERE resumed_at IS NULL"
    assert rows(fleet.database, paused) == [("billing", "export", "anna", "the bank is down")]


def test_the_page_moves_to_another_host(fleet: Fleet) -> None:
    fleet.app2.run("useradd", "anna")
    there = {"scheduled_tasks_page_host": "app2", "scheduled_tasks_page": {}}
    fleet.controller.variables |= there
    predicted = fleet.controller.play("the page moves, dry run", "--check").changed
    changed = fleet.controller.play("the page moves").changed
    assert {host: of_the_page(tasks) for host, tasks in changed.items()} == {"app1": REMOVED, "app2": INSTALLED}
    assert changed == predicted
    assert (serves(fleet.app1), serves(fleet.app2)) == ((False, False, False), (True, True, True))
    [answer] = connect(fleet.app2, "anna", {})
    assert (answer.status, "You are <strong>anna</strong>, who may only look." in answer.text) == (200, True)


def test_a_foreign_unit_of_that_name_stops_the_play_and_a_removal_takes_only_the_roles(fleet: Fleet) -> None:
    theirs = fleet.app1.root / "etc/systemd/system/clocks-page.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    fleet.controller.variables |= {"scheduled_tasks_page_host": "app1"}
    play = fleet.controller.play("a foreign unit", fails=True)
    assert "clocks-page.service exists and is not the role's" in " ".join(play.output.split())
    assert serves(fleet.app2) == (True, True, True)
    removed = fleet.controller.play("remove", playbook="remove").changed
    assert {host: [task for task in tasks if "page" in task] for host, tasks in removed.items()} == {
        "app1": [],
        "app2": [
            "remove | Stop serving the page",
            "remove | Remove the page's units",
            "remove | Remove the group of those who could connect to the page",
        ],
    }
    assert serves(fleet.app2) == (False, False, False)
    assert theirs.exists()
