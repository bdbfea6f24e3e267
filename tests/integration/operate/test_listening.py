"""The listener wakes the watch for what concerns its host, not too often, and goes on as long as it is to.

The database notifies listeners of requests, pauses and flags, and never of runs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest

from scheduled_tasks.operate import feature_flags, pauses
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.listen import MAX_STARTS, listen
from scheduled_tasks.operate.requests.request_rows import Ask
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.shop import Database
from tests.integration.operate.shop_requests import SIX, ask, hours
from tests.integration.operate.simulated_services import SimulatedHost, host_with
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(url: str) -> Iterator[list[str]]:
    """A listener of app1, and what it has done."""
    stopped, woken = Event(), list[str]()
    with closing(psycopg.connect(url, autocommit=True)) as own, ThreadPoolExecutor(1) as threads:
        done = threads.submit(
            listen, own, "app1", lambda: woken.append("woken"), lambda: not stopped.is_set(), check_interval=0.05
        )
        pid = own.info.backend_pid
        with closing(psycopg.connect(url, autocommit=True)) as other:
            asked = "SELECT query LIKE 'LISTEN%%' AND state = 'idle' FROM pg_stat_activity WHERE pid = %s"
            wait_for("the listener", lambda: other.execute(asked, [pid]).fetchone() == (True,))
        try:
            yield woken
        finally:
            stopped.set()
            done.result()


def test_a_request_to_this_host_or_to_any_wakes_its_watch_and_nothing_else_does(
    connection: Database, database_url: str
) -> None:
    for host in ("app1", "app2"):
        host_with(connection, host, "shop/sell")
    with listening(database_url) as woken:
        connection.execute("INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'anna', 'x')")
        request_rows.ask(connection, Ask("run", "shop", "sell", "why", host="app2"), by="anna")
        connection.execute("UPDATE request SET outcome = 'done', finished_at = now()")
        request_rows.ask(connection, Ask("run", "shop", "sell", "why", host="app1"), by="anna")
        wait_for("the first start", lambda: len(woken) == 1)
        request_rows.ask(connection, Ask("run", "shop", "sell", "why"), by="anna")
        wait_for("the second start", lambda: len(woken) == 2)
    assert woken == ["woken", "woken"]


def test_whoever_notifies_all_the_time_does_not_start_the_watch_all_the_time(
    connection: Database, database_url: str
) -> None:
    with listening(database_url) as woken:
        for number in range(3 * MAX_STARTS):
            connection.execute("NOTIFY scheduled_tasks, 'asked'")
            if number < MAX_STARTS:
                wait_for("a start", lambda n=number: len(woken) == n + 1)  # type: ignore[misc]
        connection.execute("NOTIFY scheduled_tasks, 'done'")
    assert len(woken) == MAX_STARTS


def test_a_lost_connection_ends_the_listening_with_an_error(connection: Database, database_url: str) -> None:
    with pytest.raises(psycopg.OperationalError), listening(database_url) as woken:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    assert woken == []


def test_listeners_are_told_of_requests_pauses_and_flags_and_never_of_runs(
    connection: Database, database_url: str, app1: SimulatedHost
) -> None:
    with closing(psycopg.connect(database_url, autocommit=True)) as listener:
        listener.execute("LISTEN scheduled_tasks")
        connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('SELL', true, 'test')")
        ask(connection, host="app1")
        ask(connection)
        app1.watch(seconds=10)
        scope = Scope("shop")
        pauses.pause(connection, Pause(scope, SIX, "anna", "stocktaking", None))
        for _ in range(2):
            own = Pause(Scope("shop", None, "app1"), SIX, "anna", "a disk", None, local_id="1")
            pauses.report(connection, [own])  # each minute; only the first one is new
        pauses.resume(connection, scope, by="anna", at=hours(1), reason="counted")
        feature_flags.set_active(connection, "SELL", active=False, actor="anna", reason="overload")
        feature_flags.revert_expired(connection)
        told = [notice.payload for notice in listener.notifies(timeout=1, stop_after=10)]
    assert told == [
        "flag", "asked app1", "asked", "answered", "answered", "pause", "pause", "pause", "flag",
    ]  # fmt: skip
    assert connection.execute("SELECT resumed_by, resume_reason FROM pause WHERE host IS NULL").fetchall() == [
        ("anna", "counted")
    ]
