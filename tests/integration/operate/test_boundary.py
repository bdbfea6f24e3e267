"""The ledger against a hostile task: what a role of the services can ask of the database's two functions, and what not.

Privileges on tables are in test_grants.py and test_page_grants.py, bounds of values in test_ledger_tables.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from scheduled_tasks.operate.grants import wrong_roles
from tests.integration.operate.roles import ALL, NIGHT, OPERATORS, TASKS, Database, as_role, granted

ROW = "SELECT status, attempt, host, error_message FROM task_run"
PAST = "SELECT status, attempt, host, error_message FROM past_attempt"
SLOT = "2026-11-24T06:00:00Z"


@pytest.fixture
def owner(connection: Database) -> Iterator[Database]:
    with granted(connection):
        yield connection


@pytest.fixture
def task(owner: Database) -> Iterator[Database]:
    """A task's own connection, which can send any statement."""
    with as_role(owner, TASKS) as connection:
        yield connection


def open_run(connection: Database, *, late: bool = False, **asked: object) -> int | None:
    """Ask for a slot; return the attempt, None if it isn't this run's."""
    run = {
        "run_id": str(uuid4()), "task": "shop.sell", "clock": "shop", "job": "sell", "scheduled_at": SLOT,
        "slot_host": "", "host": "app1", "trigger": "timer", "attempt": 1, "is_idempotent": False,
        "is_exclusive": False, "age": 0, "expires_in": 60, **asked,
    }  # fmt: skip
    deadline = datetime.now(UTC) + timedelta(seconds=-1 if late else 60)
    row = connection.execute("SELECT attempt FROM open_run(%s, %s)", [json.dumps(run), deadline]).fetchone()
    assert row is not None
    attempt: int | None = row[0]
    return attempt


def close_run(connection: Database, run_id: object, status: str = "ended", **result: object) -> bool:
    values = json.dumps({"run_id": str(run_id), "attempt": 1, "status": status, "duration": 1, **result})
    [(closed,)] = connection.execute("SELECT close_run(%s)", [values]).fetchall()
    return bool(closed)


@pytest.mark.parametrize("clock", ["night", "shop"])
@pytest.mark.parametrize("role", [TASKS, NIGHT])
def test_an_apply_finds_exactly_the_roles_that_cannot_record_a_clocks_runs(
    owner: Database, role: str, clock: str
) -> None:
    with as_role(owner, role) as task:
        try:
            refused = open_run(task, clock=clock) is None
        except psycopg.errors.InsufficientPrivilege:
            refused = True
    assert bool(wrong_roles([(clock, role)], ALL.clock_roles)) is refused


def test_a_run_closes_only_what_it_opened_and_only_once(owner: Database, task: Database) -> None:
    mine, other = uuid4(), uuid4()
    assert open_run(task, run_id=str(mine)) == 1
    assert not close_run(task, other)
    assert not close_run(task, mine, attempt=2)
    assert close_run(task, mine, "failed", error_message="no stock")
    assert not close_run(task, mine, "ended")
    assert not close_run(task, mine, "ended", duration=2)
    assert owner.execute(ROW).fetchall() == [("failed", 1, "app1", "no stock")]


def test_a_run_does_not_open_its_slot_again_after_its_end_unless_it_is_the_next_attempt(
    owner: Database, task: Database
) -> None:
    mine = uuid4()
    assert open_run(task, run_id=str(mine)) == 1
    assert open_run(task, run_id=str(mine)) == 1  # the connection was lost, and it asks again
    assert close_run(task, mine, "failed")
    assert open_run(task, run_id=str(mine)) is None
    assert owner.execute(PAST).fetchall() == []
    assert open_run(task, run_id=str(mine), attempt=2) == 2
    assert owner.execute(PAST).fetchall() == [("failed", 1, "app1", None)]


@pytest.mark.parametrize(
    "asked",
    [
        {"is_requested": True, "is_repeated": True, "trigger": "backfill"},
        {"is_forced": True},
    ],
    ids=["requested", "forced"],
)
def test_whoever_repeats_a_failed_slot_leaves_the_failure_in_the_ledger(
    owner: Database, task: Database, asked: dict[str, Any]
) -> None:
    first, second = uuid4(), uuid4()
    open_run(task, run_id=str(first))
    close_run(task, first, "failed", error_message="no stock")
    assert open_run(task, run_id=str(second)) is None  # nobody asked for it
    assert open_run(task, run_id=str(second), host="app2", **asked) == 2
    assert close_run(task, second, attempt=2)
    assert not close_run(task, first)
    assert owner.execute(ROW).fetchall() == [("ended", 2, "app2", None)]
    assert owner.execute(PAST).fetchall() == [("failed", 1, "app1", "no stock")]


