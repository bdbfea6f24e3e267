"""Two machines with one PostgreSQL: the host's loopback reaches it from both, through a port of this process.

Each has a project whose tasks insert a row, so that a test can compare what was really done with the ledger.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from scheduled_tasks.operate import migrations
from tests.machine import vm_python
from tests.machine.inside import Done, Inside, python_inside
from tests.machine.machine import PATH, REPOSITORY, Machine, booted
from tests.machine.postgresql import by_tcp
from tests.own_postgresql import Server, own_server

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "/srv/fleet"
ETC = "/etc/scheduled-tasks"
CONFIG = f"""
domains = "fleet.tasks"
clocks = "fleet.clocks"
run_task = "{FOLDER}/bin/run-task"
timezone = "UTC"
user = "shop"
credentials = ["database_url"]
"""
TASKS = '''
import logging
import os
import signal
import time
from contextlib import closing

import psycopg

from scheduled_tasks.run.database import database_url

logger = logging.getLogger("fleet")


def leave(what: str) -> None:
    """Insert a row."""
    with closing(psycopg.connect(database_url(), autocommit=True)) as connection:
        connection.execute("INSERT INTO effect (what) VALUES (%s)", [what])


def work(what: str) -> None:
    """A job of the test."""
    leave(what)
    logger.info("worked on %s", what)


def fail() -> None:
    """A job that fails."""
    raise RuntimeError("no luck today")


def spill() -> None:
    """A job that prints its secrets past the log, and fails."""
    print("connected to", database_url(), "with password=sw0rdfish", flush=True)
    raise RuntimeError("no luck today")


def die() -> None:
    """A job that is killed."""
    print("last words \\x1b[2J", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def last(what: str) -> None:
    """A job that takes two minutes."""
    leave(what)
    time.sleep(120)
'''
ENVIRONMENT = {
    "PYTHONPATH": f"{REPOSITORY}:{FOLDER}", "SCHEDULED_TASKS_CONFIG": f"{ETC}/config.toml",
    "CREDENTIALS_DIRECTORY": f"{ETC}/credentials", "PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8",
}  # fmt: skip
COMMAND = '#!/bin/sh\nexport PYTHONPATH={path} {home}\nexec {python} -B -m {module} "$@"\n'


@dataclass
class Fleet:
    """The machines by name, the database, and its server."""

    machines: dict[str, Machine]
    url: str
    server: Server
    pythons: ExitStack
    _insides: dict[int, Inside] = field(default_factory=dict)

    def clocks(self, host: str, *arguments: str, check: bool = True) -> Done:
        """Run `clocks` on a machine as its root, with everything loaded."""
        leader = self.machines[host].leader  # another one after a reboot
        if leader not in self._insides:
            self._insides[leader] = self.pythons.enter_context(python_inside(self.machines[host]))
        done = self._insides[leader].clocks(*arguments, environment=ENVIRONMENT)
        assert done.returncode == 0 or not check, f"clocks {arguments} exited {done}"
        return done

    def ask(self, host: str, *arguments: str) -> Any:
        """Run `clocks … --json` on a machine; return the parsed output, whatever the exit code."""
        done = self.clocks(host, *arguments, "--json", check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def write(self, **clocks: str) -> None:
        """Write clock files on all machines: clock → the text below the imports."""
        for machine in self.machines.values():
            folder = machine.root / f"{FOLDER}/fleet/clocks".lstrip("/")
            for path in folder.glob("*.py"):
                path.unlink()
            (folder / "__init__.py").touch()
            for clock, text in clocks.items():
                imports = "from scheduled_tasks import Clock\nfrom fleet.tasks.jobs import *\n"
                (folder / f"{clock}.py").write_text(f"{imports}scheduler = Clock(memory_max='200M')\n{text}\n")

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def kill(self, host: str) -> None:
        """Cut a machine's power."""
        os.kill(self.machines[host].leader, signal.SIGKILL)


@contextmanager
def two_machines(*names: str, base: Path = Path("/"), connections: int = 600) -> Iterator[Fleet]:
    """Machines with these hostnames and the project, and a PostgreSQL that all of them reach.

    `base` is the root directory with their files; if it isn't this machine's, the tests' Python is put into it.
    `connections` is PostgreSQL's limit.
    """
    with ExitStack() as stack:
        server, url = stack.enter_context(postgresql(connections))
        machines = {name: stack.enter_context(booted(name, base)) for name in names}
        for machine in machines.values():
            machine.run("hostname", machine.name)
            _set_up(machine, url, has_python=base == Path("/"))
        yield Fleet(machines, url, server, stack.enter_context(ExitStack()))


def _set_up(machine: Machine, url: str, *, has_python: bool) -> None:
    # The tests' Python may be in root's home, which the services' user must be able to enter, in this machine only.
    machine.run("chmod", "a+x", "/root")
    furnish(machine.root, url, has_python=has_python)


def furnish(base: Path, url: str, *, has_python: bool) -> None:
    """Put the project below a root directory, with its services' user.

    Args:
        base: the root directory.
        url: the database's URL, as its machine reaches it.
        has_python: whether its machine sees the tests' Python and this checkout; otherwise they are copied.
    """
    subprocess.run(["useradd", "--root", base, "--system", "shop"], check=True)
    root = base / FOLDER.lstrip("/")
    for folder in ("bin", "fleet/tasks", "fleet/clocks"):
        (root / folder).mkdir(parents=True)
    for package in ("fleet", "fleet/tasks"):
        (root / package / "__init__.py").touch()
    (root / "fleet/tasks/jobs.py").write_text(TASKS)
    python = {"python": sys.executable, "path": f"{REPOSITORY}:{FOLDER}", "home": ""}
    if not has_python:
        vm_python.give_python(base)
        python = {
            "python": vm_python.INTERPRETER,
            "path": f"{vm_python.SITE}:{FOLDER}",
            "home": f"PYTHONHOME={vm_python.FOLDER}",
        }
    for command, module in (("run-task", "scheduled_tasks.run.main"), ("clocks", "scheduled_tasks.cli")):
        text = COMMAND.format(module=module, **python)
        (root / "bin" / command).write_text(text)
        (root / "bin" / command).chmod(0o755)
    etc = base / ETC.lstrip("/")
    (etc / "credentials").mkdir(parents=True)
    (etc / "config.toml").write_text(CONFIG)
    (etc / "credentials/database_url").write_text(url)


@contextmanager
def postgresql(connections: int) -> Iterator[tuple[Server, str]]:
    """A server with the ledger's tables, and its URL on this machine's loopback."""
    with own_server(fsync="off", full_page_writes="off", max_connections=connections) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            migrations.migrate(connection, [migrations.OWN])
            connection.execute(
                "CREATE TABLE effect (what text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"
            )
        with by_tcp(server.socket) as port:
            yield server, f"postgresql://postgres@127.0.0.1:{port}/postgres"
