"""`clocks run --host`, `backfill --host`, `stop` and `requests`: they ask a host, wait for it and show what it did."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest

from scheduled_tasks.cli.running import on_host
from tests.integration.operate.shop import Database, ask, clocks
from tests.integration.operate.simulated_services import SimulatedHost, SimulatedServices, host_with

if TYPE_CHECKING:
    from click.testing import Result

SELL = "clock-shop-sell.service"
BY = ("--host", "app1", "--reason", "the till was broken")


@pytest.fixture
def app1(connection: Database) -> SimulatedHost:
    return host_with(connection, "app1", "shop/sell")


@contextmanager
def watching(app1: SimulatedHost, url: str) -> Iterator[SimulatedServices]:
    """The host's watch works on requests all the time, with a connection of its own."""
    stopped = Event()
    with closing(psycopg.connect(url, autocommit=True)) as own, ThreadPoolExecutor(1) as threads:
        services = SimulatedServices(own, app1.name)
        host = SimulatedHost(own, app1.name, app1.jobs, services)

        def watch() -> None:
            while not stopped.wait(0.05):
                host.watch()

        watched = threads.submit(watch)
        try:
            yield services
        finally:
            stopped.set()
            watched.result()


def wait_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_host, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr(on_host, "LINES_TIMEOUT", 0.5)


def run_id(connection: Database) -> str:
    [(run,)] = connection.execute("SELECT run_id::text FROM task_run").fetchall()
    return str(run)[:8]


def test_run_on_a_host_waits_for_the_start_and_says_which_run_it_became(
    connection: Database, database_url: str, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    with watching(app1, database_url):
        done = clocks("run", "shop/sell", "--at", "2026-11-24T06:00Z", *BY)
    assert done.stdout == f"started on app1: run {run_id(connection)}\n"
    assert done.stderr.splitlines()[0] == "request 1: app1 takes it within a minute"
    assert connection.execute("SELECT kind, asked_by, reason, outcome FROM request").fetchall() == [
        ("run", "anna", "the till was broken", "done")
    ]


def test_run_on_a_host_with_wait_shows_how_the_run_ended_and_has_its_exit_code(
    connection: Database, database_url: str, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    with watching(app1, database_url) as services:
        good = clocks("run", "shop/sell", "--wait", *BY)
        assert good.stdout == f"run {run_id(connection)} ended on app1 after 1.0 s\n"
        connection.execute("DELETE FROM task_run")
        services.failing.add(SELL)
        bad = clocks("run", "shop/sell", "--wait", *BY, check=False)
    assert (bad.exit_code, bad.stdout) == (1, f"run {run_id(connection)} failed on app1 after 1.0 s: no stock\n")


def refused(*argv: str) -> tuple[int, str]:
    done: Result = clocks(*argv, check=False)
    return done.exit_code, done.stderr.splitlines()[-1]


def test_what_a_host_refuses_is_said_with_exit_code_75(
    connection: Database, database_url: str, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    connection.execute(
        "INSERT INTO pause (clock, paused_at, paused_by, reason) VALUES ('shop', '2026-11-24Z', 'b', 'x')"
    )
    with watching(app1, database_url):
        assert refused("run", "shop/sell", *BY) == (
            75,
            "clocks: request 1 to run shop/sell refused: it is paused: shop since 2026-11-24T00:00:00Z by b: x",
        )
    connection.execute("UPDATE request SET expires_at = clock_timestamp()")


def test_a_request_that_no_host_takes_ends_the_command(
    connection: Database, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    connection.execute("UPDATE host SET heartbeat_at = '2026-11-24 06:00Z'")
    connection.execute("ALTER TABLE request ALTER expires_at SET DEFAULT clock_timestamp() + interval '0.2 s'")
    assert refused("run", "shop/sell", *BY) == (
        75,
        (
            "clocks: request 1 to run shop/sell expired: app1 did not take it within 5 min: its last heartbeat was at"
            " 2026-11-24T06:00:00Z"
        ),
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("run", "shop/sell", "--host", "app1"), "--host needs --reason: say why, for colleagues who find the request"),
        (("run", "shop/sell", "--reason", "x"), "--reason is for a request: give --host, too"),
        (
            ("run", "shop/sell", "--host", "app9", "--reason", "x"),
            "no host app9 has ever had a job; did you mean app2 or app1?",
        ),
        (("run", "shop/sel", *BY), "the clock shop has no job sel; did you mean sell?"),
        (("run", "shop/sell", "--host", "app2", "--reason", "x"), "shop/sell is not deployed on app2; it is on app1"),
        (
            ("run", "shop/sell", "--at", "2026-11-24T06:59:59Z", *BY),
            (
                "shop/sell is not due at 2026-11-24T06:59:59Z; the nearest slots are 2026-11-24T06:00:00Z and"
                " 2026-11-24T07:00:00Z"
            ),
        ),
    ],
)
def test_what_can_not_be_asked_is_said_at_once(
    connection: Database, app1: SimulatedHost, argv: tuple[str, ...], message: str
) -> None:
    host_with(connection, "app2", "till/close")
    code, said = refused(*argv)
    assert (code, message in said) == (64, True), said
    assert connection.execute("SELECT FROM request").fetchall() == []


def test_a_backfill_on_a_host_says_how_many_slots_it_ran(
    connection: Database, database_url: str, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    span = ("--from", "2026-11-24T06:00Z", "--to", "2026-11-24T08:00Z")
    shown = clocks("backfill", "shop/sell", *span, "--host", "app1", "--dry-run")
    assert shown.stdout.splitlines() == ["2026-11-24 06:00:00Z", "2026-11-24 07:00:00Z", "2026-11-24 08:00:00Z"]
    with watching(app1, database_url) as services:
        assert clocks("backfill", "shop/sell", *span, *BY).stdout == "3 slots done on app1\n"
        assert (
            clocks("backfill", "shop/sell", *span, *BY).stdout == "nothing to do: every slot in this range has ended\n"
        )
        services.failing.add(SELL)
        later = ("--from", "2026-11-25T06:00Z", "--to", "2026-11-25T08:00Z")
        assert refused("backfill", "shop/sell", *later, *BY) == (
            75,
            (
                "clocks: request 3 to backfill shop/sell failed: stopped at 2026-11-25T06:00:00Z: failed: no stock;"
                " 0 of 3 slots done"
            ),
        )


def test_stop_ends_a_run_on_its_host(
    connection: Database, database_url: str, app1: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_less(monkeypatch)
    with watching(app1, database_url) as services:
        services.lasting.add(SELL)
        clocks("run", "shop/sell", *BY)
        done = clocks("stop", run_id(connection), "--reason", "it loops")
    assert done.stdout == f"stopped: run {run_id(connection)} of shop/sell on app1\n"
    listed = [(row["kind"], row["state"], row["reason"], row["asked_by"]) for row in ask("requests", "shop")]
    assert listed == [("stop", "done", "it loops", "anna"), ("run", "done", "the till was broken", "anna")]
