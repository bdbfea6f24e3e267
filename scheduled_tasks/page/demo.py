"""A ledger of sample data for the page: three days of a small fleet in which something is wrong, always the same.

It has its own database in the embedded PostgreSQL of a checkout, so that nothing of it is in a ledger that is used.
`fill` writes rows as runs, hosts and the watch would have; triggers are off meanwhile, and the incidents are judged at
the end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.parser import read_trigger

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

DATABASE = "page_demo"
DAYS = 3
ZONE = "Europe/Paris"
HOSTS = ("app1", "app2", "app3")
RELEASES = ("2.14.0", "2.15.0")
SILENT_SINCE = timedelta(minutes=52)  # app3
DEAD_NIGHT = (timedelta(hours=33), timedelta(hours=31))  # before now: nobody ran anything between these
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class SampleJob:
    """A job of the sample: its schedule, how long it takes, and how it fares."""

    clock: str
    job: str
    fields: Mapping[str, Any]
    takes: float  # seconds, usually
    owner: str = "shop"
    fails: float = 0.0  # share of its runs
    memory: float = 60.0  # MiB
    options: Mapping[str, Any] = field(default_factory=dict)
    flag: str = ""

    @property
    def task(self) -> str:
        """Its task."""
        return f"{self.clock}.{self.job}"


JOBS = (
    SampleJob("booking", "cancel_expired_bookings", {"minute": "*/15"}, 3.2, fails=0.004),
    SampleJob("booking", "archive_past_events", {"hour": "4", "minute": "10"}, 190, memory=240),
    SampleJob("booking", "remind_visitors", {"hour": "9"}, 44, owner="marketing", flag="REMIND_VISITORS"),
    SampleJob("booking", "close_the_day", {"hour": "23", "minute": "55"}, 18),
    SampleJob("algolia", "index_offers_in_error", {"minute": "*/10"}, 8, owner="search", fails=0.02),
    SampleJob("algolia", "index_venues", {"minute": "5"}, 36, owner="search", memory=150),
    SampleJob("algolia", "index_everything", {"hour": "2", "minute": "30"}, 5400, owner="search", memory=900),
    SampleJob("titelive", "synchronize_products", {"hour": "*/4", "minute": "0"}, 640, owner="data", memory=410),
    SampleJob("titelive", "synchronize_stocks", {"minute": "*/30"}, 75, owner="data", fails=0.01, memory=220),
    SampleJob("billing", "export_invoices", {"hour": "*/2", "minute": "15"}, 61, owner="finance", memory=130),
    SampleJob("billing", "reconcile_payments", {"minute": "20,50"}, 22, owner="finance"),
    SampleJob("billing", "send_reminders", {"day_of_week": "mon-fri", "hour": "8"}, 90, owner="finance"),
    SampleJob("reports", "sum_up_the_day", {"hour": "0", "minute": "20"}, 410, owner="data", memory=620),
    SampleJob("reports", "weekly_figures", {"day_of_week": "mon", "hour": "6"}, 900, owner="data", memory=700),
    SampleJob("housekeeping", "clean_temporary_files", {"hour": "3"}, 12, owner="ops", options={"per_host": True}),
    SampleJob("housekeeping", "renew_certificates", {"hour": "5,17"}, 6, owner="ops"),
)
LOG = (
    ("info", "type=cron name=export_invoices status=started", {"status": "started", "run_id": "RUN", "attempt": 1}),
    ("info", "412 invoices to export", {"invoices": 412}),
    ("warning", "the bank did not answer, trying again", {"try": 2, "seconds": 30}),
    ("error", "the bank refused the batch", {"http_status": 503, "batch": "2026-11-b7"}),
)
ERROR = ("HTTPStatusError", "Server error '503 Service Unavailable' for url 'https://sepa.bank.example/v2/batches'")


def fill(connection: Connection, now: datetime) -> int:
    """Write the sample into an empty ledger, as of a time; return how many slots it has."""
    chance = random.Random(20)  # noqa: S311 - the sample is the same each time
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        _hosts(connection, now)
        _deployments(connection, now)
        rows = [row for job in JOBS for row in _slots(job, now, chance)]
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row([row.get(column) for column in _COLUMNS])
        _logs(connection)
        _people(connection, now)
    _judge(connection)
    return len(rows)


_COLUMNS = (
    "run_id", "task", "clock", "job", "scheduled_at", "slot_host", "host", "trigger", "status", "attempt", "started_at",
    "ended_at", "duration", "lag", "expires_at", "exit_code", "error_type", "error_message", "reason", "release",
    "invocation_id", "memory_peak", "cpu_seconds",
)  # fmt: skip
_COPY = f"COPY task_run ({', '.join(_COLUMNS)}) FROM STDIN"


def _trigger(job: SampleJob) -> Trigger:
    return read_trigger("cron", dict(job.fields), timezone=ZONE)


def _hosts(connection: Connection, now: datetime) -> None:
    for host in HOSTS:
        heard = now - (SILENT_SINCE if host == "app3" else timedelta(seconds=21))
        connection.execute(
            "INSERT INTO host (name, heartbeat_at, heartbeats_since, accounted_until, accounted_at, release)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [host, heard, now - timedelta(days=40), heard - timedelta(minutes=1), heard, RELEASES[1]],
        )


def _deployments(connection: Connection, now: datetime) -> None:
    deployed = now - timedelta(hours=9)
    for job in JOBS:
        options = {
            "catch_up": True,
            "timeout": max(600.0, job.takes * 4),
            "grace": 3600,
            "owner": job.owner,
            **job.options,
        }
        schedule = json.dumps(_trigger(job).to_json())
        for host in HOSTS:
            since = now - timedelta(days=40)
            if job.job == "export_invoices":  # its schedule was another one until the last release
                before = read_trigger("cron", {"hour": "*/3", "minute": "15"}, timezone=ZONE)
                _deployment(connection, host, job, (json.dumps(before.to_json()), options, since, deployed))
                since = deployed
            _deployment(connection, host, job, (schedule, options, since, None))


def _deployment(
    connection: Connection,
    host: str,
    job: SampleJob,
    row: tuple[str, Mapping[str, Any], datetime, datetime | None],
) -> None:
    schedule, options, since, until = row
    connection.execute(
        "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from, valid_until)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [host, job.clock, job.job, job.task, schedule, json.dumps(options), since, until],
    )


def _slots(job: SampleJob, now: datetime, chance: random.Random) -> Iterator[dict[str, Any]]:
    due = [one.at for one in occurrences(_trigger(job), after=now - timedelta(days=DAYS), until=now)]
    hosts = HOSTS if job.options.get("per_host") else ("",)
    for n, at in enumerate(due):
        for slot_host in hosts:
            is_last = n == len(due) - 1
            yield _slot(job, at, slot_host, now, chance, back=len(due) - n if not slot_host or is_last else 99)


def _slot(  # noqa: PLR0913 - the facts of a slot
    job: SampleJob, at: datetime, slot_host: str, now: datetime, chance: random.Random, *, back: int
) -> dict[str, Any]:
    """A slot's row; `back` is 1 for the last one."""
    host = slot_host or chance.choice(HOSTS[:2] if now - at < SILENT_SINCE else HOSTS)
    lag = round(chance.uniform(0.1, 1.4), 3)
    duration = round(job.takes * chance.lognormvariate(0, 0.22), 3)
    started = at + timedelta(seconds=lag)
    row: dict[str, Any] = {
        "run_id": UUID(int=chance.getrandbits(128), version=4), "task": job.task, "clock": job.clock, "job": job.job,
        "scheduled_at": at, "slot_host": slot_host, "host": host, "trigger": "timer", "status": "ended", "attempt": 1,
        "started_at": started, "duration": duration, "lag": lag, "exit_code": 0,
        "release": RELEASES[now - at < timedelta(hours=9)], "invocation_id": UUID(int=chance.getrandbits(128), version=4),
        "memory_peak": int(job.memory * chance.uniform(0.85, 1.2) * 2**20), "cpu_seconds": round(duration * 0.4, 3),
    }  # fmt: skip
    nobody = {
        key: None for key in ("duration", "lag", "exit_code", "invocation_id", "memory_peak", "cpu_seconds", "release")
    }
    missed = {**nobody, "status": "missed", "attempt": 0, "started_at": at, "host": ""}
    if DEAD_NIGHT[1] < now - at < DEAD_NIGHT[0]:
        return row | missed | {"reason": "no host was up when it was due"}
    if slot_host == "app3" and now - at < SILENT_SINCE:
        return row | missed | {"host": slot_host, "reason": "app3 is dead: no heartbeat"}
    if job.job == "sum_up_the_day" and back == 1:
        return row | missed | {"reason": "it was not started on app1, app2 or app3: their timers do not run"}
    if job.flag and back == 1:
        return row | nobody | {"status": "skipped", "duration": 0.1, "reason": f"feature {job.flag} is not active",
                               "ended_at": started + timedelta(seconds=0.1)}  # fmt: skip
    if at + timedelta(seconds=lag + duration) > now or (job.job == "synchronize_stocks" and back == 1):
        return row | {"status": "started", "duration": None, "exit_code": None, "cpu_seconds": None, "memory_peak": None,
                      "expires_at": now + timedelta(seconds=job.takes * 3 + 60)}  # fmt: skip
    row["ended_at"] = started + timedelta(seconds=duration)
    if (job.job == "export_invoices" and back <= 3) or chance.random() < job.fails:  # noqa: PLR2004 - the last three
        return row | {
            "status": "failed",
            "exit_code": 1,
            "duration": 31.4,
            "ended_at": started + timedelta(seconds=31.4),
            "error_type": ERROR[0],
            "error_message": ERROR[1],
        }
    if job.job == "reconcile_payments" and back == 7:  # noqa: PLR2004 - some hours ago
        return row | {"status": "lost", "duration": None, "exit_code": None, "ended_at": None,
                      "reason": "its process is gone, and how it ended is unknown"}  # fmt: skip
    return row


