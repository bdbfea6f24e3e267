"""Measure what an import costs: prints the CPU seconds of the slowest files of the corpus, and of an every-second job.

    python -m benchmarks.imports

The aim is a second for a job that runs every second, which is compared with APScheduler over the nights of change, and
two for any file of tests/import_corpus. The start of the command is included once, at the top.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.unit.importers.corpus import Case, cases, run

EVERY_SECOND = """from apscheduler.schedulers.blocking import BlockingScheduler

def tidy():
    print("tidy")

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(tidy, "cron", second="*")
"""
ROUNDS = 5
SHOWN = 5


def cpu_seconds(case: Case, kind: str) -> float:
    """The CPU seconds of one import."""
    with tempfile.TemporaryDirectory() as folder:
        before = time.process_time()
        run(case, kind, Path(folder))
        return time.process_time() - before


def main() -> None:
    """Measure and print."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "scheduled_tasks.cli", "import", "apscheduler", "--help"], check=True,
                   capture_output=True)  # fmt: skip
    print(f"{time.perf_counter() - began:6.2f}  the start of the command")
    arguments = ("clock.py", "--timezone", "Europe/Paris")
    measured = {"an every-second job": [Case("every_second", arguments, {"clock.py": EVERY_SECOND}, ())] * ROUNDS}
    seconds = {name: median(cpu_seconds(case, "apscheduler") for case in rounds) for name, rounds in measured.items()}
    for file, kind in (("clock_files.txt", "apscheduler"), ("crontabs.txt", "crontab")):
        default = "clock.py --timezone Europe/Paris" if kind == "apscheduler" else "{} --timezone Europe/Paris"
        for case in cases(file, default):
            seconds[f"{file}: {case.name}"] = cpu_seconds(case, kind)
    shown = sorted(seconds, key=lambda name: seconds[name], reverse=True)[: SHOWN + 1]
    for name in shown:
        print(f"{seconds[name]:6.2f}  {name}")
    print(f"{sum(seconds.values()) / len(seconds):6.2f}  the mean of {len(seconds)} files")


main()
