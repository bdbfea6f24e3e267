"""The worked example's clocks: when its jobs are due and their limits; and its tasks run by run-task."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.clock_file import clock_files, read_clocks
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.domains import demo
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from scheduled_tasks.clock import ClockSpec


@pytest.fixture
def clocks() -> list[ClockSpec]:
    project = ReadingContext("scheduled_tasks.domains", "Europe/Paris", datetime(2026, 1, 1, tzinfo=UTC))
    return read_clocks(clock_files("scheduled_tasks.clocks"), project)


def test_jobs_are_due_at_the_hours_of_the_original(clocks: list[ClockSpec]) -> None:
    due = [(clock.name, job.id, job.task, describe(job.trigger)) for clock in clocks for job in clock.jobs]
    assert due == [
        ("algolia", "index_offers", "algolia.index_offers", "every 5 minutes, Europe/Paris time"),
        ("algolia", "delete_expired_offers", "algolia.delete_expired_offers", "at 01:00 every day, Europe/Paris time"),
        (
            "booking",
            "mark_past_bookings_used",
            "booking.mark_past_bookings_used",
            "at 00:00 every day, Europe/Paris time",
        ),
        (
            "booking",
            "cancel_expired_bookings",
            "booking.cancel_expired_bookings",
            "at 02:00 every day, Europe/Paris time",
        ),
        (
            "titelive",
            "synchronize_titelive_products",
            "titelive.synchronize_titelive_products",
            "at 01:00 every day, Europe/Paris time",
        ),
        (
            "titelive",
            "synchronize_titelive_stocks",
            "titelive.synchronize_titelive_stocks",
            "at 06:00 every day, Europe/Paris time",
        ),
    ]


def test_each_clock_has_its_own_options(clocks: list[ClockSpec]) -> None:
    assert {clock.name: dict(clock.options.values) for clock in clocks} == {
        "algolia": {"timeout": "15min", "memory_max": "256M", "cpu_weight": "50", "allow_network": ("any",)},
        "booking": {"timeout": "30min", "memory_max": "256M"},
        "titelive": {"timeout": "2h", "memory_max": "512M", "cpu_weight": "50", "allow_network": ("any",)},
    }


def _run_task(task: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "scheduled_tasks.run.main", task], capture_output=True, text=True, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_run_task_cancels_the_expired_bookings_of_the_sample_data_once(connection: psycopg.Connection[Any]) -> None:
    demo.fill(connection)
    expired = connection.execute("""
        SELECT count(*), sum(booking.quantity)
          FROM booking JOIN stock ON stock.id = stock_id JOIN offer ON offer.id = offer_id
         WHERE status = 'pending'
           AND created_at < now() - CASE type WHEN 'book' THEN interval '10 days' ELSE interval '30 days' END
    """).fetchall()
    for cancelled, quantity in [*expired, (0, 0)]:
        exit_code, lines = _run_task("booking.cancel_expired_bookings")
        assert exit_code == 0
        assert [line.get("status") for line in lines] == ["started", None, "ended"]
        assert (lines[1]["cancelled"], lines[1]["quantity_given_back"]) == (cancelled, quantity)


def test_run_task_names_the_venue_of_a_failing_synchronization(
    connection: psycopg.Connection[Any], services: Any, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    rows("INSERT INTO venue (name, siret) VALUES ('Librairie du Canal', '53020000000012')")
    rows("INSERT INTO provider (name, local_class) VALUES ('Stocks', 'TiteLiveStocks')")
    rows("INSERT INTO venue_provider (venue_id, provider_id) VALUES (1, 1)")
    exit_code, lines = _run_task("titelive.synchronize_titelive_stocks")
    assert exit_code == 1
    assert lines[-1]["status"] == "failed"
    assert lines[-1]["reason"].startswith(
        "1 of 1 venues could not be synchronized: Librairie du Canal (53020000000012): Titelive: GET "
        "/stocks/53020000000012: answered 404 Not Found"
    )
    assert [line["message"] for line in lines[1:-1]] == ["a venue could not be synchronized", "stocks synchronized"]


def test_run_task_logs_no_lines_of_the_http_library(services: Any, rows: Any) -> None:
    rows("INSERT INTO offer_index_queue (offer_id) VALUES (1)")
    exit_code, lines = _run_task("algolia.index_offers")
    assert (exit_code, [line["message"] for line in lines[1:-1]]) == (0, ["offers indexed"])
    assert (lines[1]["indexed"], lines[1]["deleted"]) == (0, 1)
