"""Measure what it costs to read clock files in a child process, beside reading them in this one.

    .venv/bin/python -m benchmarks.read_clocks [TIMES]

Both ways by turns, for a small project and for a thousand jobs; prints the medians and their ratio.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from scheduled_tasks.clock_file import read_clock, read_clocks
from scheduled_tasks.clock_job import ReadingContext

CONTEXT = ReadingContext(domains="scheduled_tasks.domains", timezone="UTC", now=datetime.now(UTC))
CLOCK = "from scheduled_tasks import Clock\nfrom scheduled_tasks.bundled.command import run\nscheduler = Clock()\n"
JOB = "scheduler.add_job(run, 'cron', [['/bin/true']], id='job_{}', hour={}, minute={})\n"


def clock(jobs: int) -> str:
    """A clock file with that many jobs."""
    return CLOCK + "".join(JOB.format(number, number % 24, number % 60) for number in range(jobs))


def read_here(files: list[tuple[str, Path]]) -> None:
    """Read clock files in this process."""
    for name, path in files:
        read_clock(path, name, CONTEXT)


def elapsed(act: Callable[[], object]) -> float:
    """How many milliseconds a call takes."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def main(times: int) -> None:
    """Measure and print the results."""
    with tempfile.TemporaryDirectory() as folder:
        for clocks, jobs in ((3, 2), (10, 100)):
            files = [(f"clock_{number}", Path(folder, f"clock_{number}.py")) for number in range(clocks)]
            for _, path in files:
                path.write_text(clock(jobs))
            here, child = [], []
            for _ in range(times + 1):  # the first also imports
                here.append(elapsed(partial(read_here, files)))
                child.append(elapsed(partial(read_clocks, files, CONTEXT)))
            before, after = statistics.median(here[1:]), statistics.median(child[1:])
            sys.stdout.write(
                f"{clocks} clocks with {jobs} jobs each: here {before:.1f} ms, child {after:.1f} ms, "
                f"ratio {after / before:.2f}\n"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
