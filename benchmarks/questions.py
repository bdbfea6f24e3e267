"""Time the operators' questions to a large ledger, and the start of `clocks`, each beside a floor.

    python -m benchmarks.questions [MILLIONS] [JOBS] [FOLDER]

It fills a PostgreSQL of its own with 10 million rows of 10,000 jobs on two hosts, which takes a quarter of an hour and
5 GB: in a temporary folder, or in FOLDER, which stays and is used again. Times are milliseconds of CPU time, of the
server's process and of this one, which other load changes least; the least of three. The floor of a question is one row
by its key; that of a start is `python -c 'import click'`, and psycopg with it where a command asks the database.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.kept_database import has_table, kept_database, make_folder
from scheduled_tasks.operate import deployments, history, migrations, status
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.watch.resolved_results import mark_resolved

ROOT = Path(__file__).resolve().parents[1]
HOUR = timedelta(hours=1)
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


INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'task_run' AND indexname <> 'task_run_pkey'"
STARTS = {
    "python -c 'import click'": ["-c", "import click"],
    "python -c 'import click, psycopg'": ["-c", "import click, psycopg"],
    "clocks --help": ["-P", "-m", "scheduled_tasks.cli", "--help"],
    "clocks status --help": ["-P", "-m", "scheduled_tasks.cli", "status", "--help"],
    "clocks list": ["-P", "-m", "scheduled_tasks.cli", "list"],
    "clocks history": ["-P", "-m", "scheduled_tasks.cli", "history"],
}


def main(millions: float, jobs: int, folder: Path | None) -> None:
    """Fill a ledger, or use one that was filled before, and print how long each question takes."""
    with open_ledger(millions, jobs, folder) as connection:
        _starts(connection.info.dsn)
        _ask(connection)


@contextmanager
def open_ledger(
    millions: float, jobs: int, folder: Path | None, end: datetime = END
) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the ledger, which is filled up to `end` if it was not before."""
    kept = folder or Path(tempfile.mkdtemp(prefix="postgresql-"))
    make_folder(kept)
    try:
        with kept_database(kept) as url, psycopg.connect(url, autocommit=True) as connection:
            if not has_table(connection, "task_run"):
                _fill(connection, max(1, round(millions * 1_000_000 / jobs)), jobs, end)
            yield connection
    finally:
        if not folder:
            shutil.rmtree(kept, ignore_errors=True)


def continue_ledger(connection: psycopg.Connection[Any], jobs: int, end: datetime) -> None:
    """Add the slots of a ledger that was kept from its newest one up to an hour."""
    [(newest,)] = connection.execute("SELECT max(scheduled_at) FROM task_run").fetchall()
    connection.execute("ALTER TABLE task_run DISABLE TRIGGER USER")
    for run in range(int((end - newest) / HOUR) - 2, -1, -1):  # in the order of time, as runs would
        connection.execute(FILL, {"first": run, "last": run, "jobs": jobs, "end": end - HOUR})
    connection.execute("ALTER TABLE task_run ENABLE TRIGGER USER")
    connection.execute(
        "INSERT INTO slot_change SELECT clock, job, scheduled_at, NULL, status, duration FROM task_run"
        " WHERE started_at > %s AND scheduled_at > %s",
        [newest, newest],
    )
    mark_resolved(connection, end)
    connection.execute("VACUUM ANALYZE")


