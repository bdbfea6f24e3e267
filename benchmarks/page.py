"""Time each screen of the page over a large ledger: to the first byte, compressed, and until Chromium can use it.

    python -m benchmarks.page [MILLIONS] [JOBS] [FOLDER]

The ledger is that of benchmarks.questions, in FOLDER if it was kept. Its newest run is of END, so screens that show a
time ask for that one. The first request of a process also reads and evaluates all jobs: it is printed separately. A
screen's time is the least of five; bytes are those of a gzipped answer. In Chromium it is the time until the document
has been parsed and its scripts have run (domContentLoadedEventEnd), the least of three.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.questions import END, open_ledger
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
            began = time.monotonic()
            httpx.get(url, timeout=60).raise_for_status()
            print(f"the first request of a process: {(time.monotonic() - began) * 1000:.0f} ms; {BUDGET}")
            _measure(url, _paths(connection))


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
        "Timeline by host": f"/timeline?by=host&at={AT}",
        "Timeline by owner": f"/timeline?by=owner&at={AT}",
        "Timeline of a clock": f"/timeline?clock=c7&span=6h&at={AT}",
        "Forecast": "/forecast",
        "Incidents": "/incidents",
        "Flags": "/flags",
        "Pauses": "/pauses",
        "Hosts": "/hosts",
        "Changes": "/changes",
    }


def _measure(url: str, paths: dict[str, str]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        for name, path in paths.items():
            figures = [_answer(url + path) for _ in range(5)]
            usable = min(_usable(page, url + path) for _ in range(3))
            first_byte, size, status = min(figures)
            print(f"{name:22} {first_byte:7.0f} ms  {size / 1000:6.1f} kB  {usable:6.0f} ms in Chromium  {status}")
        browser.close()


def _answer(url: str) -> tuple[float, int, int]:
    """Milliseconds to the first byte, compressed bytes, and the status of an answer."""
    began = time.monotonic()
    with httpx.stream("GET", url, timeout=60) as answer:
        first_byte = (time.monotonic() - began) * 1000
        size = sum(len(part) for part in answer.iter_raw())
    return first_byte, size, answer.status_code


def _usable(page: Any, url: str) -> float:
    page.goto(url)
    return float(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 10,
        int(sys.argv[2]) if len(sys.argv) > 2 else 10_000,  # noqa: PLR2004 - the second argument
        Path(sys.argv[3]) if len(sys.argv) > 3 else None,  # noqa: PLR2004 - the third
    )
