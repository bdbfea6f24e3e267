"""Measure what a start costs alone and among hundreds: `python -m benchmarks.herd [N …]`, as root.

On one booted machine, N jobs start in one second: through their units, as transient services with the same command
lines but without a sandbox and without credentials, and by Debian's cron, which this installs there. The three take
turns, in one run of this program. Prints for each the processor time of the whole machine for each start, and the time
until the last run's row is there and until all have ended.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.machine.fleet import ETC, Fleet, two_machines
from tests.machine.machine import Machine, cpu_seconds
from tests.machine.waiting import wait_for

COUNTS = (1, 20, 100, 200, 400)
ROUNDS_ALONE = 10  # of the first figure, with which the others are compared
PATIENCE = 1800.0  # seconds
SETTINGS = f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml CREDENTIALS_DIRECTORY={ETC}/credentials"
# {command} is the one of our first unit. Of 400 systemd-run at once, systemd answers some with an error.
BARE = """
for n in $(seq 0 {last}); do
    until systemd-run --quiet --no-block --unit=bare-{last}-$n env {settings} {command} 2>/dev/null; do
        sleep 0.5
    done &
done
wait
"""
BUSY = (
    "while systemctl list-units --no-legend --state=active,activating,deactivating 'clock-herd-*.service' 'bare-*'"
    " | grep -q .; do sleep 0.1; done"
)


@dataclass(frozen=True)
class Cost:
    """What some starts cost: processor time of each; and the time until all had begun and had ended, in seconds."""

    cpu: float
    begun: float
    ended: float

    def __str__(self) -> str:
        return f"{1000 * self.cpu:5.0f} ms of CPU each, all begun after {self.begun:5.1f} s, ended {self.ended:5.1f} s"


def measured(fleet: Fleet, count: int, clock: str, start: Callable[[], object]) -> Cost:
    """Start something, now or at the instant that it returns, and wait until that many more runs have ended."""
    machine = fleet.machines["app1"]
    rows = "SELECT count(*) FROM task_run WHERE clock = %s AND status = 'ended'"
    [(before,)] = fleet.query(rows, clock)
    cpu, now = cpu_seconds(machine), datetime.now(UTC)
    at = start()
    began = at if isinstance(at, datetime) else now
    wait_for(f"{count} runs", lambda: fleet.query(rows, clock)[0][0] >= before + count, seconds=PATIENCE)
    machine.run("sh", "-c", BUSY, seconds=PATIENCE)
    last = "SELECT max(started_at), max(ended_at) FROM task_run WHERE clock = %s"
    [(started, ended)] = fleet.query(last, clock)
    spent = cpu_seconds(machine) - cpu
    return Cost(spent / count, (started - began).total_seconds(), (ended - began).total_seconds())


def at_once(machine: Machine, *command: str) -> None:
    """Start the jobs with a command."""
    machine.run(*command)


def mean(costs: list[Cost]) -> Cost:
    """The mean of the costs of some rounds."""
    return Cost(*(sum(values) / len(costs) for values in zip(*map(astuple, costs), strict=True)))


def by_cron(machine: Machine, count: int, command: str) -> datetime:
    """Let cron start the jobs in the next minute; return that minute."""
    at = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    line = f"{at:%M %H} * * * root env {SETTINGS} {command.replace('%', chr(92) + '%')} >/dev/null 2>&1\n"
    jobs = "".join(line.replace("$n", str(n)) for n in range(count))
    (machine.root / "etc/cron.d/herd").write_text(f'MAILTO=""\n{jobs}')
    time.sleep((at - datetime.now(UTC)).total_seconds())
    return at


def main() -> None:
    """Print three lines for each number of starts."""
    counts = tuple(map(int, sys.argv[1:])) or COUNTS
    most = max(counts)
    with two_machines("app1", connections=100 + most) as fleet:
        machine = fleet.machines["app1"]
        machine.run("apt-get", "install", "--yes", "--no-install-recommends", "cron")
        machine.run("sed", "-i", "/pam_loginuid/d", "/etc/pam.d/cron")  # fails in a container
        machine.run("systemctl", "restart", "cron")
        jobs = (f"scheduler.add_job(work, 'cron', ['u'], id='j{n}', year=2100)" for n in range(most))
        fleet.write(herd="\n".join(jobs))
        fleet.clocks("app1", "apply")
        machine.run("systemctl", "stop", "clock-watch.timer")
        unit = machine.run("systemctl", "cat", "clock-herd-j0.service").stdout
        [ours] = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
        bare, cron = (ours.replace("--clock=herd --job=j0", f"--clock={clock} --job=j$n") for clock in ("bare", "cron"))
        alone = 0.0
        for count in counts:
            print(f"{count} at once", flush=True)
            units = [f"clock-herd-j{n}.service" for n in range(count)]
            script = BARE.format(last=count - 1, settings=SETTINGS, command=bare)
            at_once = partial(machine.run, "systemctl", "start", "--no-block", *units)
            rounds = ROUNDS_ALONE if count == 1 else 1
            by_units = mean([measured(fleet, count, "herd", at_once) for _ in range(rounds)])
            bare_round = partial(machine.run, "sh", "-c", script)
            as_bare = mean([measured(fleet, count, "bare", bare_round) for _ in range(rounds)])
            with_cron = measured(fleet, count, "cron", partial(by_cron, machine, count, cron))
            alone = alone or by_units.cpu
            print(f"  our units      {by_units}\n  bare services  {as_bare}\n  cron           {with_cron}")
            print(f"  our units: {by_units.cpu / alone:.2f} times the CPU of one alone,", end=" ")
            print(f"ended after {by_units.ended / as_bare.ended:.2f} times the time of bare services", flush=True)


if __name__ == "__main__":
    main()
