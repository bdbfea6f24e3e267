"""The listener wakes the watch for what concerns its host, not too often, and goes on as long as it is to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest

from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.listen import MAX_STARTS, listen
from scheduled_tasks.operate.requests.request_rows import Ask
from tests.integration.operate.shop import Database
from tests.integration.operate.simulated_services import host_with
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
