"""The ledger's tables protect themselves: bounded values by CHECK, and each attempt at a slot is kept by a trigger."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

Database = psycopg.Connection[Any]

INSERT = (
    "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, attempt,"
    " started_at) VALUES (gen_random_uuid(), 'shop.sell', 'shop', 'sell', '2026-11-24T06:00Z', '', 'app1', 'timer',"
    " 'failed', 1, '2026-11-24T06:00:01Z')"
)
# A value of a column that would stop a program which reads or adds it up, and the constraint that refuses it.
REFUSED: dict[str, list[object]] = {
    "scheduled_at": ["infinity", "-infinity", "1999-12-31T23:59Z", "2200-01-01T00:00Z", "294276-12-31T00:00Z"],
    "started_at": ["infinity", "4713-01-01 BC"],
    "ended_at": ["infinity", "2200-01-01T00:00Z"],
    "expires_at": ["infinity", "-infinity"],
    "duration": [-0.001, "NaN", "Infinity", 1e300],
    "lag": ["NaN", "-Infinity", 1e300],
    "cpu_seconds": [-1, "NaN", "Infinity"],
    "memory_peak": [-1],
    "attempt": [-1, 1_000_001],
    "task": ["x" * 256],
    "job": ["x" * 256],
    "host": ["x" * 256],
    "release": ["x" * 256],
    "error_type": ["x" * 256],
    "error_message": ["x" * 4001],
    "reason": ["x" * 200_000],
    "traceparent": ["x" * 55, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", ""],
    "status": ["done"],
    "trigger": ["cron"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, values in REFUSED.items() for value in values]
)
def test_a_value_that_could_stop_a_reader_is_refused(connection: Database, column: str, value: object) -> None:
    connection.execute(INSERT)
    statement = sql.SQL("UPDATE task_run SET {} = {}").format(sql.Identifier(column), sql.Literal(value))
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement)


@pytest.mark.parametrize(("table", "column"), [("pause", "until"), ("feature", "reverts_at")])
def test_a_pause_and_a_temporary_switch_end_at_an_instant(connection: Database, table: str, column: str) -> None:
    connection.execute("INSERT INTO pause (paused_by, reason) VALUES ('ada', 'stocktaking')")
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('SELL', true, 'ada')")
    statement = sql.SQL("UPDATE {} SET {} = 'infinity'").format(sql.Identifier(table), sql.Identifier(column))
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement)


AGAIN = {
    "another run": "run_id = gen_random_uuid()",
    "the next attempt": "attempt = attempt + 1, status = 'started'",
    "a late result": "run_id = gen_random_uuid(), status = 'ended', started_at = '2026-11-24T07:00Z'",
}


@pytest.mark.parametrize("change", AGAIN.values(), ids=AGAIN)
def test_an_attempt_is_kept_whatever_replaces_it_in_the_slots_row(connection: Database, change: str) -> None:
    connection.execute(INSERT)
    before = connection.execute("SELECT * FROM task_run").fetchall()
    connection.execute(f"UPDATE task_run SET {change}".encode())
    kept = connection.execute("SELECT * FROM past_attempt").fetchall()
    assert [row[1:] for row in kept] == before
    assert connection.execute("SELECT count(*) FROM task_run").fetchone() == (1,)


def test_the_end_of_a_run_is_no_new_attempt(connection: Database) -> None:
    connection.execute(INSERT)
    connection.execute("UPDATE task_run SET status = 'ended', duration = 1, exit_code = 0")
    assert connection.execute("SELECT count(*) FROM past_attempt").fetchone() == (0,)
