"""Old runs, past attempts and deployments are deleted in batches; what is unfinished or recent stays."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import prune
from tests.integration.operate.shop import SHOP
from tests.pseudo_terminal import on_a_terminal

Database = psycopg.Connection[Any]


TABLES = ("task_run", "past_attempt", "incident", "deployed_job")


@pytest.fixture
def ledger(connection: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Seven old and two recent rows in each table, of which one old run and incident are open; batches of three."""
    monkeypatch.setattr(prune, "BATCH_ROWS", 3)
    old, recent = (datetime.now(UTC) - timedelta(days=days) for days in (11, 9))
    for number, began in enumerate([old] * 7 + [recent] * 2):
        status = "started" if number == 0 else "ended"
        run = (began, f"job{number}", status)
        connection.execute(
            "INSERT INTO task_run (run_id, task, clock, started_at, job, status, host, trigger)"
            " VALUES (gen_random_uuid(), 'shop.sell', 'shop', %s, %s, %s, 'app1', 'timer')",
            run,
        )
        connection.execute(
            "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from, valid_until)"
            " VALUES ('app1', 'shop', %s, 'shop.sell', '{}', '{}', %s, %s)",
            [f"job{number}", began - timedelta(days=1), began],
        )
        connection.execute(
            "INSERT INTO incident (kind, host, opened_at, first_at, last_at, closed_at)"
            " VALUES ('silent', %s, %s, %s, %s, %s)",
            [f"app{number}", began, began, began, began if number else None],
        )
        connection.execute("SELECT add_notice(max(id), 'opened') FROM incident")
    # Another attempt each, of which the trigger keeps the former.
    connection.execute("UPDATE task_run SET attempt = attempt + 1")
    return connection


def left(database: Database) -> dict[str, int]:
    return {table: database.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in TABLES}


def test_what_is_old_is_deleted_however_many_batches_it_takes(ledger: Database) -> None:
    assert left(ledger) == {"task_run": 9, "past_attempt": 9, "incident": 9, "deployed_job": 9}
    batches: list[int] = []
    assert prune.count_old(ledger, 10) == 26
    assert prune.prune(ledger, 10, after_batch=batches.append) == 6
    assert sum(batches) == 26
    assert left(ledger) == {"task_run": 3, "past_attempt": 2, "incident": 3, "deployed_job": 2}


def test_a_notice_goes_with_its_incident(ledger: Database) -> None:
    prune.prune(ledger, 10)
    assert ledger.execute("SELECT count(*) FROM notice").fetchone() == (3,)


def test_a_terminal_has_a_bar_while_runs_are_deleted(ledger: Database) -> None:
    command = [sys.executable, "-m", "scheduled_tasks.cli", "prune-runs", "--keep", "10"]
    environment = os.environ | {"SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml"), "TERM": "xterm"}
    seen = on_a_terminal(command, env=environment)
    assert "0/26" in seen.text
    assert "26/26" in seen.text
    assert seen.text.rstrip().endswith("6 runs older than 10 days deleted"), seen.text
    assert left(ledger) == {"task_run": 3, "past_attempt": 2, "incident": 3, "deployed_job": 2}


def test_no_batch_begins_after_the_end_of_its_time(ledger: Database) -> None:
    assert prune.prune(ledger, 10, until=time.monotonic()) == 0
    assert left(ledger) == {"task_run": 9, "past_attempt": 9, "incident": 9, "deployed_job": 9}


@pytest.mark.parametrize("configured", ["nan", "inf", "-1", "0", "a year", "1e9"])
def test_keep_runs_is_a_number_of_days(configured: str) -> None:
    with pytest.raises(ConfigurationError, match=r"keep_runs = '.*': write a number of days, such as 400"):
        prune.keep_days(configured)
