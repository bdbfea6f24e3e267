"""From a folder with a clock file of APScheduler to timers that fire: an import into the project, and an apply."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.machine.project import ENVIRONMENT, FOLDER, SmallProject
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.xdist_group("imported")

NIGHT = "/srv/night"
CLOCK = '''"""What runs at night."""

from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler(timezone="UTC")


@scheduler.scheduled_job("cron", second="*/2")
def tidy():
    """Tidy up."""


scheduler.start()
'''
# What a deployment adds to the configuration: a user, and here a run-task that only records that it ran.
DEPLOYED = f'run_task = "{FOLDER}/bin/run-task"\nuser = "daemon"\n'


# Only this machine's root has the checkout, in which the commands run as a person's do.
@pytest.mark.parametrize("either_machine", ["this machine's"], indirect=True)
def test_a_clock_file_becomes_a_project_whose_timers_fire(project: SmallProject) -> None:
    machine = project.machine
    root = machine.root / NIGHT.lstrip("/")
    root.mkdir()
    (root / "clock.py").write_text(CLOCK)
    variables = ENVIRONMENT | {"SCHEDULED_TASKS_CONFIG": f"{NIGHT}/pyproject.toml"}

    def clocks(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = ["env", *(f"{name}={value}" for name, value in variables.items())]
        return machine.run(*env, sys.executable, "-m", "scheduled_tasks.cli", *arguments, folder=NIGHT)

    done = clocks("import", "apscheduler", "clock.py", "--into", ".", "--timezone", "UTC")
    assert done.stdout.splitlines()[0] == "1 imported exactly"
    configuration = root / "pyproject.toml"
    table = configuration.read_text().replace('credentials = ["database_url"]\n', "")
    configuration.write_text(table + DEPLOYED)
    clocks("apply")
    wait_for("two runs", lambda: project.runs().count("end tidy") >= 2)
    clocks("remove", "--all")
