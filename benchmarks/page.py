"""Time each screen of the page over a large ledger: to the first byte, compressed, and until Chromium can use it.

    python -m benchmarks.page [MILLIONS] [JOBS] [FOLDER]

The ledger is that of benchmarks.questions, in FOLDER if it was kept. Its newest run is of END, so screens that show a
time ask for that one, and for the present, when slots are due. The first request of a process also reads and evaluates
all jobs, and the first forecast all schedules: they are printed separately. benchmarks/screens.py has what is measured.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.questions import END, open_ledger
from benchmarks.screens import measure
from scheduled_tasks.operate import migrations
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.page.access import AccessSettings
from scheduled_tasks.page.access.actor import Authority
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import serving

if TYPE_CHECKING:
    import psycopg

AT = END.strftime("%Y-%m-%dT%H:%MZ")
BUDGET = "budget: 150 ms to the first byte, 60 kB compressed, usable in Chromium within 1 s"
MAX_COUNTING = 240.0  # seconds in which the roll-up is filled, if it was not


def main(millions: float, jobs: int, folder: Path | None) -> None:
    """Print the figures of each screen."""
    with open_ledger(millions, jobs, folder) as connection:
        migrations.migrate(connection, [migrations.OWN])
        until = time.monotonic() + MAX_COUNTING
        while count_slots(connection) and time.monotonic() < until:
            pass
        access = AccessSettings(b"a benchmark", Authority(admins=frozenset({"anna"})), local_user="anna")
        with serving(create_app(connection.info.dsn, zone="Europe/Paris", access=access)) as url:
            print(BUDGET)
            for name, path in (("request", "/"), ("forecast", "/forecast")):
                began = time.monotonic()
                httpx.get(url + path, timeout=60).raise_for_status()
                print(f"the first {name} of a process: {(time.monotonic() - began) * 1000:.0f} ms")
            measure(url, _paths(connection))


def _paths(connection: psycopg.Connection[Any]) -> dict[str, str]:
    [(run_id,)] = connection.execute(
        "SELECT run_id FROM task_run WHERE status = 'failed' ORDER BY started_at DESC LIMIT 1"
    ).fetchall()
    return {
        "Now": "/",
        "Jobs": "/jobs",
        "Jobs, found": "/jobs?q=j77",
        "Jobs, bad": "/jobs?state=bad",
        "Jobs of a clock": "/jobs/c7",
        "Job": "/job/c7/j7",
        "Run that failed": f"/run/{run_id}",
        "Timeline 24 h": f"/timeline?at={AT}",
        "Timeline 7 d": f"/timeline?span=7d&at={AT}",
        "Timeline 24 h, ahead": "/timeline",
        "Timeline 7 d, ahead": "/timeline?span=7d",
        "Timeline by host": f"/timeline?by=host&at={AT}",
        "Timeline by owner": f"/timeline?by=owner&at={AT}",
        "Timeline of a clock": f"/timeline?clock=c7&span=6h&at={AT}",
        "… 24 h": f"/timeline?clock=c7&span=24h&at={AT}",
        "… 7 d": f"/timeline?clock=c7&span=7d&at={AT}",
        "Forecast": "/forecast",
        "Incidents": "/incidents",
        "Flags": "/flags",
        "Pauses": "/pauses",
        "Hosts": "/hosts",
        "Changes": "/changes",
    }


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 10,
        int(sys.argv[2]) if len(sys.argv) > 2 else 10_000,  # noqa: PLR2004 - the second argument
        Path(sys.argv[3]) if len(sys.argv) > 3 else None,  # noqa: PLR2004 - the third
    )