def _fill(connection: psycopg.Connection[Any], runs: int, jobs: int, end: datetime) -> None:
    migrations.migrate(connection, [migrations.OWN])
    connection.execute("SET synchronous_commit = off")
    # They judge each row by the rows before it, which takes an index; what they write is not asked for here.
    connection.execute("ALTER TABLE task_run DISABLE TRIGGER USER")
    indexes = connection.execute(INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    for first in range(1, runs + 1, 10):
        connection.execute(FILL, {"first": first, "last": min(first + 9, runs), "jobs": jobs, "end": end})
    for _, definition in indexes:
        connection.execute(definition.encode())
    connection.execute("ALTER TABLE task_run ENABLE TRIGGER USER")
    listed = [
        {"clock": f"c{number % 100}", "job": f"j{number}", "task": "shop.count",
         "schedule": {"kind": "cron", "zone": "Europe/Paris", "minutes": [number % 60], "seconds": [0]},
         "options": {"catch_up": True, "timeout": 3600}}
        for number in range(jobs)
    ]  # fmt: skip
    for host in ("app1", "app2"):
        before = end - timedelta(minutes=5)
        report = deployments.JobsReport(listed, "all", before, before)
        timed(
            connection,
            f"report of all jobs by an apply on {host}",
            partial(deployments.report, connection, host, report),
            times=1,
        )
    timed(connection, "the watch marks what is resolved, at first", lambda: mark_resolved(connection, end), times=1)
    connection.execute("VACUUM ANALYZE")


def _starts(url: str) -> None:
    env = os.environ | {"DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    for what, arguments in STARTS.items():
        least = min(_cpu([sys.executable, *arguments], env) for _ in range(6))  # the first ones compile
        print(f"{what:44} {least * 1000:8.0f} ms")


def _cpu(command: list[str], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ask(connection: psycopg.Connection[Any]) -> None:
    [(rows, run)] = connection.execute("SELECT count(*), min(run_id::text) FROM task_run").fetchall()
    [(jobs,)] = connection.execute("SELECT count(DISTINCT (clock, job)) FROM deployed_job").fetchall()
    print(f"{rows} rows, {jobs} jobs")
    questions: dict[str, Callable[[], object]] = {
        "one row by its key": lambda: history.find_run(connection, run),
        "status --bad": lambda: status.jobs(connection, END, bad_only=True),
        "status of a job": lambda: status.jobs(connection, END, "c7", "j7"),
        "status of a clock": lambda: status.jobs(connection, END, "c7"),
        "status of all jobs": lambda: status.jobs(connection, END),
        "the watch marks what is resolved": lambda: mark_resolved(connection, END),
        "history": lambda: history.history(connection),
        "history --status missed": lambda: history.history(connection, status="missed"),
        "history --status skipped": lambda: history.history(connection, status="skipped"),
        "history of a clock": lambda: history.history(connection, clock="c7"),
        "history of a job": lambda: history.history(connection, clock="c7", job="j7"),
        "history of a job, --status failed": lambda: history.history(connection, clock="c7", job="j7", status="failed"),
    }
    for what, ask in questions.items():
        timed(connection, what, ask)
    with connection.transaction(force_rollback=True):
        for minute in range(-3, 0):
            account(connection, "app1", END + timedelta(minutes=minute))
        timed(connection, "an audit, nothing due", lambda: account(connection, "app1", END), times=1)
        soon = END + timedelta(minutes=2)
        timed(connection, "an audit, some jobs missed", lambda: account(connection, "app1", soon), times=1)


def timed(connection: psycopg.Connection[Any], what: str, ask: Callable[[], object], *, times: int = 3) -> None:
    """Print what a question costs, of some tries the least."""
    taken = []
    for _ in range(times):
        servers, own = _server_seconds(connection), time.process_time()
        ask()
        own = time.process_time() - own  # first: reading the server's takes time too
        taken.append((_server_seconds(connection) - servers, own))
    server, own = min(taken, key=sum)
    print(f"{what:44} {server * 1000:8.1f} ms in the database, {own * 1000:8.1f} ms in Python", flush=True)


def _server_seconds(connection: psycopg.Connection[Any]) -> float:
    """The CPU seconds that the connection's server process has used, from proc(5)."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    main(float(given.get(0, 10)), int(given.get(1, 10_000)), Path(given[2]) if 2 in given else None)  # noqa: PLR2004 - three arguments
