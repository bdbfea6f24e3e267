"""A small project in a machine: a test writes its clocks, and its jobs only record that they ran.

`run_task` is a shell script that writes `start JOB` and `end JOB` to a file; in between it waits while HOLD exists.
That keeps hundreds of applies quick, without a database.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.machine.machine import PATH

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from tests.machine.inside import Done, Inside
    from tests.machine.machine import Machine

REPOSITORY = Path(__file__).parents[2]
FAR_HOUR = (datetime.now(UTC).hour + 12) % 24  # an hour of the day, in UTC, that does not occur while the tests run
LATER_HOUR = (FAR_HOUR + 1) % 24
FOLDER = "/srv/small"
RUNS = "/run/small/runs"
HOLD = "/run/small.hold"  # while it exists, runs go on
CONFIG = f"""
domains = "small.tasks"
clocks = "small.clocks"
run_task = "{FOLDER}/bin/run-task"
timezone = "UTC"
user = "daemon"
"""
RUN_TASK = f"""#!/bin/sh
# TASK --clock=CLOCK --job=JOB …, or --probe TASK …
if [ "$1" = --probe ]; then echo '{{"address": ""}}'; exit; fi
job=${{3#--job=}}
echo "start $job" >>{RUNS}
while [ -e {HOLD} ]; do sleep 0.1; done
echo "end $job" >>{RUNS}
"""
ENVIRONMENT = {
    "PYTHONPATH": f"{REPOSITORY}:{FOLDER}", "SCHEDULED_TASKS_CONFIG": f"{FOLDER}/config.toml",
    "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip
PLAIN = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
# A job can write its record; otherwise it runs as every job does.
WRITABLE = "[Service]\nReadWritePaths=/run\n"


@dataclass(frozen=True)
class SmallProject:
    """The project in a machine.

    Attributes:
        inside: the Python process in the machine that runs `clocks` with everything loaded; without it, each call is a
            process of its own, like an operator's.
        apply_seconds: how long each apply has taken.
    """

    machine: Machine
    inside: Inside | None = None
    apply_seconds: list[float] = field(default_factory=list)

    def write(self, options: str = "", /, **clocks: dict[str, tuple[str, bool]]) -> None:
        """Write the clock files: for each clock its jobs, each with its fields and whether it catches up.

        `options` are the arguments of every `Clock(…)`.
        """
        write_clocks(self.machine.root / f"{FOLDER}/small/clocks".lstrip("/"), clocks, options)

    def clocks(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str] | Done:
        """Run `clocks` in the machine."""
        if self.inside is None:
            env = ["env", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
            return self.machine.run(*env, sys.executable, "-m", "scheduled_tasks.cli", *arguments, check=check)
        done = self.inside.clocks(*arguments, environment=ENVIRONMENT | PLAIN)
        assert done.returncode == 0 or not check, f"clocks {arguments} exited {done}"
        return done

    def code(self, source: str, *arguments: str, check: bool = True) -> Done:
        """Run a program in the machine, with the project importable."""
        assert self.inside is not None
        done = self.inside.code(source, *arguments, environment=ENVIRONMENT | PLAIN)
        assert done.returncode == 0 or not check, str(done)
        return done

    def apply(self) -> dict[str, Any]:
        """Run `clocks apply`, and return what it did."""
        began = time.monotonic()
        done: dict[str, Any] = json.loads(self.clocks("apply", "--json").stdout)
        self.apply_seconds.append(time.monotonic() - began)
        return done

    def soon(self) -> float:
        """In how many seconds something can be due that two applies are to precede, however busy the machine is."""
        return 6 + 5 * max(self.apply_seconds[-3:], default=1)

    def runs(self) -> list[str]:
        """The lines that the jobs wrote."""
        path = self.machine.run("sh", "-c", f"cat {RUNS} 2>/dev/null || true").stdout
        return path.splitlines()

    def show(self, unit: str, properties: str) -> dict[str, str]:
        """Properties of a unit."""
        printed = self.machine.run("systemctl", "show", unit, f"--property={properties}").stdout
        return dict(line.partition("=")[::2] for line in printed.splitlines())

    def hold(self) -> None:
        """Let runs go on until `release`."""
        self.machine.run("touch", HOLD)

    def release(self) -> None:
        """Let runs end."""
        self.machine.run("rm", "-f", HOLD)

    def reset(self) -> None:
        """Remove the record of runs, and let runs end."""
        self.machine.run("rm", "-f", RUNS, HOLD)


def set_up(machine: Machine, inside: Inside | None = None) -> SmallProject:
    """Put the project into a machine."""
    furnish(machine.root)
    machine.run("install", "--directory", "--mode=777", str(Path(RUNS).parent))
    return SmallProject(machine, inside)


def furnish(base: Path) -> None:
    """Put the project's files below a root directory."""
    root = base / FOLDER.lstrip("/")
    for folder in ("bin", "small/tasks", "small/clocks"):
        (root / folder).mkdir(parents=True)
    for package in ("small", "small/tasks"):
        (root / package / "__init__.py").touch()
    (root / "small/tasks/jobs.py").write_text('def task() -> None:\n    """A job of the test."""\n')
    (root / "config.toml").write_text(CONFIG)
    (root / "bin/run-task").write_text(RUN_TASK)
    (root / "bin/run-task").chmod(0o755)
    write_local(base)


def write_clocks(folder: Path, clocks: Mapping[str, Mapping[str, tuple[str, bool]]], options: str = "") -> None:
    """Write clock files: for each clock its jobs, each with its fields and whether it catches up."""
    for path in folder.glob("*.py"):
        path.unlink()
    (folder / "__init__.py").touch()
    for clock, jobs in clocks.items():
        lines = [
            "from scheduled_tasks import Clock",
            "from small.tasks.jobs import task",
            f"scheduler = Clock({options})",
        ]
        for job, (fields, catches_up) in jobs.items():
            grace = "None" if catches_up else "1"
            lines.append(f"scheduler.add_job(task, 'cron', id={job!r}, misfire_grace_time={grace}, **dict({fields}))")
        (folder / f"{clock}.py").write_text("\n".join(lines) + "\n")


def write_local(base: Path) -> None:
    """Let the jobs write their record, with an operator's drop-in."""
    drop_in = base / "etc/systemd/system/clock-.service.d/90-local.conf"
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(WRITABLE)


def at(seconds: float) -> str:
    """The cron fields of the time of day so many seconds from now, in UTC."""
    when = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"hour={when.hour}, minute={when.minute}, second={when.second}"


def sleep_until(instant: float) -> None:
    """Sleep: the test is about a due time that passes, so there is nothing else to wait for."""
    time.sleep(max(0.0, instant - time.time()))
