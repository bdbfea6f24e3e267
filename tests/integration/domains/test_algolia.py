"""The Algolia tasks, with a real PostgreSQL and an HTTP server that answers and fails like the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap
from threading import Barrier
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.domains import algolia
from scheduled_tasks.domains._service import ServiceError
from scheduled_tasks.domains.application import Application, create_app

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = Callable[[str], list[tuple[Any, ...]]]

QUEUE = "SELECT offer_id, taken_until FROM offer_index_queue ORDER BY offer_id"

CHANGE = """
    INSERT INTO offer_index_queue (offer_id) VALUES ({offer})
    ON CONFLICT (offer_id) DO UPDATE SET revision = offer_index_queue.revision + 1
"""


@pytest.fixture(autouse=True)
def _offers(rows: Rows) -> None:
    """Offers 1 and 2 are for sale, 3 is withdrawn, 4 expired, 5 expires tomorrow; offer 6 was deleted."""
    rows("INSERT INTO venue (name) VALUES ('Librairie du Canal')")
    rows("""
        INSERT INTO offer (venue_id, name, type, is_active, expires_at)
        VALUES (1, 'Germinal', 'book', true, NULL), (1, 'Tarot', 'game', true, NULL),
               (1, 'Candide', 'book', false, NULL), (1, 'Lecture', 'event', true, now() - interval '1 minute'),
               (1, 'Concert', 'event', true, now() + interval '1 day')
    """)
    rows("INSERT INTO stock (offer_id, quantity, price) VALUES (1, 5, 6.10)")


def _queue(rows: Rows, *offers: int) -> None:
    for offer in offers:
        rows(f"INSERT INTO offer_index_queue (offer_id, queued_at) VALUES ({offer}, '2026-01-01T00:00:0{offer}Z')")


def test_offers_for_sale_are_indexed_and_the_others_deleted(app: Application, services: Any, rows: Rows) -> None:
    services.index = {"3": {}, "4": {}, "6": {}}
    _queue(rows, 1, 3, 4, 5, 6)
    algolia.index_offers(app)
    assert services.index == {
        "1": {"objectID": "1", "name": "Germinal", "type": "book", "venue": "Librairie du Canal", "price": 6.1},
        "5": {"objectID": "5", "name": "Concert", "type": "event", "venue": "Librairie du Canal", "price": None},
    }
    assert rows(QUEUE) == []
    assert rows("SELECT id FROM offer WHERE indexed_at IS NOT NULL ORDER BY id") == [(1,), (5,)]


def test_the_queue_is_sent_in_batches_longest_waiting_first(app: Application, services: Any, rows: Rows) -> None:
    _queue(rows, 1, 2, 3, 4, 5)
    algolia.index_offers(app, batch_size=2)
    assert services.batches == [
        [("updateObject", "1"), ("updateObject", "2")],
        [("deleteObject", "3"), ("deleteObject", "4")],
        [("updateObject", "5")],
    ]


def test_an_empty_queue_sends_no_request(app: Application, services: Any) -> None:
    algolia.index_offers(app)
    assert services.requests == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param({"status": 429, "times": 4}, "answered 429", id="429"),
        pytest.param({"status": 500, "times": 4}, "answered 500", id="500"),
        pytest.param({"status": 403, "body": '{"message": "Invalid"}'}, "answered 403", id="403"),
        pytest.param({"body": "<h1>Maintenance</h1>"}, "a body that is not JSON", id="html"),
        pytest.param({"body": "{}"}, "doesn't list the objectIDs that were sent", id="no-object-ids"),
        pytest.param({"body": '{"objectIDs": ["1"]}'}, "doesn't list the objectIDs that were sent", id="fewer"),
        pytest.param({"body": "[]"}, "doesn't list the objectIDs that were sent", id="no-object"),
    ],
)
def test_offers_stay_in_the_queue_if_the_service_does_not_accept_them(
    app: Application, services: Any, rows: Rows, fault: dict[str, Any], reason: str
) -> None:
    _queue(rows, 1, 2)
    services.fail("/batch", **fault)
    with pytest.raises(ServiceError, match=r"^Algolia: POST /1/indexes/offers/batch: ") as caught:
        algolia.index_offers(app)
    assert reason in str(caught.value)
    assert "secret-key" not in str(caught.value)
    assert rows(QUEUE) == [(1, None), (2, None)]
    assert rows("SELECT id FROM offer WHERE indexed_at IS NOT NULL") == []
    algolia.index_offers(app)
    assert sorted(services.index) == ["1", "2"]


def test_a_hanging_service_fails_the_run_and_the_offers_stay(
    app: Application, services: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_TIMEOUT", "0.3")
    _queue(rows, 1)
    services.fail("/batch", hang=True, times=4)
    with pytest.raises(ServiceError, match=r"no answer within 0\.3 s"):
        algolia.index_offers(app)
    assert rows(QUEUE) == [(1, None)]


def test_batches_before_a_failure_leave_the_queue(app: Application, services: Any, rows: Rows) -> None:
    _queue(rows, 1, 2)
    services.before_batch = lambda: services.fail("/batch", status=500, times=4)
    with pytest.raises(ServiceError, match="answered 500"):
        algolia.index_offers(app, batch_size=1)
    assert rows(QUEUE) == [(2, None)]


@pytest.mark.parametrize("status", [429, 503])
def test_a_temporary_failure_is_retried(app: Application, services: Any, rows: Rows, status: int) -> None:
    _queue(rows, 1)
    services.fail("/batch", status=status, times=3)
    algolia.index_offers(app)
    assert rows(QUEUE) == []


def test_a_rejected_offer_does_not_block_the_others(app: Application, services: Any, rows: Rows) -> None:
    rows("UPDATE offer SET name = 'too big' WHERE id = 2")
    _queue(rows, 1, 2, 3, 4, 5)
    with pytest.raises(algolia.OffersRefusedError, match=r"^1 refused, staying in the queue: offer 2: ") as caught:
        algolia.index_offers(app, batch_size=3)
    assert "objectID=2 is too big" in str(caught.value)
    assert caught.value.offers == (2,)
    assert sorted(services.index) == ["1", "5"]
    assert rows(QUEUE) == [(2, None)]


def test_an_offer_that_changes_during_the_request_is_sent_again_and_its_change_does_not_wait(
    app: Application, services: Any, rows: Rows, database_url: str
) -> None:
    _queue(rows, 1)

    def change_it() -> None:
        services.before_batch = lambda: None
        with psycopg.connect(database_url, options="-c lock_timeout=2s") as customer:
            customer.execute("UPDATE offer SET name = 'Germinal, poche' WHERE id = 1")
            customer.execute(CHANGE.format(offer=1).encode())

    services.before_batch = change_it
    algolia.index_offers(app)
    assert services.batches == [[("updateObject", "1")], [("updateObject", "1")]]
    assert services.index["1"]["name"] == "Germinal, poche"
    assert rows(QUEUE) == []


def test_an_offer_that_another_run_is_sending_is_left_to_that_run(app: Application, services: Any, rows: Rows) -> None:
    _queue(rows, 1, 2)
    rows("UPDATE offer_index_queue SET taken_until = now() + interval '1 minute' WHERE offer_id = 1")
    algolia.index_offers(app)
    assert services.batches == [[("updateObject", "2")]]


def test_an_offer_of_a_killed_run_is_sent_by_a_later_run(app: Application, services: Any, rows: Rows) -> None:
    _queue(rows, 1)
    rows("UPDATE offer_index_queue SET taken_until = now() - interval '1 second'")
    algolia.index_offers(app)
    assert sorted(services.index) == ["1"]


def test_a_locked_row_is_not_waited_for(app: Application, services: Any, rows: Rows, database_url: str) -> None:
    _queue(rows, 1, 2)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM offer_index_queue WHERE offer_id = 1 FOR UPDATE")
        algolia.index_offers(app)  # would hang here
    assert services.batches == [[("updateObject", "2")]]
    assert rows(QUEUE) == [(1, None)]


def test_concurrent_runs_send_each_offer_once(services: Any, rows: Rows, database_url: str) -> None:
    rows("INSERT INTO offer (venue_id, name, type) SELECT 1, 'A book', 'book' FROM generate_series(6, 200)")
    rows("INSERT INTO offer_index_queue (offer_id) SELECT generate_series(1, 200)")
    barrier = Barrier(3)

    def run(_: int) -> None:
        with create_app() as app:
            app.connection.execute("SELECT 1")
            app.connection.rollback()
            barrier.wait(timeout=240)
            unwrap(algolia.index_offers)(app, batch_size=7)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert sorted(int(offer) for batch in services.batches for _, offer in batch) == list(range(1, 201))
    assert rows(QUEUE) == []


def test_expired_offers_are_deleted_from_the_index_and_others_stay_in_the_queue(
    app: Application, services: Any, rows: Rows
) -> None:
    services.index = {"1": {}, "4": {}, "5": {}}
    rows("UPDATE offer SET indexed_at = now() WHERE id IN (1, 4, 5)")
    _queue(rows, 1)
    algolia.delete_expired_offers(app)
    assert services.batches == [[("deleteObject", "4")]]
    assert sorted(services.index) == ["1", "5"]
    assert rows(QUEUE) == [(1, None)]
    assert rows("SELECT id FROM offer WHERE indexed_at IS NOT NULL ORDER BY id") == [(1,), (5,)]


def test_deleted_expired_offers_are_not_deleted_again(app: Application, services: Any, rows: Rows) -> None:
    rows("UPDATE offer SET indexed_at = now() WHERE id = 4")
    algolia.delete_expired_offers(app)
    algolia.delete_expired_offers(app)
    assert services.batches == [[("deleteObject", "4")]]


def test_expired_offers_stay_marked_as_indexed_if_the_service_fails(
    app: Application, services: Any, rows: Rows
) -> None:
    rows("UPDATE offer SET indexed_at = now() WHERE id = 4")
    services.fail("/batch", status=500, times=4)
    with pytest.raises(ServiceError, match="answered 500"):
        algolia.delete_expired_offers(app)
    assert rows("SELECT id FROM offer WHERE indexed_at IS NOT NULL") == [(4,)]
    algolia.delete_expired_offers(app)
    assert services.batches == [[("deleteObject", "4")]]
