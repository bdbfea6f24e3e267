"""Measure what trials of sandboxes add to an apply: `python -m benchmarks.trials`, as root.

The applies change the schedules of eight jobs on one booted machine, and nothing else but their sandboxes. Each is
compared with an apply that tries none; the median of some rounds counts, so that a busy machine changes little.
"""

from __future__ import annotations

import time
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

from tests.machine.fleet import two_machines

if TYPE_CHECKING:
    from tests.machine.fleet import Fleet

JOBS, ROUNDS = 8, 3
CASES = {  # how many sandboxes are new, and the option of apply
    "no trial (--without-database)": (0, "--without-database"),
    "no sandbox is new": (0, ""),
    "one new sandbox": (1, ""),
    f"{JOBS} new sandboxes": (JOBS, ""),
}


def seconds_of_apply(fleet: Fleet, number: int, new: int, option: str) -> float:
    """Change every job's schedule, and the sandboxes of some; return how long the apply takes."""
    jobs = (
        f"scheduler.add_job(work, 'cron', ['never'], id='job{job}', year={2100 + number}, "
        f"environment={{'ROUND': '{number if job < new else 'first'}', 'SANDBOX': '{job if new > 1 else 0}'}})"
        for job in range(JOBS)
    )
    fleet.write(bench="\n".join(jobs))
    began = time.perf_counter()
    fleet.clocks("app1", "apply", *filter(None, [option]))
    return time.perf_counter() - began


def main() -> None:
    """Print the median of each case, and its ratio to the first."""
    with two_machines("app1") as fleet:
        numbers = count()
        seconds_of_apply(fleet, next(numbers), 0, "")
        taken: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(ROUNDS):
            for case, (new, option) in CASES.items():
                if case == "no sandbox is new":  # so that each is remembered
                    seconds_of_apply(fleet, next(numbers), 0, "")
                taken[case].append(seconds_of_apply(fleet, next(numbers), new, option))
        first = median(next(iter(taken.values())))
        for case, each in taken.items():
            print(f"{case:<32} {median(each):6.2f} s, {median(each) / first:4.2f} times the first", flush=True)


if __name__ == "__main__":
    main()
