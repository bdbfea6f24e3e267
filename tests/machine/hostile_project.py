"""A machine with the hostile project and the honest job beside it, and with the roles that the docs recommend."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.machine.faults import CLOCKS
from tests.machine.fleet import ETC, FOLDER, Fleet
from tests.machine.machine import Machine

HOST = "app1"
INTERVAL = 10  # seconds between the slots of the honest job
APART = 1  # seconds from fault to fault
JOBS = {f"{clock}/{job}": fault for clock, jobs in CLOCKS.items() for job, fault in jobs.items()}
CONFIG = """
domains = "fleet.tasks"
clocks = "fleet.clocks"
run_task = "{folder}/bin/run-task"
timezone = "UTC"
credentials = ["database_url", "operators_database_url", "honest.database_url", "greedy.database_url"]
tasks_role = "tasks"
operators_role = "operators"
tasks_tables = ["effect"]
clock_roles = {{honest = "honest", greedy = "greedy"}}
"""
ROLES = """
CREATE ROLE tasks LOGIN CONNECTION LIMIT 40;
CREATE ROLE honest LOGIN CONNECTION LIMIT 10;
CREATE ROLE greedy LOGIN CONNECTION LIMIT 5;
CREATE ROLE operators LOGIN;
"""
DROP_INS = {
    "clock-hostile-": "TimeoutStopSec=10",  # the thread that never ends
    # journald takes so many lines in a second, so that the flood exceeds it on a slow machine too.
    "clock-hostile-floods": "LogRateLimitBurst=100",
}
CLOCK = "from scheduled_tasks import Clock\nfrom fleet.tasks.hostile import *\nscheduler = Clock({options})\n"
HONEST = f"""
scheduler.add_job(honest, "cron", id="tick", second="*/{INTERVAL}")
scheduler.add_job(victim, "cron", id="victim", {{victim}})
"""


class Hostile(NamedTuple):
    """The machine with its database, and when each fault was due."""

    fleet: Fleet
    due: dict[str, datetime]

    @property
    def machine(self) -> Machine:
        return self.fleet.machines[HOST]

    def effect(self, what: str) -> bool:
        """Whether a task has left this."""
        return bool(self.fleet.query("SELECT 1 FROM effect WHERE what = %s", what))

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """A job's rows in the ledger whose run is over."""
        clock, job = name.split("/")
        return self.fleet.query(
            "SELECT status, error_type, exit_code, coalesce(error_message, reason, ''), scheduled_at, attempt, trigger"
            " FROM task_run WHERE clock = %s AND job = %s AND status <> 'started' ORDER BY scheduled_at",
            clock, job,
        )  # fmt: skip


def configure(fleet: Fleet, machine: Machine, *, has_users: bool) -> None:
    root = machine.root
    etc = root / ETC.lstrip("/")
    config = CONFIG.format(folder=FOLDER)
    if has_users:
        for user in ("honest", *CLOCKS):
            subprocess.run(["useradd", "--root", root, "--system", user], check=True)
    (etc / "config.toml").write_text(config)
    for statement in ROLES.strip().splitlines():
        fleet.query(statement)
    for name, role in (
        ("database_url", "tasks"),
        ("operators_database_url", "operators"),
        ("honest.database_url", "honest"),
        ("greedy.database_url", "greedy"),
    ):
        file = etc / f"credentials/{name}"
        file.write_text(fleet.url.replace("postgres@", f"{role}@"))
        file.chmod(0o600)
    for unit, changed in DROP_INS.items():
        drop_in = root / f"etc/systemd/system/{unit}.service.d/90-local.conf"
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(f"[Service]\n{changed}\n")
    shutil.copy(Path(__file__).with_name("hostile_tasks.py"), root / f"{FOLDER}/fleet/tasks/hostile.py".lstrip("/"))
    migrate(machine, fleet.url)


def migrate(machine: Machine, url: str) -> None:
    """Bring the tables and the roles' rights up to date, as the tables' owner."""
    environment = [f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml", f"OPERATORS_DATABASE_URL={url}"]
    machine.run("env", *environment, f"{FOLDER}/bin/clocks", "migrate", seconds=180)


def write_clocks(fleet: Fleet, machine: Machine, first: datetime, *, has_users: bool) -> dict[str, datetime]:
    """Write the clock files, the faults due from an instant on; return when each is."""
    folder = machine.root / f"{FOLDER}/fleet/clocks".lstrip("/")
    (folder / "__init__.py").touch()
    due = {name: first + timedelta(seconds=number * APART) for number, name in enumerate(JOBS)}

    def options(clock: str) -> str:
        return "memory_max='300M'" + (f", user={clock!r}" if has_users else "")

    (folder / "honest.py").write_text(CLOCK.format(options=options("honest")) + HONEST.format(victim=cron(first)))
    honest_slot = first.replace(second=0) + timedelta(minutes=2)
    for clock, jobs in CLOCKS.items():
        lines = [f"HONEST_SLOT = '{honest_slot.isoformat()}'"]
        for job, fault in jobs.items():
            call = fault.call if "'cron'" in fault.call else f"{fault.call}, 'cron'"
            lines.append(f"scheduler.add_job({call}, id={job!r}, {cron(due[f'{clock}/{job}'])}, {fault.options})")
        (folder / f"{clock}.py").write_text(CLOCK.format(options=options(clock)) + "\n".join(lines) + "\n")
    return due


def cron(at: datetime) -> str:
    """The cron fields of one instant."""
    return f"month={at.month}, day={at.day}, hour={at.hour}, minute={at.minute}, second={at.second}"
