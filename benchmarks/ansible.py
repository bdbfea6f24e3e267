"""Measure a play that changes nothing, with a thousand jobs, and Ansible's own minimum: an empty play.

    sudo .venv/bin/python -m benchmarks.ansible [JOBS]

Boots a Debian 13, deploys the tests' shop with that many jobs, and runs each play three times. Needs what the
machine tests need: root and systemd-container.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.machine.controller import ANSIBLE, REPOSITORY, SECRET, SHOP, Controller, set_up, wheelhouse
from tests.machine.machine import booted
from tests.machine.postgresql import postgresql
from tests.roots import debian_13

TIMES = 3
EMPTY = """
- hosts: scheduled_tasks
  gather_facts: false
  tasks:
    - ansible.builtin.command: "true"
      changed_when: false
"""


def clock(jobs: int) -> str:
    """A clock file with that many jobs."""
    lines = ["from scheduled_tasks import Clock", "from shop.tasks.mail import remind", "scheduler = Clock()"]
    lines += [
        f"scheduler.add_job(remind, 'cron', id='job_{number}', hour={number % 24}, minute={number % 60})"
        for number in range(jobs)
    ]
    return "\n".join(lines) + "\n"


def main(jobs: int) -> None:
    """Measure and print the results."""
    wheels = wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")
    with (
        tempfile.TemporaryDirectory() as folder,
        booted("app1", debian_13()) as machine,
        postgresql(SECRET) as database,
    ):
        database.introduce_to(machine)
        variables = {
            **database.variables,
            "scheduled_tasks_wheelhouse": str(wheels),
            "scheduled_tasks_cache": f"{folder}/cache",
            "scheduled_tasks_require_synchronised_clock": False,
        }
        controller = set_up(Path(folder), {"app1": machine}, variables)
        controller.write("shop/clocks/many.py", clock(jobs))
        controller.play(f"first deploy, {jobs} jobs", "--limit=app1")
        controller.write("empty.yml", EMPTY)
        print(controller.show_table())
        nothing = [controller.play("no change", "--limit=app1") for _ in range(TIMES)]
        empty = [seconds_of_an_empty_play(controller) for _ in range(TIMES)]
        load = os.getloadavg()[0]
    median = statistics.median(play.seconds for play in nothing)
    print(f"\na play that changes nothing, {jobs} jobs: {median:.1f} s, {nothing[0].ran} tasks")
    print(f"an empty play: {statistics.median(empty):.1f} s; load of the machine meanwhile: {load:.1f}")


def seconds_of_an_empty_play(controller: Controller) -> float:
    """How long Ansible takes for one task that does nothing."""
    begun = time.monotonic()
    inventory = f"--inventory={controller.folder}/machines.json"
    subprocess.run(
        [ANSIBLE / "ansible-playbook", inventory, "empty.yml"],
        cwd=controller.project,
        env=os.environ | controller.environment(),
        check=True,
        capture_output=True,
    )
    return time.monotonic() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
