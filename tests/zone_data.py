"""Render a clock file in a second Python with other time zone data, as a host had them when its set was made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
# Prints the jobs manifest of a clock file's set, and the lines of each timer.
RENDER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from scheduled_tasks.clock_file import read_clocks
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.render.jobs_manifest import jobs_json
now = datetime(2026, 11, 23, 12, tzinfo=UTC)
clocks = read_clocks([("shop", Path(sys.argv[1]))], ReadingContext(domains="shop.tasks", timezone="", now=now))
lines = {f"clock-shop-{job.id}.timer": job.timing.on_calendar for clock in clocks for job in clock.jobs}
print(json.dumps([jobs_json(clocks), lines]))
"""


def rendered_with(zone_data: Path, clock: Path) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The jobs manifest of the clock shop in this file, and the lines of each timer, with a folder's zone data."""
    python_path = f"{GOLDEN}:{GOLDEN.parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(clock)],
        env={**os.environ, "PYTHONTZPATH": str(zone_data), "PYTHONPATH": python_path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest, lines = json.loads(done.stdout)
    return manifest, {timer: tuple(values) for timer, values in lines.items()}
