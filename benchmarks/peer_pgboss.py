"""Time the screens of another scheduler's dashboard over as many rows: @pg-boss/dashboard, of pg-boss, by PostgreSQL.

    python -m benchmarks.peer_pgboss FOLDER [MILLIONS] [JOBS]

The other side of benchmarks.page. pg-boss is a scheduler and queue for Node.js whose jobs are rows of PostgreSQL, as
ours are; its dashboard reads them there. Both come from npm by name, into FOLDER, which keeps the database too; Node.js
is the one that playwright's wheel brings, since the dashboard needs version 22. The tables, queues and schedules are
made by pg-boss itself: 100 queues, as our 100 clocks, with a schedule for each of 10,000 jobs. The rows are inserted as
it would leave them, with the results and times of benchmarks.questions; only a missed slot has none, for pg-boss does
not know that anything was missed. Then it counts its queues, as it does once a minute when it runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from playwright._impl._driver import compute_driver_executable

from benchmarks.kept_database import has_table, kept_database, make_folder
from benchmarks.peers import arguments, running
from benchmarks.questions import END
from benchmarks.screens import free_port, measure

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PACKAGES = ("pg-boss@12.34.0", "@pg-boss/dashboard@1.9.0")  # the newest that have one version of the tables
QUEUES = 100
FILL = """
INSERT INTO pgboss.job_common (name, state, data, created_on, start_after, started_on, completed_on, keep_until, output,
                               deletion_seconds, policy)
SELECT 'c' || %(queue)s, CASE WHEN is_failed THEN 'failed' ELSE 'completed' END::pgboss.job_state,
       jsonb_build_object('job', 'j' || job), at, at, at + interval '1 s', at + interval '3 s', at + interval '1 year',
       CASE WHEN is_failed THEN '{"message": "the bank refused the batch"}'::jsonb END, 31536000, 'standard'
  FROM generate_series(%(runs)s::integer, 1, -1) AS run,
       generate_series(%(queue)s::integer, %(jobs)s::integer - 1, %(queues)s::integer) AS job,
       LATERAL (SELECT %(end)s::timestamptz - run * interval '1 hour' AS at, (job * 7 + run) %% 1009 = 0 AS is_failed,
                       (job * 7 + run) %% 2003 = 0 AS is_missed) AS slot
 WHERE is_failed OR NOT is_missed
"""


def main(folder: Path, millions: float, jobs: int) -> None:
    """Print the figures of each screen."""
    make_folder(folder)
    subprocess.run(["npm", "install", "--prefix", folder, "--no-fund", "--no-audit", *PACKAGES], check=True)
    shutil.copy(Path(__file__).with_suffix(".mjs"), folder)
    with kept_database(folder) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            if not has_table(connection, "pgboss.job"):
                _fill(connection, folder, url, round(millions * 1_000_000 / jobs), jobs)
            [(rows, failed)] = connection.execute(
                "SELECT count(*), min(id::text) FILTER (WHERE state = 'failed' AND name = 'c7') FROM pgboss.job"
            ).fetchall()
            print(f"{rows} rows, {jobs} schedules, {QUEUES} queues; {', '.join(PACKAGES)}", flush=True)
        with _dashboard(folder, url) as served:
            measure(served, _paths(failed))


def _fill(connection: psycopg.Connection[Any], folder: Path, url: str, runs: int, jobs: int) -> None:
    _node(folder, url, str(QUEUES), str(jobs))
    connection.execute("SET synchronous_commit = off")
    for queue in range(QUEUES):
        connection.execute(FILL, {"queue": queue, "queues": QUEUES, "jobs": jobs, "runs": runs, "end": END})
    connection.execute("VACUUM ANALYZE")
    _node(folder, url, "count")


def _node(folder: Path, url: str, *arguments: str) -> None:
    command = [compute_driver_executable()[0], "peer_pgboss.mjs", *arguments]
    subprocess.run(command, cwd=folder, env=os.environ | {"DATABASE_URL": url}, check=True)


def _dashboard(folder: Path, url: str) -> AbstractContextManager[str]:
    port = free_port()
    command = [compute_driver_executable()[0], "node_modules/@pg-boss/dashboard/build/server.js"]
    env = os.environ | {"DATABASE_URL": url, "PORT": str(port), "HOST": "127.0.0.1", "NODE_ENV": "production"}
    return running(command, folder, env, port, "/warnings")


def _paths(failed: str) -> dict[str, str]:
    return {
        "Overview": "/",
        "Queues": "/queues",
        "A queue": "/queues/c7",
        "Failed jobs of a queue": "/queues/c7?state=failed",
        "Jobs": "/jobs",
        "Failed jobs": "/jobs?state=failed",
        "A job that failed": f"/queues/c7/jobs/{failed}",
        "Schedules": "/schedules",
        "Warnings": "/warnings",
    }


if __name__ == "__main__":
    main(*arguments())
