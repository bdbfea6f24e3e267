"""A ledger of sample data for the page: three days of a small fleet in which something is wrong, always the same.

It has its own database in the embedded PostgreSQL of a checkout, so that nothing of it is in a ledger that is used.
`fill` writes rows as runs, hosts and the watch would have: triggers are off meanwhile, and what they would have done is
done at the end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.page.demo.jobs import JOBS, SampleJob, trigger
from scheduled_tasks.page.demo.slots import HOSTS, RELEASED, log_lines, slots

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

DATABASE = "page_demo"
HEARTBEAT = 30  # seconds
DEPLOYED = timedelta(days=40)  # before now
_COLUMNS = (
    "run_id", "task", "clock", "job", "scheduled_at", "slot_host", "host", "trigger", "status", "attempt", "started_at",
    "ended_at", "duration", "lag", "expires_at", "exit_code", "error_type", "error_message", "reason", "release",
    "invocation_id", "memory_peak", "cpu_seconds",
)  # fmt: skip
_COPY = f"COPY task_run ({', '.join(_COLUMNS)}) FROM STDIN"


def make(server_url: str, name: str = DATABASE) -> str:
    """Make the sample's database anew in a server; return its URL."""
    from psycopg import sql
    from psycopg.conninfo import make_conninfo

    from scheduled_tasks.operate import migrations
    from scheduled_tasks.run import database

    with database.connect(server_url, name="clocks page --demo") as connection:
        quoted = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(quoted))
    url = make_conninfo(server_url, dbname=name)
    with database.connect(url, name="clocks page --demo") as connection:
        migrations.migrate(connection, (migrations.OWN,))
        [(now,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        fill(connection, now)
        connection.execute("ANALYZE")
    return url


def keep_alive(url: str) -> None:
    """Give the sample's living hosts a heartbeat twice a minute, for as long as the process lives."""
    import threading
    import time

    from scheduled_tasks.run import database

    def beat() -> None:
        with database.connect(url, name="clocks page --demo") as connection:
            while True:
                time.sleep(HEARTBEAT)
                connection.execute("UPDATE host SET heartbeat_at = now(), accounted_until = now() WHERE name <> 'app3'")

    threading.Thread(target=beat, daemon=True).start()


def fill(connection: Connection, now: datetime) -> int:
    """Write the sample into an empty ledger, as of the present; return how many slots it has."""
    chance = random.Random(20)  # noqa: S311 - the sample is the same each time
    rows = [row for job in JOBS for row in slots(job, now, chance)]
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(files(__name__).joinpath("sample.sql").read_text(encoding="utf-8"))
        for job in JOBS:
            _deploy(connection, job, now)
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row([row.get(column) for column in _COLUMNS])
        _store_logs(connection)
    _judge(connection)
    count_slots(connection)
    return len(rows)


def _deploy(connection: Connection, job: SampleJob, now: datetime) -> None:
    """A job on all hosts; the last release changed the schedule of one."""
    options = {"catch_up": True, "timeout": max(600.0, job.takes * 4), "grace": 3600, "owner": job.owner, **job.options}
    if job.flag:
        options["flag"] = job.flag
    since = now - DEPLOYED
    if job.job == "export_invoices":
        before = trigger({"hour": "*/3", "minute": "15"})
        _deployment(connection, job, before, options, (since, now - RELEASED))
        since = now - RELEASED
    _deployment(connection, job, job.trigger, options, (since, None))


def _deployment(
    connection: Connection,
    job: SampleJob,
    schedule: Trigger,
    options: Mapping[str, Any],
    valid: tuple[datetime, datetime | None],
) -> None:
    connection.execute(
        "INSERT INTO deployed_job"
        " (host, clock, job, task, schedule, options, source, valid_from, valid_until, deployed_by)"
        " SELECT host, %s, %s, %s, %s, %s, %s, %s, %s, 'ben' FROM unnest(%s::text[]) AS host",
        [
            job.clock,
            job.job,
            job.task,
            json.dumps(schedule.to_json()),
            json.dumps(options),
            job.source,
            *valid,
            list(HOSTS),
        ],
    )


def _store_logs(connection: Connection) -> None:
    """Store the lines of each failed run, as the failure service of its host does."""
    failed = connection.execute("SELECT run_id, task, started_at FROM task_run WHERE status = 'failed'").fetchall()
    for run_id, task, started in failed:
        connection.execute(
            "INSERT INTO run_log (run_id, clock, job, host, invocation_id, requested_at, captured_at, lines)"
            " SELECT run_id, clock, job, host, invocation_id, ended_at, ended_at, %s FROM task_run WHERE run_id = %s",
            [log_lines(run_id, task, started), run_id],
        )


def _judge(connection: Connection) -> None:
    """Open the incidents of the last results and of the silent host, at the times at which they would have been."""
    connection.execute(
        "SELECT judge_job(clock, job, host) FROM (SELECT DISTINCT clock, job, slot_host AS host FROM task_run"
        " WHERE status IN ('failed', 'missed', 'lost')) AS bad"
    )
    connection.execute("UPDATE incident SET opened_at = first_at + interval '2 minutes'")
    connection.execute(
        "UPDATE notice SET due_at = opened_at, sent_at = opened_at + interval '14 s', route = 'ops', sent_as = what,"
        " tries = 1 FROM incident WHERE incident.id = notice.incident"
    )
    connection.execute(
        "INSERT INTO incident (kind, host, opened_at, first_at, last_at, bad, reason)"
        " SELECT 'silent', name, heartbeat_at + interval '5 minutes', heartbeat_at, heartbeat_at, 0,"
        " format('no heartbeat; it has %s jobs', (SELECT count(*) FROM deployed_job WHERE host = name"
        " AND valid_until IS NULL)) FROM host WHERE heartbeat_at < now() - interval '5 minutes'"
    )
