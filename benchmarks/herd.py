"""Measure what a start costs alone and among hundreds: `python -m benchmarks.herd [N …]`, as root.

On one booted machine, N jobs start at once through their units, beside the same N command lines as transient services
without a sandbox and without a credential. Prints the processor time of the whole machine for each start, and the time
until all have ended. Both sides run in turn, in one run of this program.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.machine.fleet import ETC, FOLDER, two_machines
from tests.machine.machine import cgroups
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.fleet import Fleet

COUNTS = (1, 20, 100, 200)
PATIENCE = 1800.0  # seconds
BARE = """
for n in $(seq {count}); do
    systemd-run --quiet --no-block --unit=bare-{count}-$n --setenv=SCHEDULED_TASKS_CONFIG={etc}/config.toml \
        --setenv=CREDENTIALS_DIRECTORY={etc}/credentials {folder}/bin/run-task jobs.work --clock=bare --job=bare-$n \
        '--args=["bare"]' &
done
wait
"""


@dataclass(frozen=True)
class Cost:
    """What some starts at once cost: processor time for each, and the time until all have ended, in seconds."""

    cpu: float
    wall: float


def cpu_seconds(fleet: Fleet) -> float:
    """The processor time that the machine has used so far."""
    [folder] = [group for group in cgroups(fleet.machines["app1"].root.parent) if is_account(group)]
    usage = folder / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    return int((folder / "cpu.stat").read_text().split()[1]) / 1e6


def is_account(group: Path) -> bool:
    """Whether a control group says how much processor time was used."""
    return (group / "cpuacct.usage").exists() or (group / "cgroup.controllers").exists()


def measured(fleet: Fleet, count: int, clock: str, start: Callable[[], object]) -> Cost:
    """Start something, and wait until that many more runs of a clock have ended."""
    ended = "SELECT count(*) FROM task_run WHERE clock = %s AND status = 'ended'"
    [(before,)] = fleet.query(ended, clock)
    cpu, began = cpu_seconds(fleet), time.perf_counter()
    start()
    wait_for(f"{count} runs", lambda: fleet.query(ended, clock)[0][0] >= before + count, seconds=PATIENCE)
    wall = time.perf_counter() - began
    fleet.machines["app1"].run(
        "sh", "-c", "while systemctl list-units --no-legend --state=active,activating,deactivating "
        "'clock-herd-*.service' 'bare-*' | grep -q .; do sleep 0.1; done", seconds=PATIENCE,
    )  # fmt: skip
    return Cost((cpu_seconds(fleet) - cpu) / count, wall)


def main() -> None:
    """Print a line for each number of starts."""
    counts = tuple(map(int, sys.argv[1:])) or COUNTS
    most = max(counts)
    with two_machines("app1", connections=100 + most) as fleet:
        machine = fleet.machines["app1"]
        fleet.write(
            herd="\n".join(f"scheduler.add_job(work, 'cron', ['u'], id='j{n}', year=2100)" for n in range(most))
        )
        fleet.clocks("app1", "apply")
        machine.run("systemctl", "stop", "clock-watch.timer")
        alone = Cost(0, 0)
        for count in counts:
            units = [f"clock-herd-j{n}.service" for n in range(count)]
            ours = measured(fleet, count, "herd", lambda: machine.run("systemctl", "start", "--no-block", *units))  # noqa: B023
            script = BARE.format(count=count, etc=ETC, folder=FOLDER)
            bare = measured(fleet, count, "bare", lambda: machine.run("sh", "-c", script))  # noqa: B023
            alone = alone if alone.cpu else ours
            print(
                f"{count:4} at once: {ours.cpu:.3f} s of CPU each, {ours.cpu / alone.cpu:.2f} times alone, all ended "
                f"after {ours.wall:.1f} s; bare {bare.cpu:.3f} s, {bare.wall:.1f} s; {ours.wall / bare.wall:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
