"""Whatever a task or a person writes, the watch accounts for every slot: random rows, results and pauses, for ever.

A round writes some of each with the rights of a task (calls of the ledger's functions, files in the job's folder), rows
that no constraint has checked, as an older database may have them, and odd files among the pauses. Then the watch makes
a pass; no step of it may fail, and no due slot may be without a row. SCHEDULED_TASKS_FUZZ is how many items it writes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.operate import host_watch
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.pending.stuck_files import stuck
from scheduled_tasks.operate.reconcile import reconcile
from scheduled_tasks.render.names import JOBS, Places
from scheduled_tasks.run.columns import END, START, TERMS
from scheduled_tasks.run.database import connect
from tests.integration.operate.roles import TASKS, as_role, granted

if TYPE_CHECKING:
    from collections.abc import Callable

Database = psycopg.Connection[Any]
ITEMS, PER_ROUND = int(os.environ.get("SCHEDULED_TASKS_FUZZ", "300")), 30
SEED = int(os.environ.get("SCHEDULED_TASKS_FUZZ_SEED", "14"))
NAMES = ("sell", "count")
HOST = "app1"
MINUTELY = {"kind": "cron", "zone": "UTC", "seconds": [0]}
STEP = timedelta(minutes=5)

TEXTS = (
    *("", "shop", "sell", "count", "app1", "app2", "timer", "manual", "watch", "started", "ended", "failed", "skipped"),
    *("missed", "lost", "infinity", "-infinity", "NaN", "\0", "\ud800", "\x1b[2J", "x" * 300, "x" * 5000),
    *("2131-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-24T06:00"),
)
NUMBERS = (0, 1, -1, 0.5, -0.8, 10**30, -(10**30), 1 << 31, 1 << 63, *map(float, ("nan", "inf", "-inf", "1e300")), True)
ODD_INSTANTS = (
    *("infinity", "-infinity", "294276-12-31T00:00:00Z", "4713-01-01 00:00:00+00 BC", "9999-12-31T23:00:00-14"),
    *("0001-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
)
ODD_NUMBERS = ("NaN", "Infinity", "-Infinity", "-1", "1e300", "0")
# Only root can give a file to another user.
FOREIGN = ("foreign",) if os.geteuid() == 0 else ()
KINDS = (*["values"] * 8, "bytes", "folder", "pipe", "link", "dangling", *FOREIGN, "huge")
ROW = (
    *("run_id", "task", "clock", "job", "scheduled_at", "slot_host", "host", "trigger", "status", "started_at"),
    *("ended_at", "expires_at", "attempt", "duration", "lag", "is_idempotent", "invocation_id"),
)
INSERT = f"INSERT INTO task_run ({', '.join(ROW)}) VALUES ({', '.join(f'%({name})s' for name in ROW)})"


class Fuzz:
    """A seeded source of rows, results and pauses."""

    def __init__(self, places: Places, now: datetime) -> None:
        self.random = random.Random(SEED)
        self.places = places
        self.now = now

    def slot(self) -> str:
        """A nominal time, due lately or soon."""
        minute = self.now.replace(second=0, microsecond=0)
        return (minute + timedelta(minutes=self.random.randint(-10, 3))).isoformat()

    def uuid(self) -> str:
        """A UUID, for the same seed the same."""
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def value(self) -> object:
        """Anything that JSON has."""
        kinds: list[Callable[[], object]] = [
            lambda: self.random.choice(TEXTS),
            lambda: self.random.choice(NUMBERS),
            lambda: None,
            lambda: [self.value()],
            lambda: {"a": self.value()},
            self.uuid,
            self.slot,
        ]
        return self.random.choice(kinds)()

    def run(self) -> dict[str, object]:
        """A run, mostly sound: a few of its values are anything."""
        job = self.random.choice(NAMES)
        values: dict[str, object] = {
            "clock": "shop", "job": job, "task": f"shop.{job}", "run_id": self.uuid(),
            "scheduled_at": self.slot(), "slot_host": self.random.choice(["", "", HOST, None]), "host": HOST,
            "trigger": self.random.choice(["timer", "manual"]), "attempt": self.random.randint(0, 3),
            "status": self.random.choice(["ended", "failed", "skipped"]), "started_at": self.slot(), "duration": 1.5,
            "is_open": self.random.random() < 0.3, "is_idempotent": self.random.random() < 0.5, "expires_in": 1.0,
            "invocation_id": self.uuid(),
        }  # fmt: skip
        columns = [*START, *TERMS, *END, "started_at", "is_open", "expires_in", "overlap", "feature"]
        for column in self.random.sample(columns, self.random.choice([0, 0, 1, 1, 2, 5])):
            values[column] = self.value()
        return values

    def result(self) -> None:
        """A file in a job's spool."""
        run = self.run()
        folder = self.places.state / "results" / f"clock-shop-{self.random.choice(NAMES)}"
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(run["job"], str) and run["job"] in NAMES and self.random.random() < 0.8:
            folder = folder.with_name(f"clock-shop-{run['job']}")
            folder.mkdir(exist_ok=True)
        self.file(folder / f"{self.random.choice(['', '.', 'a', chr(10), chr(27)])}{self.random.random()}.json", run)

    def pause(self) -> None:
        """An entry among the pauses; the one of its name before goes."""
        name = self.random.choice(["every-clock", "shop", "shop.sell", "shop.count", "other", "Odd name", "a.b.c"])
        path = self.places.paused / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if self.random.random() < 0.6:
            keys = ["clock", "job", "host", "paused_at", "paused_by", "reason", "until", "resumed_at", "local_id"]
            self.file(path, {key: self.value() for key in keys if self.random.random() < 0.7})

    def file(self, path: Path, values: object) -> None:
        """A file with these values, with any contents, or of any kind."""
        with suppress(FileExistsError):
            match self.random.choice(KINDS):
                case "values":
                    path.write_text(json.dumps(values))
                case "bytes":
                    path.write_bytes(self.random.randbytes(self.random.choice([0, 1, 100])))
                case "folder":
                    (path / "more").mkdir(parents=True)
                case "pipe":
                    os.mkfifo(path)
                case "link":
                    path.symlink_to("/etc/passwd")
                case "dangling":
                    path.symlink_to("gone")
                case "foreign":
                    path.write_text(json.dumps(values))
                    os.chown(path, 54321, 54321)
                case "huge":
                    path.touch()
                    os.truncate(path, 1 << 40)

    def call(self, tasks: Database) -> None:
        """A call of a function of the ledger, as a task can make it."""
        statement = self.random.choice(
            ["SELECT * FROM open_run(%s::jsonb, clock_timestamp() + interval '9 s')", "SELECT close_run(%s::jsonb)"]
        )
        with suppress(psycopg.Error):
            tasks.execute(statement, [json.dumps(self.run())])

    def row(self, owner: Database) -> None:
        """A row that no constraint has checked."""
        run = {key: value for key, value in self.run().items() if isinstance(value, str | int | float | None)}
        values = {column: run.get(column) for column in ROW}
        values |= {"status": self.random.choice(["started", "ended", "lost", "missed"]), "is_idempotent": True}
        for column in self.random.sample(["scheduled_at", "started_at", "ended_at", "expires_at"], 2):
            values[column] = self.random.choice(ODD_INSTANTS)
        values[self.random.choice(["duration", "lag"])] = self.random.choice(ODD_NUMBERS)
        with suppress(psycopg.Error, UnicodeEncodeError):
            owner.execute(INSERT.encode(), values)


