"""Time each screen of the page over a large ledger: to the first byte, compressed, and until Chromium can use it.

    python -m benchmarks.page [MILLIONS] [JOBS] [FOLDER]

The ledger is that of benchmarks.questions, in FOLDER if it was kept, up to the last hour. The first request of a
process also reads and evaluates all jobs, and the first forecast all schedules: they are printed separately. What is
measured is in benchmarks/screens.py.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.questions import continue_ledger, open_ledger
from benchmarks.screens import measure
from scheduled_tasks.operate import migrations
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.page.access import AccessSettings
from scheduled_tasks.page.access.actor import Authority
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import serving

if TYPE_CHECKING:
    import psycopg

BUDGET = "budget: 150 ms to the first byte, 60 kB compressed, usable in Chromium within 1 s"
MAX_COUNTING = 900.0  # seconds in which the roll-up is filled, if it was not


def main(millions: float, jobs: int, folder: Path | None) -> None:
    """Print the figures of each screen."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with open_ledger(millions, jobs, folder, hour) as connection:
        migrations.migrate(connection, [migrations.OWN])
        continue_ledger(connection, jobs, hour)
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
        "Jobs, missed": "/jobs?state=missed",
        "Jobs of a clock": "/jobs/c7",
        "Job": "/job/c7/j7",
        "Run that failed": f"/run/{run_id}",
        "Timeline 24 h": "/timeline",
        "Timeline 7 d": "/timeline?span=7d",
        "Timeline by host": "/timeline?by=host",
        "Timeline by owner": "/timeline?by=owner",
        "Timeline of a clock": "/timeline?clock=c7&span=6h",
        "… 24 h": "/timeline?clock=c7",
        "… 7 d": "/timeline?clock=c7&span=7d",
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
