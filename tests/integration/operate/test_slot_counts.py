"""Counts of slots: exact with two watches at once, through every change of a status, and never lower after pruning."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from scheduled_tasks.metrics.reading import totals
from scheduled_tasks.operate import deployments, prune
from scheduled_tasks.operate.watch import slot_counts
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.run import database, record
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus
from tests.integration.operate.roles import OPERATORS, as_role, granted
from tests.integration.operate.shop import Database, ran

RESULTS = ("ended", "failed", "skipped", "missed", "lost")
NOW = datetime.now(UTC)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)


def hours(connection: Database, table: str = "slot_hour") -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The counts of each hour, without those that are all zero."""
    key = "clock, job, hour" if table == "slot_hour" else "clock, hour"
    rows = connection.execute(f"SELECT {key}, {', '.join(RESULTS)} FROM {table}".encode()).fetchall()
    return {row[:-5]: row[-5:] for row in rows if any(row[-5:])}


def hours_of_runs(connection: Database) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The oracle: the same, counted in Python from the rows of the ledger."""
    counts: dict[tuple[Any, ...], Counter[str]] = {}
    rows = connection.execute("SELECT clock, job, scheduled_at, status FROM task_run WHERE slot_host IS NOT NULL")
    for clock, job, at, status in rows:
        if status != "started":
            counts.setdefault((clock, job, at.replace(minute=0, second=0)), Counter())[status] += 1
    return {key: tuple(counted[status] for status in RESULTS) for key, counted in counts.items()}


def total(connection: Database, clock: str = "shop") -> tuple[int, ...]:
    return tuple(totals(connection)[clock].slots[status] for status in RESULTS)


def test_a_slot_counts_by_its_present_status_in_its_hour_and_once_for_each_result_in_total(
    connection: Database,
) -> None:
    ran(connection, "sell", HOUR, "missed")
    count_slots(connection)
    assert hours(connection) == {("shop", "sell", HOUR): (0, 0, 0, 1, 0)}
    for status in ("started", "failed", "started", "lost", "ended"):
        connection.execute("UPDATE task_run SET status = %s, attempt = attempt + 1", [status])
    count_slots(connection)
    assert hours(connection) == {("shop", "sell", HOUR): (1, 0, 0, 0, 0)}
    assert hours(connection, "clock_hour") == {("shop", HOUR): (1, 0, 0, 0, 0)}
    assert total(connection) == (1, 1, 0, 1, 1)


def test_a_run_records_itself_and_is_counted(
    connection: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    run = Run("shop.work", "work", clock="shop", job="work")
    run.slot_host, run.scheduled_at = "", HOUR
    record.open_run(run, record.ClaimTerms(timeout=60, overlap="skip"), "1")
    assert connection.execute("SELECT count(*) FROM slot_change").fetchall() == [(0,)]  # a start costs nothing
    record.close_run(run, record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.25))
    record.close_run(run, record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.25))  # sent twice
    database.close()
    count_slots(connection)
    assert total(connection) == (1, 0, 0, 0, 0)
    assert totals(connection)["shop"].durations == {0.1: 1}
    assert connection.execute("SELECT seconds, longest FROM slot_hour").fetchall() == [(0.25, 0.25)]


def test_a_verdict_that_is_decided_again_counts_once_in_its_hour(connection: Database) -> None:
    ran(connection, "sell", HOUR, "missed")
    ran(connection, "sell", HOUR + timedelta(minutes=1), "ended")
    count_slots(connection)
    with connection.transaction():
        deployments.reopen(connection, "shop", "sell", HOUR - timedelta(minutes=1))
    ran(connection, "sell", HOUR, "skipped")
    count_slots(connection)
    assert hours(connection) == {("shop", "sell", HOUR): (1, 0, 1, 0, 0)}
    assert total(connection) == (1, 0, 1, 1, 0)


def test_the_duration_of_a_run_whose_result_is_replaced_counts_once(connection: Database) -> None:
    ran(connection, "sell", HOUR, "ended", duration=2.0)
    connection.execute("UPDATE task_run SET status = 'failed', error_type = 'Killed'")  # as the failure service does
    count_slots(connection)
    assert totals(connection)["shop"].durations == {1.0: 1}
    assert hours(connection) == {("shop", "sell", HOUR): (0, 1, 0, 0, 0)}


def test_a_duration_is_in_the_bucket_whose_bound_it_does_not_exceed(connection: Database) -> None:
    for number, seconds in enumerate((0.05, 0.1, 0.11, 3.0, 43200.0, 43201.0)):
        ran(connection, "sell", HOUR + timedelta(minutes=number), "ended", duration=seconds)
    count_slots(connection)
    assert totals(connection)["shop"].durations == {0.0: 2, 0.1: 1, 1.0: 1, 10800.0: 1, 43200.0: 1}


def test_a_run_without_a_slot_counts_only_by_its_duration(connection: Database) -> None:
    ran(connection, "sell", HOUR, "ended", duration=2.0, slot_host=None, scheduled_at=None, trigger="manual")
    count_slots(connection)
    assert (total(connection), hours(connection)) == ((0, 0, 0, 0, 0), {})
    assert totals(connection)["shop"].durations == {1.0: 1}


def test_pruning_lowers_no_count(connection: Database) -> None:
    old = HOUR - timedelta(days=30)
    ran(connection, "sell", old, "failed", duration=2.0)
    ran(connection, "sell", HOUR, "ended", duration=2.0)
    count_slots(connection)
    before = total(connection), hours(connection), totals(connection)
    assert prune.prune(connection, 7) == 1
    count_slots(connection)
    assert (total(connection), hours(connection), totals(connection)) == before
    connection.execute("UPDATE slot_hour SET hour = hour - interval '6 days' WHERE hour < %s", [HOUR])
    connection.execute("UPDATE clock_hour SET hour = hour - interval '371 days' WHERE hour < %s", [HOUR])
    prune.prune(connection, 7)  # by now the hour is older than 35 days, and 400 for the clock
    assert hours(connection) == {("shop", "sell", HOUR): (1, 0, 0, 0, 0)}
    assert hours(connection, "clock_hour") == {("shop", HOUR): (1, 0, 0, 0, 0)}
    assert total(connection) == (1, 1, 0, 0, 0)


def test_a_ledger_from_before_is_counted_once(connection: Database) -> None:
    connection.execute("ALTER TABLE task_run DISABLE TRIGGER USER")
    for number in range(5):
        ran(connection, "sell", HOUR - timedelta(hours=number), "ended", duration=2.0)
    ran(connection, "sell", HOUR - timedelta(days=40), "failed")
    connection.execute("ALTER TABLE task_run ENABLE TRIGGER USER")
    connection.execute("UPDATE task_run SET status = 'failed' WHERE scheduled_at = %s", [HOUR])  # not counted yet
    ran(connection, "sell", HOUR + timedelta(hours=1), "missed", clock="till")
    for _ in range(2):
        assert count_slots(connection) in {0, 2}
        assert (total(connection), total(connection, "till")) == ((4, 2, 0, 0, 0), (0, 0, 0, 1, 0))
    recent = {key: counts for key, counts in hours_of_runs(connection).items() if key[2] > NOW - timedelta(days=35)}
    assert hours(connection) == recent
    assert hours(connection, "clock_hour")["shop", HOUR - timedelta(days=40)] == (0, 1, 0, 0, 0)


def test_a_clock_that_another_watch_has_counted_meanwhile_is_not_counted_again(connection: Database) -> None:
    ran(connection, "sell", HOUR, "ended")
    assert slot_counts._count_clocks(connection, ["shop"]) == 1
    assert slot_counts._count_clocks(connection, ["shop"]) == 0
    assert (total(connection), hours(connection)) == ((1, 0, 0, 0, 0), {("shop", "sell", HOUR): (1, 0, 0, 0, 0)})


def test_a_watch_waits_for_no_other(connection: Database, database_url: str) -> None:
    ran(connection, "sell", HOUR, "ended")
    with closing(psycopg.connect(database_url)) as other:
        other.execute("LOCK TABLE clock_total IN SHARE ROW EXCLUSIVE MODE")
        assert count_slots(connection) == 0
        other.rollback()  # the server may see only later that a connection is closed
    assert count_slots(connection) == 1


def test_operators_count_and_nobody_else_writes(connection: Database) -> None:
    ran(connection, "sell", HOUR, "ended")
    with granted(connection), as_role(connection, OPERATORS) as operator:
        assert count_slots(operator) == 1
        ran(operator, "sell", HOUR + timedelta(minutes=1), "missed")
        with operator.transaction():
            deployments.reopen(operator, "shop", "sell", HOUR)
        assert count_slots(operator) == 1
        assert prune.prune(operator, 400) == 0


@pytest.fixture
def watches(database_url: str) -> Iterator[list[Database]]:
    with (
        closing(psycopg.connect(database_url, autocommit=True)) as one,
        closing(psycopg.connect(database_url, autocommit=True)) as two,
    ):
        yield [one, two]


@pytest.mark.parametrize("is_new", [False, True], ids=["counted before", "not counted before"])
@pytest.mark.parametrize("seed", range(2))
def test_two_watches_count_a_random_history_exactly_while_it_happens(
    connection: Database, watches: list[Database], monkeypatch: pytest.MonkeyPatch, *, seed: int, is_new: bool
) -> None:
    monkeypatch.setattr(slot_counts, "BATCH_ROWS", 7)
    rng = random.Random(seed)
    if not is_new:
        for clock in ("shop", "till"):
            slot_counts._count_clocks(connection, [clock])
    is_over = threading.Event()
    problems: list[BaseException] = []

    def watch(own: Database) -> None:
        try:
            highest = Counter[str]()
            while not is_over.is_set():
                count_slots(own)
                seen = {key: number for clock, of in totals(own).items() for key, number in _flat(clock, of)}
                assert all(number >= highest[key] for key, number in seen.items()), "a counter went down"
                highest.update({key: number - highest[key] for key, number in seen.items()})
        except BaseException as error:  # noqa: BLE001 - the test's thread shows it
            problems.append(error)

    threads = [threading.Thread(target=watch, args=[own]) for own in watches]
    for thread in threads:
        thread.start()
    recorded = Counter(_write(connection, rng) for _ in range(400))
    is_over.set()
    for thread in threads:
        thread.join(120)
    assert problems == []
    count_slots(connection)
    assert connection.execute("SELECT count(*) FROM slot_change").fetchall() == [(0,)]
    assert hours(connection) == hours_of_runs(connection)
    if is_new:  # of what became of a slot before its clock was counted first, only the last result is known
        return
    counted = {clock: of.slots for clock, of in totals(connection).items()}
    assert {(clock, status): n for clock, of in counted.items() for status, n in of.items() if n} == {
        key: number for key, number in recorded.items() if key[1] != "started"
    }


def _flat(clock: str, of: Any) -> Iterator[tuple[str, int]]:
    yield from ((f"{clock} {status}", number) for status, number in of.slots.items())
    yield f"{clock} runs", sum(of.durations.values())


def _write(connection: Database, rng: random.Random) -> tuple[str, str]:
    """Write a random result, for a new slot or one that has a row; return its clock and status."""
    clock, status = rng.choice(("shop", "till")), rng.choice((*RESULTS, "started"))
    at = HOUR + timedelta(minutes=rng.randrange(-120, 60))
    duration = rng.choice((None, 0.2, 50.0)) if status != "started" else None
    connection.execute(
        "INSERT INTO task_run AS known (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
        " started_at, duration) VALUES (%(id)s, 't', %(clock)s, 'sell', %(at)s, '', 'app1', 'timer', %(status)s,"
        " %(at)s, %(duration)s) ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE"
        " SET run_id = excluded.run_id, status = excluded.status, duration = excluded.duration,"
        " attempt = known.attempt + 1",
        {"id": uuid4(), "clock": clock, "at": at, "status": status, "duration": duration},
    )
    return clock, status
