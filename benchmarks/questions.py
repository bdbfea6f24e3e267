"""Time the operators' queries on a large ledger, and the start of `clocks`, each beside a floor.

    python -m benchmarks.questions [MILLIONS] [JOBS]

It fills its own PostgreSQL with 10 million rows of 10,000 jobs in a temporary folder, which takes some minutes and 5 GB.
Times are CPU milliseconds, of the server's process and of this one, which other load disturbs less than the time of day;
the least of three. The floor of a question is one row by its key; of a start, `python -c 'import click'`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from scheduled_tasks.operate import deployments, embedded, history, migrations, status
from scheduled_tasks.operate.account import account

HOURLY = {"kind": "cron", "zone": "Europe/Paris", "minutes": [0], "seconds": [0]}
END = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILL = """
INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at, ended_at)
SELECT gen_random_uuid(), 'shop.count', 'c' || job %% 100, 'j' || job, at, '', 'app1', 'timer',
       CASE WHEN (job * 7 + run) %% 1009 = 0 THEN 'failed' WHEN (job * 7 + run) %% 2003 = 0 THEN 'missed'
            ELSE 'ended' END,
       at + interval '1 s', at + interval '3 s'
FROM generate_series(%(first)s::integer, %(last)s::integer) AS run, generate_series(0, %(jobs)s::integer - 1) AS job,
     LATERAL (SELECT %(end)s::timestamptz - run * interval '1 hour' AS at) AS nominal
"""


def main(millions: float, jobs: int) -> None:
    """Fill a ledger, and print how long the operators' queries take."""
    get_server = embedded.import_pgserver()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            migrations.migrate(connection, [migrations.OWN])
            connection.execute("SET synchronous_commit = off")
            runs = max(1, round(millions * 1_000_000 / jobs))
            for first in range(1, runs + 1, 10):
                last = min(first + 9, runs)
                connection.execute(FILL, {"first": first, "last": last, "jobs": jobs, "end": END})
            connection.execute("VACUUM ANALYZE task_run")
            _ask(connection, jobs)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _ask(connection: psycopg.Connection[Any], jobs: int) -> None:
    listed = [
        {"clock": f"c{number % 100}", "job": f"j{number}", "task": "shop.count", "schedule": HOURLY,
         "options": {"catch_up": True, "timeout": 3600}}
        for number in range(jobs)
    ]  # fmt: skip
    [(rows,)] = connection.execute("SELECT count(*) FROM task_run").fetchall()
    print(f"{rows} rows, {jobs} jobs")
    report = deployments.JobsReport(listed, "all", END - timedelta(minutes=5), END - timedelta(minutes=5))
    _timed("report of all jobs by an apply", lambda: deployments.report(connection, "app1", report))
    _timed("history", lambda: history.history(connection))
    _timed("history --status missed", lambda: history.history(connection, status="missed"))
    _timed("history of a clock", lambda: history.history(connection, clock="c7"))
    _timed("history of a job", lambda: history.history(connection, clock="c7", job="j7"))
    _timed(
        "history of a job, --status failed", lambda: history.history(connection, clock="c7", job="j7", status="failed")
    )
    _timed("status of all jobs", lambda: status.jobs(connection, END))
    _timed("status of a clock", lambda: status.jobs(connection, END, "c7"))
    for minute in range(-3, 0):
        account(connection, "app1", END + timedelta(minutes=minute))
    _timed("an audit, nothing due", lambda: account(connection, "app1", END))
    _timed("an audit, all jobs missed at once", lambda: account(connection, "app1", END + timedelta(minutes=1)))


def _timed(what: str, ask: Callable[[], object]) -> None:
    began = time.perf_counter()
    ask()
    print(f"{what:36} {(time.perf_counter() - began) * 1000:8.0f} ms")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)  # noqa: PLR2004 - two arguments
