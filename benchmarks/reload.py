"""Measure what the lines of timers add to a daemon-reload: `python -m benchmarks.reload`, as root.

On one booted machine, each case beside the same machine without its timers, in turn; the median of some rounds counts.
systemd evaluates a line in a time zone in a child process, a line in UTC in itself.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from scheduled_tasks.deploy.plan import LINE_SECONDS
from tests.machine.machine import booted

if TYPE_CHECKING:
    from tests.machine.machine import Machine

ROUNDS = 5
CASES = {  # timers, lines in each, the zone of the lines
    "1,000 timers, 1 line each, in UTC": (1000, 1, "UTC"),
    "1,000 timers, 1 line each, in a zone": (1000, 1, "Europe/Paris"),
    "1 timer, 1,000 lines, in UTC": (1, 1000, "UTC"),
    "1 timer, 1,000 lines, in a zone": (1, 1000, "Europe/Paris"),
    "100 timers, 50 lines each, in a zone": (100, 50, "Europe/Paris"),
}


def write(machine: Machine, timers: int, lines: int, zone: str) -> None:
    """Put the timers in place, started, and nothing of another case."""
    machine.run("sh", "-c", "systemctl stop 'bench*.timer'; rm -f /etc/systemd/system/bench*")
    folder = machine.root / "etc/systemd/system"
    for timer in range(timers):
        calendar = "\n".join(
            f"OnCalendar=20{30 + line % 60}-{1 + line % 12:02}-{1 + timer % 28:02} {line // 60 % 24:02}:30 {zone}"
            for line in range(lines)
        )
        (folder / f"bench{timer}.timer").write_text(f"[Timer]\n{calendar}\nUnit=bench.service\n")
    (folder / "bench.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    machine.run("systemctl", "daemon-reload")
    if timers:
        machine.run("systemctl", "start", *(f"bench{timer}.timer" for timer in range(timers)))


def seconds_of_reload(machine: Machine) -> float:
    """How long one takes."""
    began = time.perf_counter()
    machine.run("systemctl", "daemon-reload")
    return time.perf_counter() - began


def main() -> None:
    """Print the median of each case, what it adds to a reload without timers, and what `clocks plan` says of it."""
    with booted("bench") as machine:
        for case, (timers, lines, zone) in CASES.items():
            taken: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(ROUNDS):
                for has_timers, seconds in taken.items():
                    write(machine, timers if has_timers else 0, lines, zone)
                    seconds.append(seconds_of_reload(machine))
            without, with_them = median(taken[False]), median(taken[True])
            said = 0 if zone == "UTC" else LINE_SECONDS * timers * lines
            print(
                f"{case:<38} {with_them:6.2f} s, without {without:.2f} s: {with_them - without:+.2f} s; "
                f"the plan says {said:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