def test_a_slot_that_runs_elsewhere_is_nobodys_even_by_force(owner: Database, task: Database) -> None:
    open_run(task)
    for asked in ({}, {"is_forced": True}, {"is_requested": True, "is_repeated": True}, {"is_idempotent": True}):
        assert open_run(task, host="app2", **asked) is None
    assert owner.execute(ROW).fetchall() == [("started", 1, "app1", None)]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"scheduled_at": "infinity"}, "more than a day ahead"),
        ({"scheduled_at": "2031-01-01T00:00Z"}, "more than a day ahead"),
        ({"scheduled_at": "-infinity"}, "instants_from_2000_to_2200"),
        ({"scheduled_at": "0044-03-15T12:00Z BC"}, "instants_from_2000_to_2200"),
        ({"attempt": 2_000_000}, "attempt 2000000"),
        ({"attempt": -1}, "plausible_numbers"),
        ({"host": "x" * 1000}, "names_of_at_most_255_characters"),
        ({"task": "x" * 2_000_000}, "names_of_at_most_255_characters"),
        ({"lag": "NaN"}, "plausible_numbers"),
        ({"trigger": "me"}, "task_run_trigger_check"),
        ({"clock": "night"}, "cannot record runs of the clock night"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_would_spoil_the_ledger_is_refused(
    owner: Database, task: Database, asked: dict[str, Any], refused: str
) -> None:
    with pytest.raises((psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege), match=refused):
        open_run(task, **asked)
    assert owner.execute(ROW).fetchall() == []


def test_no_claim_lasts_longer_than_a_year_or_has_begun_before_a_month_ago(owner: Database, task: Database) -> None:
    open_run(task, expires_in=1e300, age=1e300)
    assert owner.execute(
        "SELECT expires_at < now() + interval '367 days', started_at > now() - interval '31 days' FROM task_run"
    ).fetchone() == (True, True)


@pytest.mark.parametrize(
    "result",
    [
        {"error_message": "x" * 2_000_000},
        {"reason": "x" * 4001},
        {"duration": "NaN"},
        {"duration": -1},
        {"memory_peak": -1},
        {"status": "missed"},
        {"status": "started"},
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_result_that_would_spoil_the_ledger_is_refused(
    owner: Database, task: Database, result: dict[str, Any]
) -> None:
    mine = uuid4()
    open_run(task, run_id=str(mine))
    with pytest.raises(psycopg.errors.CheckViolation):
        close_run(task, mine, **result)
    assert owner.execute(ROW).fetchall() == [("started", 1, "app1", None)]


def test_the_result_is_not_smuggled_in_with_the_claim(owner: Database, task: Database) -> None:
    open_run(task, status="ended", ended_at="2026-11-24T07:00Z", duration=1, reason="all is well")
    assert owner.execute("SELECT status, ended_at, duration, reason FROM task_run").fetchall() == [
        ("started", None, None, None)
    ]


def test_a_role_of_a_clock_records_runs_of_that_clock_only(owner: Database, task: Database) -> None:
    with as_role(owner, NIGHT) as night:
        assert open_run(night, clock="night") == 1
        for clock in ("shop", None):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                open_run(night, clock=clock)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        open_run(task, clock="night", scheduled_at="2026-11-25T06:00:00Z")
    assert open_run(owner, clock="night", scheduled_at="2026-11-26T06:00:00Z") == 1


def test_a_tasks_temporary_tables_are_not_taken_for_the_ledgers(owner: Database, task: Database) -> None:
    task.execute("CREATE TEMPORARY TABLE task_run (LIKE pg_class)")
    task.execute("CREATE TEMPORARY TABLE role_clock (role text, clock text)")
    task.execute("CREATE TEMPORARY TABLE feature (name text, is_active boolean, reverts_at timestamptz)")
    task.execute("CREATE FUNCTION pg_temp.left(text, integer) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$")
    task.execute("SET search_path = pg_temp, public")
    mine = uuid4()
    assert open_run(task, run_id=str(mine)) == 1
    assert close_run(task, mine, "failed", error_type="ValueError", error_message="no stock")
    assert owner.execute(f"{ROW} WHERE error_type = 'ValueError'").fetchall() == [("failed", 1, "app1", "no stock")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        open_run(task, clock="night")


def test_a_claim_that_comes_too_late_does_not_come_into_being(owner: Database, task: Database) -> None:
    with pytest.raises(psycopg.errors.LockNotAvailable, match="the claim comes too late"):
        open_run(task, late=True)
    assert owner.execute(ROW).fetchall() == []
    assert open_run(task) == 1


def test_a_task_cannot_end_connections_of_other_roles(owner: Database, task: Database) -> None:
    with as_role(owner, NIGHT) as night, as_role(owner, OPERATORS) as operator:
        for other in (task, operator, owner):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                night.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])
        # Of its own role it can: this is why a clock can have a role of its own.
        with as_role(owner, NIGHT) as own:
            assert own.execute("SELECT pg_terminate_backend(%s)", [night.info.backend_pid]).fetchone() == (True,)


def test_a_connection_limit_leaves_connections_for_everybody_else(owner: Database) -> None:
    owner.execute(f"ALTER ROLE {NIGHT} CONNECTION LIMIT 1".encode())
    with as_role(owner, NIGHT):
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"), as_role(owner, NIGHT):
            pass
        with as_role(owner, TASKS) as task:
            assert open_run(task) == 1


def test_a_transaction_that_a_task_leaves_open_holds_nobody_up_for_longer_than_a_statement_waits(
    owner: Database, task: Database
) -> None:
    # A claim waits ten seconds, whatever its connection says; here less.
    [(settings,)] = owner.execute("SELECT proconfig FROM pg_proc WHERE proname = 'open_run'").fetchall()
    assert "lock_timeout=10s" in settings
    owner.execute("ALTER FUNCTION open_run SET lock_timeout = '100ms'")
    task.execute("BEGIN")
    open_run(task)
    with as_role(owner, OPERATORS) as watch:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            open_run(watch, host="app2", scheduled_at=SLOT)
        assert open_run(watch, host="app2", scheduled_at="2026-11-25T06:00:00Z") == 1  # every other slot is free
    task.execute("ROLLBACK")
    assert owner.execute("SELECT host FROM task_run").fetchall() == [("app2",)]
