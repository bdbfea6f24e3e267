"""The booking tasks, with a real PostgreSQL: what they change, what they leave, and what concurrent runs do."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap
from threading import Barrier
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.domains import booking
from scheduled_tasks.domains.application import Application, create_app

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _stocks(rows: Rows) -> None:
    """Stock 1 is of a book, 2 of a game, 3 of a past event, 4 of a future event."""
    rows("INSERT INTO venue (name) VALUES ('Librairie du Canal')")
    rows("""
        INSERT INTO offer (venue_id, name, type)
        VALUES (1, 'Germinal', 'book'), (1, 'Tarot', 'game'), (1, 'Lecture', 'event'), (1, 'Concert', 'event')
    """)
    rows("""
        INSERT INTO stock (offer_id, quantity, price, ends_at)
        VALUES (1, 5, 6, NULL), (2, 5, 8, NULL),
               (3, 5, 0, now() - interval '1 minute'), (4, 5, 0, now() + interval '1 minute')
    """)


def _book(rows: Rows, stock: int, *, age: str, quantity: int = 1, status: str = "pending") -> None:
    rows(f"""
        INSERT INTO booking (stock_id, quantity, status, created_at)
        VALUES ({stock}, {quantity}, '{status}', now() - interval '{age}')
    """)


# Without decorators: the flag is read on the run's only connection, and a process is one run.
cancel_in_a_thread = unwrap(booking.cancel_expired_bookings)

QUANTITIES = "SELECT quantity FROM stock ORDER BY id"
STATUSES = "SELECT status FROM booking ORDER BY id"


@pytest.mark.parametrize(
    ("stock", "age", "status"),
    [
        pytest.param(1, "9 days 23:59", "pending", id="book-before-10-days"),
        pytest.param(1, "10 days", "cancelled", id="book-at-10-days"),
        pytest.param(2, "29 days 23:59", "pending", id="other-before-30-days"),
        pytest.param(2, "30 days", "cancelled", id="other-at-30-days"),
        pytest.param(4, "10 days", "pending", id="event-at-10-days"),
    ],
)
def test_a_pending_booking_expires_after_30_days_and_a_book_after_10(
    app: Application, rows: Rows, stock: int, age: str, status: str
) -> None:
    _book(rows, stock, age=age)
    booking.cancel_expired_bookings(app)
    assert rows(STATUSES) == [(status,)]


def test_a_cancelled_booking_has_reason_and_time_and_returns_its_quantity(app: Application, rows: Rows) -> None:
    _book(rows, 1, age="40 days", quantity=2)
    _book(rows, 1, age="40 days", quantity=3)
    _book(rows, 2, age="40 days", quantity=1)
    booking.cancel_expired_bookings(app)
    assert rows("SELECT status, cancellation_reason, cancelled_at BETWEEN now() - interval '1 minute' AND now() "
                "FROM booking") == [("cancelled", "expired", True)] * 3  # fmt: skip
    assert rows(QUANTITIES) == [(10,), (6,), (5,), (5,)]


def test_confirmed_used_and_cancelled_bookings_do_not_expire(app: Application, rows: Rows) -> None:
    rows("""
        INSERT INTO booking (stock_id, status, created_at, used_at, cancelled_at, cancellation_reason)
        VALUES (1, 'confirmed', now() - interval '1 year', NULL, NULL, NULL),
               (1, 'used', now() - interval '1 year', now(), NULL, NULL),
               (1, 'cancelled', now() - interval '1 year', NULL, now(), 'customer')
    """)
    booking.cancel_expired_bookings(app)
    assert rows(STATUSES) == [("confirmed",), ("used",), ("cancelled",)]
    assert rows(QUANTITIES) == [(5,), (5,), (5,), (5,)]


def test_a_second_run_cancels_nothing(app: Application, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "scheduled_tasks.domains.booking")
    for stock in (1, 2, 1):
        _book(rows, stock, age="40 days", quantity=2)
    booking.cancel_expired_bookings(app)
    booking.cancel_expired_bookings(app)
    logged = [vars(record) for record in caplog.records if record.name == "scheduled_tasks.domains.booking"]
    assert [(line["cancelled"], line["quantity_given_back"]) for line in logged] == [(3, 6), (0, 0)]
    assert rows(QUANTITIES) == [(9,), (7,), (5,), (5,)]


def test_batches_smaller_than_the_work_cancel_all_of_it(app: Application, rows: Rows) -> None:
    for stock in (2, 1, 2, 1, 2):
        _book(rows, stock, age="40 days")
    booking.cancel_expired_bookings(app, batch_size=2)
    assert rows(STATUSES) == [("cancelled",)] * 5
    assert rows(QUANTITIES) == [(7,), (8,), (5,), (5,)]


def test_each_batch_is_its_own_transaction(app: Application, rows: Rows) -> None:
    for _ in range(4):
        _book(rows, 1, age="40 days")
    booking.cancel_expired_bookings(app, batch_size=2)
    transactions = rows("SELECT count(*) FROM booking GROUP BY xmin::text ORDER BY 1")
    assert transactions == [(2,), (2,)]


def test_a_failing_batch_keeps_the_earlier_ones_and_leaves_nothing_half_done(app: Application, rows: Rows) -> None:
    _book(rows, 1, age="40 days")
    _book(rows, 2, age="40 days")
    rows("ALTER TABLE stock ADD CHECK (id <> 2 OR quantity <= 5)")
    with pytest.raises(psycopg.errors.CheckViolation):
        booking.cancel_expired_bookings(app, batch_size=1)
    assert rows(STATUSES) == [("cancelled",), ("pending",)]
    assert rows(QUANTITIES) == [(6,), (5,), (5,), (5,)]


def test_concurrent_runs_cancel_each_booking_once(rows: Rows, database_url: str) -> None:
    rows("""
        INSERT INTO booking (stock_id, quantity, created_at)
        SELECT 1 + n % 4, 1 + n % 3, now() - interval '40 days' FROM generate_series(1, 1200) AS n
    """)
    rows("UPDATE stock SET quantity = 0")
    barrier = Barrier(4)

    def run(_: int) -> None:
        with create_app() as app:
            app.connection.execute("SELECT 1")
            app.connection.rollback()
            barrier.wait(timeout=240)
            cancel_in_a_thread(app, batch_size=7)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert rows("SELECT status, count(*) FROM booking GROUP BY status") == [("cancelled", 1200)]
    assert rows("SELECT sum(quantity) FROM stock") == [(2400,)]
    assert rows("SELECT stock.quantity - sum(booking.quantity) FROM stock JOIN booking ON stock_id = stock.id "
                "GROUP BY stock.id") == [(0,)] * 4  # fmt: skip


def test_a_booking_that_is_being_changed_is_skipped_without_waiting(
    app: Application, rows: Rows, database_url: str
) -> None:
    _book(rows, 1, age="40 days")
    _book(rows, 1, age="40 days")
    with psycopg.connect(database_url) as customer:
        customer.execute("UPDATE booking SET status = 'confirmed' WHERE id = 1")
        booking.cancel_expired_bookings(app)  # would hang here
        customer.commit()
    assert rows(STATUSES) == [("confirmed",), ("cancelled",)]
    assert rows(QUANTITIES) == [(6,), (5,), (5,), (5,)]


def test_a_customer_who_locks_stock_then_booking_causes_no_deadlock(
    rows: Rows, database_url: str, connection: psycopg.Connection[Any]
) -> None:
    _book(rows, 1, age="40 days")

    def run() -> None:
        with create_app() as app:
            cancel_in_a_thread(app)

    with psycopg.connect(database_url) as customer, ThreadPoolExecutor(1) as pool:
        customer.execute("SELECT FROM stock WHERE id = 1 FOR UPDATE")
        cancelling = pool.submit(run)
        while not connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
            assert not cancelling.done()
        customer.execute("UPDATE booking SET status = 'confirmed' WHERE id = 1")  # a deadlock would be found here
        customer.commit()
        cancelling.result(timeout=240)
    assert rows(STATUSES) == [("confirmed",)]
    assert rows(QUANTITIES) == [(5,), (5,), (5,), (5,)]


def test_a_confirmed_booking_of_a_past_event_is_marked_used(app: Application, rows: Rows) -> None:
    for stock in (3, 4, 1):
        _book(rows, stock, age="1 day", status="confirmed")
    _book(rows, 3, age="1 day", status="pending")
    booking.mark_past_bookings_used(app)
    assert rows("SELECT status, used_at IS NOT NULL FROM booking ORDER BY id") == [
        ("used", True),
        ("confirmed", False),
        ("confirmed", False),
        ("pending", False),
    ]


def test_past_bookings_are_marked_in_batches_and_once(
    app: Application, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "scheduled_tasks.domains.booking")
    for _ in range(5):
        _book(rows, 3, age="1 day", status="confirmed")
    booking.mark_past_bookings_used(app, batch_size=2)
    booking.mark_past_bookings_used(app, batch_size=2)
    logged = [vars(record) for record in caplog.records if record.name == "scheduled_tasks.domains.booking"]
    assert [line["used"] for line in logged] == [5, 0]
    assert rows("SELECT count(*) FROM booking GROUP BY xmin::text ORDER BY 1") == [(1,), (2,), (2,)]


def test_an_inactive_feature_cancels_nothing(app: Application, rows: Rows) -> None:
    rows("UPDATE feature SET is_active = false WHERE name = 'CANCEL_EXPIRED_BOOKINGS'")
    _book(rows, 1, age="40 days")
    booking.cancel_expired_bookings(app)
    assert rows(STATUSES) == [("pending",)]
