"""The first hour: the tutorial from its first command to its last, at a terminal, on minimal Debian 12 and 13.

Each command is typed as it is printed, as root, and on Debian 12 then by a second user of the same machine; only the
last user deploys. It ends with a timer that fired and a row that `ended`. What the screen showed is kept in
docs/recordings (`--write-golden`).
"""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documented import DOCS, blocks
from tests.machine.controller import copy_repository, wheelhouse
from tests.machine.machine import Machine, booted
from tests.machine.screens import Terminal, terminal
from tests.machine.waiting import wait_for
from tests.roots import debian_12, debian_13, require

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("newcomer")  # each machine needs PostgreSQL's port

REPOSITORY = Path(__file__).parents[2]
RECORDING = DOCS / "recordings/first-hour.txt"
WHEELS = "/srv/wheels"  # instead of a package index
PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
PORT = 5432
SUDOERS = 'ada ALL=(ALL) NOPASSWD: ALL\nDefaults env_keep += "PIP_*"\n'
DEPLOY = "sudo apt-get install --yes --no-install-recommends postgresql"  # the first command of the deployment
RAN = "SELECT count(*) FROM task_run WHERE job = 'expire_soon' AND scheduled_at IS NOT NULL AND status = 'ended'"


@pytest.fixture(params=[("Debian 12", "root", "ada"), ("Debian 13", "root")], ids=" ".join)
def fresh_machine(request: pytest.FixtureRequest) -> Iterator[tuple[Machine, tuple[str, ...]]]:
    """A minimal machine with sudo, who uses it one after the other, and a clone in both home folders."""
    system, *users = request.param
    with closing(socket.socket()) as port:
        require(f"port {PORT} is in use" if port.connect_ex(("127.0.0.1", PORT)) == 0 else "")
    wheels = wheelhouse(REPOSITORY / "requirements/local.txt", REPOSITORY / "requirements/build.txt")
    base = debian_12() if system == "Debian 12" else debian_13()
    with booted("machine", base) as machine:
        machine.copy_in(wheels, WHEELS)
        machine.run("sh", "-ec", "apt-get update; apt-get install -qy --no-install-recommends sudo", seconds=300)
        machine.run("useradd", "--create-home", "--shell=/bin/bash", "ada")
        (machine.root / "etc/sudoers.d/ada").write_text(SUDOERS)
        (machine.root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 machine\n")
        for home in ("/root", "/home/ada"):
            copy_repository(machine.root / home.lstrip("/") / "scheduled_tasks")
        machine.run("chown", "--recursive", "ada:", "/home/ada")
        yield machine, tuple(users)


def follow(machine: Machine, person: Terminal, *, until: str = "") -> None:
    """Follow the tutorial: write its files, type its commands."""
    for block in blocks("tutorial.md"):
        if block.language == "python":
            name, _, text = block.text.removeprefix("# ").partition("\n")
            (machine.root / person.home.lstrip("/") / "shop" / name).write_text(text)
        for command, _ in block.steps if block.language == "console" else ():
            if command == until:
                return
            if command == "sudo bin/clocks status":
                wait_for("a run that the timer started", lambda: ran(machine))
            code = {"sudo bin/clocks plan": 2}.get(command, 0)
            person.type(command, code)


def ran(machine: Machine) -> bool:
    query = ("runuser", "--user=postgres", "--", "psql", "-qAt", "--dbname=shop", f"--command={RAN}")
    return machine.run(*query).stdout.strip() != "0"


def test_the_tutorial_leads_from_nothing_to_a_timer_that_fired(
    fresh_machine: tuple[Machine, tuple[str, ...]], request: pytest.FixtureRequest
) -> None:
    machine, users = fresh_machine
    assert "newcomer" in {block.runner for block in blocks("tutorial.md")}
    for user in users:
        with terminal(machine, user, PIP) as person:
            try:
                follow(machine, person, until="" if user == users[-1] else DEPLOY)
            finally:
                sys.stdout.write(person.screen)  # pytest shows it if a test fails
    if request.config.getoption("write_golden"):
        RECORDING.parent.mkdir(exist_ok=True)
        RECORDING.write_text(f"{person.screen.rpartition(chr(10))[0]}\n")