def deploy(places: Places) -> None:
    options = {"catch_up": True, "paused": False, "timeout": 60.0}
    jobs = [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": MINUTELY, "options": options} for job in NAMES
    ]
    places.current.mkdir(parents=True)
    (places.current / JOBS).write_text(json.dumps({"jobs": jobs}))


def remove_constraints(owner: Database) -> None:
    """Make the tables as they are where nothing checks them, but for what identifies a row."""
    for table, name in owner.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    ).fetchall():
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())


# Due slots without a row, from the first minute after the deployment until they are overdue.
UNACCOUNTED = """
SELECT job, at FROM unnest(%s::text[]) AS job,
       generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') AS at
 WHERE NOT EXISTS (SELECT FROM task_run WHERE clock = 'shop' AND task_run.job = job.job AND scheduled_at = at
                      AND slot_host = '')
"""


@pytest.mark.filterwarnings("ignore:unclosed")
def test_the_watch_accounts_for_every_slot_whatever_is_written(
    connection: Database, database_url: str, tmp_path: Path
) -> None:
    places, rounds = Places(tmp_path), max(2, ITEMS // PER_ROUND)
    began = datetime.now(UTC).replace(second=0, microsecond=0) - (rounds + 2) * STEP
    fuzz = Fuzz(places, began)
    deploy(places)
    places.state.mkdir(parents=True)
    watch = connect(database_url, name="watch")
    with granted(connection), as_role(connection, TASKS) as tasks, watch:
        remove_constraints(connection)
        for number in range(rounds):
            fuzz.now = began + number * STEP
            for _ in range(PER_ROUND // 5):
                fuzz.result()
                fuzz.result()
                fuzz.pause()
                fuzz.call(tasks)
                fuzz.row(connection)
            for now in (fuzz.now, fuzz.now + timedelta(minutes=1)):  # the second heartbeat settles the host
                host_watch.report_deployed(watch, places, HOST, now)
                host_watch.report_pauses(watch, places, HOST, now)
                done = account(watch, HOST, now)
                reconcile(watch, places.state, host=HOST, invocations=lambda _units: {})
            assert done.accounted_until == {HOST: now}
            until = now - timedelta(minutes=1, seconds=1)  # without jitter and grace, a slot is overdue then
            missing = connection.execute(UNACCOUNTED, [list(NAMES), began + timedelta(minutes=1), until]).fetchall()
            assert missing == [], f"round {number} of seed {SEED}"
            waiting = set(places.state.glob("results/*/[!.]*.json"))
            assert waiting <= stuck(places.state).keys()
    [(rows,)] = connection.execute("SELECT count(*) FROM task_run").fetchall()
    assert rows > rounds * len(NAMES)
