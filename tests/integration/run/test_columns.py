"""The columns that the package names are those of the table, with the same types."""

from __future__ import annotations

from typing import Any

import psycopg

from scheduled_tasks.operate.history import RunRow
from scheduled_tasks.run.columns import END, START, TERMS
from scheduled_tasks.run.record import Result

BY_POSTGRESQL = {"started_at": "timestamptz", "ended_at": "timestamptz", "expires_at": "timestamptz"}
BY_THE_WATCH = {"is_resolved": "boolean"}


def test_the_columns_are_those_of_the_table(connection: psycopg.Connection[Any]) -> None:
    table = connection.execute(
        "SELECT attname, replace(format_type(atttypid, -1), 'timestamp with time zone', 'timestamptz')"
        " FROM pg_attribute WHERE attrelid = 'task_run'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    assert dict(table) == START | TERMS | END | BY_POSTGRESQL | BY_THE_WATCH


def test_a_past_attempt_has_the_same_columns_in_the_same_order(connection: psycopg.Connection[Any]) -> None:
    def columns(table: str) -> list[Any]:
        return connection.execute(
            "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [table],
        ).fetchall()

    assert [name for name, _ in columns("past_attempt")[:1]] == ["replaced_at"]
    assert columns("past_attempt")[1:] == columns("task_run")


def test_a_result_has_the_columns_that_a_runs_end_fills() -> None:
    assert set(Result._fields) - {"run_id", "attempt"} == set(END)


def test_history_shows_every_column_but_the_terms_of_the_claim() -> None:
    assert set(RunRow._fields) - {"replaced_at"} == set(START | END | BY_POSTGRESQL)  # that one is past_attempt's