def _logs(connection: Connection) -> None:
    """The stored lines of each failed run, as its host's failure service stores them."""
    failed = connection.execute(
        "SELECT run_id, clock, job, host, invocation_id, started_at, task FROM task_run WHERE status = 'failed'"
    ).fetchall()
    for run_id, clock, job, host, invocation, started, task in failed:
        lines = [
            json.dumps({"timestamp": (started + timedelta(seconds=6 * n)).isoformat(), "level": level,
                        "message": message, "logger": task, **extra}).replace('"RUN"', f'"{run_id}"')
            for n, (level, message, extra) in enumerate(LOG)
        ]  # fmt: skip
        end = {"timestamp": (started + timedelta(seconds=31)).isoformat(), "level": "error", "task": task,
               "status": "failed", "duration": 31.4, "exit_code": 1, "reason": ": ".join(ERROR)}  # fmt: skip
        connection.execute(
            "INSERT INTO run_log (run_id, clock, job, host, invocation_id, requested_at, captured_at, lines)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                run_id,
                clock,
                job,
                host,
                invocation,
                started,
                started + timedelta(seconds=32),
                "\n".join([*lines, json.dumps(end)]),
            ],
        )


def _people(connection: Connection, now: datetime) -> None:
    """What people did: a pause, and flags that they switched."""
    connection.execute(
        "INSERT INTO pause (clock, job, host, paused_at, paused_by, reason, until, resumed_at, resumed_by) VALUES"
        " ('booking', 'archive_past_events', NULL, %(a)s, 'anna', 'the archive is moved to its new disk', %(b)s, NULL, NULL),"
        " ('titelive', NULL, NULL, %(c)s, 'ben', 'Titelive works on its servers', NULL, %(d)s, 'ben')",
        {"a": now - timedelta(hours=5), "b": now + timedelta(hours=20), "c": now - timedelta(hours=50),
         "d": now - timedelta(hours=49)},
    )  # fmt: skip
    flags = (
        (
            "REMIND_VISITORS",
            "Remind visitors of tomorrow's events by mail",
            False,
            "clara",
            "wrong dates in the mail of Friday",
        ),
        ("SYNCHRONIZE_STOCKS", "Fetch stocks from Titelive", True, "clocks features sync", None),
        ("INDEX_OFFERS", "Bring the search index up to date", True, "ben", "the index is back"),
    )
    for name, description, active, by, reason in flags:
        connection.execute(
            "INSERT INTO feature (name, description, is_active, updated_at, updated_by, reason) VALUES (%s, %s, %s, %s, %s, %s)",
            [name, description, active, now - timedelta(hours=30), by, reason],
        )
    for name, hours, by, was, active, reason in (
        ("INDEX_OFFERS", 41, "ben", True, False, "the search service is overloaded"),
        ("INDEX_OFFERS", 38, "ben", False, True, "the index is back"),
        ("REMIND_VISITORS", 30, "clara", True, False, "wrong dates in the mail of Friday"),
    ):
        connection.execute(
            "INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason) VALUES (%s, %s, %s, %s, %s, %s)",
            [name, now - timedelta(hours=hours), by, was, active, reason],
        )


