"""Measure what a start costs alone and among hundreds: `python -m benchmarks.herd [N …]`, as root.

On one booted machine, N jobs start at once through their units, beside the same N command lines as transient services
without a sandbox and without a credential. Prints the processor time of the whole machine for each start, and the time
until all have ended. Both sides run in turn, in one run of this program.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.machine.fleet import ETC, two_machines
from tests.machine.machine import cpu_seconds
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.fleet import Fleet

COUNTS = (1, 20, 100, 200)
PATIENCE = 1800.0  # seconds
# {command} is the one of our first unit.
BARE = """
for n in $(seq 0 {last}); do
    systemd-run --quiet --no-block --unit=bare-{last}-$n --setenv=SCHEDULED_TASKS_CONFIG={etc}/config.toml \
        --setenv=CREDENTIALS_DIRECTORY={etc}/credentials {command} &
done
wait
"""


@dataclass(frozen=True)
class Cost:
    """What some starts at once cost: processor time for each, and the time until all have ended, in seconds."""

    cpu: float
    wall: float


def measured(fleet: Fleet, count: int, clock: str, start: Callable[[], object]) -> Cost:
    """Start something, and wait until that many more runs of a clock have ended."""
    ended = "SELECT count(*) FROM task_run WHERE clock = %s AND status = 'ended'"
    [(before,)] = fleet.query(ended, clock)
    cpu, began = cpu_seconds(fleet.machines["app1"]), time.perf_counter()
    start()
    wait_for(f"{count} runs", lambda: fleet.query(ended, clock)[0][0] >= before + count, seconds=PATIENCE)
    wall = time.perf_counter() - began
    fleet.machines["app1"].run(
        "sh", "-c", "while systemctl list-units --no-legend --state=active,activating,deactivating "
        "'clock-herd-*.service' 'bare-*' | grep -q .; do sleep 0.1; done", seconds=PATIENCE,
    )  # fmt: skip
    return Cost((cpu_seconds(fleet.machines["app1"]) - cpu) / count, wall)


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
        unit = machine.run("systemctl", "cat", "clock-herd-j0.service").stdout
        [command] = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
        command = command.replace("--clock=herd --job=j0", "--clock=bare --job=j$n")
        alone = Cost(0, 0)
        for count in counts:
            units = [f"clock-herd-j{n}.service" for n in range(count)]
            ours = measured(fleet, count, "herd", lambda: machine.run("systemctl", "start", "--no-block", *units))  # noqa: B023
            script = BARE.format(last=count - 1, etc=ETC, command=command)
            bare = measured(fleet, count, "bare", lambda: machine.run("sh", "-c", script))  # noqa: B023
            alone = alone if alone.cpu else ours
            print(
                f"{count:4} at once: {ours.cpu:.3f} s of CPU each, {ours.cpu / alone.cpu:.2f} times alone, all ended "
                f"after {ours.wall:.1f} s; bare {bare.cpu:.3f} s, {bare.wall:.1f} s; {ours.wall / bare.wall:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
