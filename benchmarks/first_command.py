"""Compare what the first command of a clone costs, step by step, at two commits: prints CPU seconds and their ratio.

    python benchmarks/first_command.py BEFORE [AFTER] [ROUNDS]

Each round clones both commits, by turns, and runs `bin/setup local` (a virtual environment and its packages),
`clocks setup` (the embedded PostgreSQL, its tables, flags and sample data), a first `run-task`, and `clocks list`. The
packages come from pip's cache after the first round. The CPU time of the server itself is not included.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
STEPS = {
    "bin/setup local": ["bin/setup", "local"],
    "clocks setup": ["bin/clocks", "setup"],
    "run-task": ["bin/run-task", "booking.cancel_expired_bookings"],
    "clocks list, first": ["bin/clocks", "list"],
    "clocks list": ["bin/clocks", "list"],
}


def first_command(commit: str) -> dict[str, float]:
    """The CPU seconds of each step in a new clone of a commit."""
    with tempfile.TemporaryDirectory(prefix="first-") as folder:
        Path(folder).chmod(0o755)  # if root runs this, the server is another user's process
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        subprocess.run(["git", "checkout", "-q", commit], cwd=clone, check=True)
        try:
            return {name: _cpu_seconds(command, clone) for name, command in STEPS.items()}
        finally:
            subprocess.run(["bin/clocks", "setup", "--stop"], cwd=clone, check=True)


def _cpu_seconds(command: list[str], folder: Path) -> float:
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(before: str, after: str, rounds: int) -> None:
    """Measure and print the medians."""
    first_command(after)  # fills pip's cache
    measured = [(first_command(before), first_command(after)) for _ in range(rounds)]
    print(f"{'CPU seconds':20}{'before':>8}{'after':>8}{'ratio, paired':>16}")
    for step in [*STEPS, "all"]:
        pairs = [tuple(sum(cpu.values()) if step == "all" else cpu[step] for cpu in pair) for pair in measured]
        ratio = median(mine / other for other, mine in pairs)
        print(f"{step:20}{median(p[0] for p in pairs):8.2f}{median(p[1] for p in pairs):8.2f}{ratio:16.2f}")


if __name__ == "__main__":
    given = dict(zip(("before", "after", "rounds"), sys.argv[1:], strict=False))
    main(given["before"], given.get("after", "HEAD"), int(given.get("rounds", 3)))
