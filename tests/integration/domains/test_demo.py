"""The sample data gives every task something to do and is never added twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduled_tasks.domains import demo

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    Rows = Callable[[str], list[tuple[Any, ...]]]


def test_empty_tables_are_filled_and_the_result_names_the_rows(connection: psycopg.Connection[Any], rows: Rows) -> None:
    assert demo.fill(connection) == "sample data added: 12 venues, 216 offers, 400 bookings"
    assert rows("SELECT status, count(*) FROM booking GROUP BY status ORDER BY status") == [
        ("cancelled", 50),
        ("confirmed", 150),
        ("pending", 150),
        ("used", 50),
    ]
    assert rows("SELECT count(*) FROM offer_index_queue") == [(48,)]
    assert rows("SELECT local_class FROM provider ORDER BY local_class") == [("TiteLiveStocks",), ("TiteLiveThings",)]
    assert rows("SELECT siret FROM venue ORDER BY id LIMIT 2") == [("53020000000012",), ("53020111700013",)]


def test_every_booking_task_has_something_to_do(connection: psycopg.Connection[Any], rows: Rows) -> None:
    demo.fill(connection)
    assert rows("""
        SELECT count(*) FILTER (WHERE type = 'book' AND created_at < now() - interval '10 days') > 10,
               count(*) FILTER (WHERE type <> 'book' AND created_at < now() - interval '30 days') > 10
          FROM booking JOIN stock ON stock.id = stock_id JOIN offer ON offer.id = offer_id
         WHERE status = 'pending'
    """) == [(True, True)]
    assert rows("""
        SELECT count(*) FROM booking JOIN stock ON stock.id = stock_id
         WHERE status = 'confirmed' AND ends_at < now()
    """) == [(6,)]
    assert rows("SELECT count(*) FROM offer WHERE expires_at < now() AND indexed_at IS NOT NULL") == [(12,)]


def test_tables_with_rows_are_not_changed(connection: psycopg.Connection[Any], rows: Rows) -> None:
    demo.fill(connection)
    assert demo.fill(connection) == ""
    assert rows("SELECT (SELECT count(*) FROM venue), (SELECT count(*) FROM booking)") == [(12, 400)]


def test_one_foreign_row_keeps_the_tables_unchanged(connection: psycopg.Connection[Any], rows: Rows) -> None:
    rows("INSERT INTO provider (name, local_class) VALUES ('Fnac', 'FnacStocks')")
    assert demo.fill(connection) == ""
    assert rows("SELECT count(*) FROM venue") == [(0,)]
