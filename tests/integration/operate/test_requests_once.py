"""A request starts its run once, even if its watch is killed at any statement, or several watches work at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from typing import Any

import psycopg
import pytest

from scheduled_tasks.operate.requests import request_rows
from tests.integration.operate.shop import Database
from tests.integration.operate.shop_requests import SELL, SIX, ask, hours, result, runs
from tests.integration.operate.simulated_services import Killed, SimulatedHost, SimulatedServices


def let_leases_end(connection: Database) -> None:
    connection.execute("UPDATE request SET taken_until = clock_timestamp() WHERE outcome IS NULL")


class DyingConnection:
    """A connection whose process is killed right before or right after one of its statements."""

    def __init__(self, connection: Database, statement: int, *, before: bool) -> None:
        self._connection, self._left, self._before = connection, statement, before

    def execute(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0 and self._before:
            raise Killed
        cursor = self._connection.execute(*arguments)
        if self._left == 0:
            raise Killed
        return cursor

    @property
    def has_died(self) -> bool:
        return self._left <= 0


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    "asked",
    [{}, {"slot": SIX}, {"kind": "backfill", "slot": SIX, "until_slot": hours(1)}],
    ids=["by hand", "slot", "backfill"],
)
def test_a_watch_that_is_killed_at_any_statement_starts_each_run_once(
    connection: Database, app1: SimulatedHost, asked: dict[str, Any], *, before: bool
) -> None:
    expected = [SIX, hours(1)] if "kind" in asked else [asked.get("slot")]
    for statement in count(1):
        connection.execute("TRUNCATE task_run, past_attempt, request")
        app1.services.starts.clear()
        number = ask(connection, host="app1", **asked)
        dying = DyingConnection(connection, statement, before=before)
        with suppress(Killed):
            app1.watch(seconds=10, connection=dying)
        for _ in range(4):
            let_leases_end(connection)
            app1.watch()
        assert result(connection, number) == ("done", None), statement
        assert [start.at for start in app1.services.starts] == expected, statement
        assert [(status, at) for status, _, _, at, _ in runs(connection)] == [("ended", at) for at in expected]
        if not dying.has_died:
            break
    assert statement > 5


def test_a_watch_that_is_killed_while_the_service_starts_does_not_start_it_again(
    connection: Database, app1: SimulatedHost
) -> None:
    app1.services.slow.add(SELL)
    number = ask(connection, host="app1")
    dying = DyingConnection(connection, 5, before=True)  # the start is not recorded
    with pytest.raises(Killed):
        app1.watch(connection=dying)
    assert request_rows.find(connection, number).started_at is None
    for _ in range(3):
        let_leases_end(connection)
        app1.watch()
    assert result(connection, number) == (None, None)
    app1.services.arrive(SELL)
    app1.watch()
    assert result(connection, number) == ("done", None)
    assert len(app1.services.starts) == 1


def test_two_watches_of_a_host_and_those_of_two_hosts_start_each_run_once(
    connection: Database, database_url: str, app1: SimulatedHost, app2: SimulatedHost
) -> None:
    asked = [ask(connection, slot=hours(-number)) for number in range(12)]

    def watch(host: SimulatedHost) -> None:
        with closing(psycopg.connect(database_url, autocommit=True)) as own:
            mine = SimulatedHost(own, host.name, host.jobs, SimulatedServices(own, host.name))
            while connection_says(own, "SELECT count(*) FROM request WHERE outcome IS NULL"):
                mine.watch()

    with ThreadPoolExecutor() as pool:
        list(pool.map(watch, [app1, app1, app2, app2]))
    assert {request_rows.find(connection, number).outcome for number in asked} == {"done"}
    assert [(status, attempt) for status, _, _, _, attempt in runs(connection)] == [("ended", 1)] * 12
    assert connection.execute("SELECT count(*) FROM past_attempt").fetchall() == [(0,)]


def connection_says(connection: Database, query: str) -> Any:
    [(value,)] = connection.execute(query.encode()).fetchall()
    return value