def _judge(connection: Connection) -> None:
    """Open the incidents of the last results, and of the silent host, at the times at which the watch would have."""
    for clock, job, each_host in connection.execute(
        "SELECT DISTINCT clock, job, CASE WHEN slot_host = '' THEN '' ELSE host END FROM task_run WHERE status IN ('failed', 'missed', 'lost')"
    ).fetchall():
        connection.execute("SELECT judge_job(%s, %s, %s)", [clock, job, each_host])
    connection.execute("UPDATE incident SET opened_at = least(opened_at, first_at + interval '2 minutes')")
    connection.execute(
        "INSERT INTO incident (kind, host, opened_at, first_at, last_at, bad, reason)"
        " SELECT 'silent', name, heartbeat_at + interval '5 minutes', heartbeat_at, heartbeat_at, 0,"
        " 'no heartbeat; it has ' || (SELECT count(*) FROM deployed_job WHERE host = name AND valid_until IS NULL) || ' jobs'"
        " FROM host WHERE heartbeat_at < now() - interval '5 minutes'"
    )


def make(server_url: str) -> str:
    """Make the sample's database anew in a server; return its URL."""
    from psycopg import sql
    from psycopg.conninfo import make_conninfo

    from scheduled_tasks.operate import migrations
    from scheduled_tasks.run import database

    with database.connect(server_url, name="clocks page --demo") as connection:
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
    url = make_conninfo(server_url, dbname=DATABASE)
    with database.connect(url, name="clocks page --demo") as connection:
        migrations.migrate(connection, (migrations.OWN,))
        [(now,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        fill(connection, now)
        connection.execute("ANALYZE")
    return url
