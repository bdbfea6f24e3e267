"""Time the screens of django-apscheduler in Django's admin over as many rows: what APScheduler's users have for a page.

    python -m benchmarks.peer_admin FOLDER [MILLIONS] [JOBS]

Another side of benchmarks.page. Django, django-apscheduler and a server (waitress) come from PyPI by name, into a
virtual environment in FOLDER, which keeps the database too; the tables are Django's own. The rows are inserted as
django-apscheduler would leave them, with the results and times of benchmarks.questions. A missed slot is a row here
too, if APScheduler was running to see it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.kept_database import has_table, kept_database, make_folder
from benchmarks.peers import arguments, running
from benchmarks.questions import END
from benchmarks.screens import free_port, measure

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PACKAGES = ("django==5.2.19", "django-apscheduler==0.7.0", "psycopg[binary]", "waitress")
FILL_JOBS = """
INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)
SELECT 'c' || job %% 100 || '/j' || job, %(end)s::timestamptz + job %% 60 * interval '1 minute', ''
  FROM generate_series(0, %(jobs)s - 1) AS job
"""
FILL = """
INSERT INTO django_apscheduler_djangojobexecution (job_id, status, run_time, duration, finished, exception, traceback)
SELECT 'c' || job %% 100 || '/j' || job,
       CASE WHEN is_failed THEN 'Error!' WHEN (job * 7 + run) %% 2003 = 0 THEN 'Missed!' ELSE 'Executed' END,
       at, 2.00, extract(epoch FROM at) + 3, CASE WHEN is_failed THEN 'the bank refused the batch' END, NULL
  FROM generate_series(%(first)s::integer, %(last)s::integer, -1) AS run,
       generate_series(0, %(jobs)s::integer - 1) AS job,
       LATERAL (SELECT %(end)s::timestamptz - run * interval '1 hour' AS at, (job * 7 + run) %% 1009 = 0 AS is_failed
               ) AS slot
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
 WHERE tablename = %s AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
TABLE = "django_apscheduler_djangojobexecution"
EXECUTIONS = "/admin/django_apscheduler/djangojobexecution/"
JOBS = "/admin/django_apscheduler/djangojob/"


def main(folder: Path, millions: float, jobs: int) -> None:
    """Print the figures of each screen."""
    make_folder(folder)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([folder / "venv/bin/pip", "install", "--quiet", *PACKAGES], check=True)
    shutil.copy(Path(__file__).with_name("peer_admin_site.py"), folder)
    with kept_database(folder) as database:
        with psycopg.connect(database, autocommit=True) as connection:
            if not has_table(connection, TABLE):
                _fill(connection, folder, round(millions * 1_000_000 / jobs), jobs)
            [(rows, failed)] = connection.execute(
                f"SELECT count(*), max(id) FILTER (WHERE status = 'Error!') FROM {TABLE}"
            ).fetchall()
        print(f"{rows} rows, {jobs} jobs; {', '.join(PACKAGES)}", flush=True)
        with _admin(folder) as url:
            measure(url, _paths(failed))


def _fill(connection: psycopg.Connection[Any], folder: Path, runs: int, jobs: int) -> None:
    command: list[str | Path] = [folder / "venv/bin/python", "-c", "import peer_admin_site; peer_admin_site.prepare()"]
    subprocess.run(command, cwd=folder, env=_environment(folder), check=True)
    connection.execute("SET synchronous_commit = off")
    connection.execute(FILL_JOBS, {"jobs": jobs, "end": END})
    indexes = connection.execute(INDEXES, [TABLE]).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    connection.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL")
    for first in range(runs, 0, -10):
        connection.execute(FILL, {"first": first, "last": max(first - 9, 1), "jobs": jobs, "end": END})
    for _, definition in indexes:
        connection.execute(definition.encode())
    connection.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER ALL")
    connection.execute("VACUUM ANALYZE")


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"SOCKET_FOLDER": str(folder / "data")}


def _admin(folder: Path) -> AbstractContextManager[str]:
    port = free_port()
    command: list[str | Path] = [
        folder / "venv/bin/waitress-serve",
        f"--listen=127.0.0.1:{port}",
        "peer_admin_site:application",
    ]
    environment = _environment(folder) | {"PYTHONPATH": str(folder)}
    return running(command, folder, environment, port, "/static/admin/css/base.css")


def _paths(failed: int) -> dict[str, str]:
    return {
        "Admin": "/admin/",
        "Jobs": JOBS,
        "Jobs, found": f"{JOBS}?q=j77",
        "Executions": EXECUTIONS,
        "Executions that failed": f"{EXECUTIONS}?status__exact=Error%21",
        "Executions, page 100": f"{EXECUTIONS}?p=100",
        "Execution that failed": f"{EXECUTIONS}{failed}/change/",
    }


if __name__ == "__main__":
    main(*arguments())
