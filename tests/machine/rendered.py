"""A test's own jobs on a machine: rendered from a clock file as usual, with a script in place of run-task."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.secrets import copies_service
from scheduled_tasks.render.units import render

if TYPE_CHECKING:
    from scheduled_tasks.render.unit_set import UnitSet
    from tests.machine.machine import Machine

GOLDEN = Path(__file__).parents[1] / "golden"  # contains the shop, whose tasks the clocks name
OUT = "/srv/out"  # every user can write there, and the test reads it
RUN_TASK = "/usr/local/bin/run-script"

# It gets run-task's arguments, and runs the script named after the job's id.
RUN_SCRIPT = """#!/bin/sh
umask 0
for argument; do case $argument in --job=*) job=${argument#--job=};; esac; done
exec "/srv/jobs/$job"
"""


@dataclass
class Jobs:
    """A clock and its jobs, each with a script to run.

    Attributes:
        options: the arguments of `Clock(…)`, as source text.
        scripts: job → its script.
        lines: the `add_job` lines.
    """

    clock: str
    options: str
    scripts: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def add(self, job: str, script: str, options: str = "", *, task: str = "recount", shell: str = "/bin/sh") -> None:
        """Add a job that is never due: tests start its service."""
        self.scripts[job] = f"#!{shell}\n{script}\n"
        self.lines.append(f'scheduler.add_job({task}, "cron", id="{job}", year=2100, {options})')

    def put_on(self, machine: Machine, folder: Path, host: Host) -> None:
        """Render the clock onto a machine without an apply, and reload systemd."""
        units = self.write_into(machine.root, folder, host)
        machine.run("install", "--directory", "--mode=777", OUT)
        machine.run("systemctl", "daemon-reload")
        if service := copies_service(units):
            machine.run("systemctl", "start", service)  # as an apply does

    def write_into(self, root: Path, folder: Path, host: Host) -> UnitSet:
        """Render the clock and write its units and scripts below a root directory."""
        path = folder / f"{self.clock}.py"
        text = "from shop.tasks.booking import count, recount, remind\nfrom scheduled_tasks import Clock, app\n"
        path.write_text(f'{text}scheduler = Clock(timezone="UTC", {self.options})\n' + "\n".join(self.lines) + "\n")
        if str(GOLDEN) not in sys.path:
            sys.path.insert(0, str(GOLDEN))
        context = ReadingContext(domains="shop.tasks", timezone="", now=datetime.now(UTC))
        units = render([read_clock(path, self.clock, context)], host)
        for name, content in units.items():
            if not (
                root / "etc/systemd/system" / name
            ).is_symlink():  # a deployed machine has links for the shared ones
                write_below(root, f"/etc/systemd/system/{name}", content)
        write_below(root, RUN_TASK, RUN_SCRIPT, mode=0o755)
        for job, script in self.scripts.items():
            write_below(root, f"/srv/jobs/{job}", script, mode=0o755)
        return units

    def service(self, job: str) -> str:
        """A job's service."""
        return f"clock-{self.clock}-{job}.service"


def host(**changes: object) -> Host:
    """A host whose services run the tests' scripts, as dynamic users."""
    return Host(run_task=RUN_TASK, configuration=Path("/etc/scheduled-tasks/config.toml"), **changes)  # type: ignore[arg-type]


def write(machine: Machine, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file of the machine."""
    write_below(machine.root, path, text, mode)


def write_below(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file below a root directory."""
    inside = root / path.lstrip("/")
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.write_text(text)
    inside.chmod(mode)


def values(machine: Machine, unit: str, *properties: str) -> list[str]:
    """The values of a unit's properties, in the given order."""
    shown = machine.run("systemctl", "show", unit, f"--property={','.join(properties)}").stdout
    pairs = dict(line.split("=", 1) for line in shown.splitlines())
    return [pairs[name] for name in properties]


def start(machine: Machine, *units: str) -> None:
    """Start services, and wait until they have ended."""
    machine.run("systemctl", "start", "--wait", *units, check=False)
