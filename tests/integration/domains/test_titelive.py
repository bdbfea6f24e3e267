"""The Titelive tasks, with a real PostgreSQL and an HTTP server that answers and fails like the service."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.domains import titelive
from scheduled_tasks.domains._provider import ProviderMissingError
from scheduled_tasks.domains._service import ServiceError
from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduled_tasks.domains.application import Application

    Rows = Callable[[str], list[tuple[Any, ...]]]

CANAL, GARE = "53020000000012", "53020111700013"
GERMINAL, CARMEN, UNKNOWN = "9782070000371", "9782070000401", "9782070000999"

STOCKS = """
    SELECT venue.id, product.ean, stock.quantity, stock.price
      FROM stock
      JOIN offer ON offer.id = offer_id
      JOIN venue ON venue.id = venue_id
      JOIN product ON product.id = product_id
     ORDER BY 1, 2
"""


@pytest.fixture(autouse=True)
def _venues(rows: Rows) -> None:
    """Two venues of the stock provider, a book with a single price and a record without one."""
    rows(f"INSERT INTO venue (name, siret) VALUES ('Librairie du Canal', '{CANAL}'), ('La Gare', '{GARE}')")
    rows("INSERT INTO provider (name, local_class) VALUES ('Stocks', 'TiteLiveStocks'), ('Things', 'TiteLiveThings')")
    rows("INSERT INTO venue_provider (venue_id, provider_id) VALUES (1, 1), (2, 1)")
    rows(f"""
        INSERT INTO product (ean, title, type, price)
        VALUES ('{GERMINAL}', 'Germinal', 'book', 6.10), ('{CARMEN}', 'Carmen', 'music', NULL)
    """)


def _entry(ref: str, available: int, price: float | None = None) -> dict[str, Any]:
    return {"ref": ref, "available": available} | ({} if price is None else {"price": price})


def test_the_stocks_of_every_venue_are_updated(app: Application, services: Any, rows: Rows) -> None:
    services.stocks = {CANAL: [_entry(GERMINAL, 3), _entry(CARMEN, 1, 17.2)], GARE: [_entry(CARMEN, 0, 16)]}
    titelive.synchronize_titelive_stocks(app)
    assert rows(STOCKS) == [
        (1, GERMINAL, 3, Decimal("6.10")),
        (1, CARMEN, 1, Decimal("17.20")),
        (2, CARMEN, 0, Decimal("16.00")),
    ]
    assert rows("SELECT name, type, is_active FROM offer ORDER BY id") == [
        ("Germinal", "book", True),
        ("Carmen", "music", True),
        ("Carmen", "music", True),
    ]


def test_pages_are_requested_after_the_last_reference_until_one_is_empty(
    app: Application, services: Any, rows: Rows
) -> None:
    rows("DELETE FROM venue WHERE id = 2")
    refs = [f"978000000000{n}" for n in range(5)]
    rows(f"INSERT INTO product (ean, title, type, price) SELECT unnest(ARRAY{refs}), 'A book', 'book', 1")
    services.stocks = {CANAL: [_entry(ref, n) for n, ref in enumerate(refs)]}
    titelive.synchronize_titelive_stocks(app)
    path = f"/stocks/{CANAL}"
    assert services.requests == [
        ("GET", path, {"limit": "500"}),
        ("GET", path, {"limit": "500", "after": "9780000000001"}),
        ("GET", path, {"limit": "500", "after": "9780000000003"}),
        ("GET", path, {"limit": "500", "after": "9780000000004"}),
    ]
    assert rows("SELECT sum(quantity) FROM stock") == [(10,)]


def test_a_second_run_requests_changes_since_five_minutes_before_the_first(
    app: Application, services: Any, rows: Rows
) -> None:
    rows("DELETE FROM venue WHERE id = 2")
    rows("UPDATE venue_provider SET last_synchronized_at = '2026-03-04 05:06:07.891+00'")
    services.stocks = {CANAL: []}
    titelive.synchronize_titelive_stocks(app)
    assert services.requests == [
        ("GET", f"/stocks/{CANAL}", {"limit": "500", "modifiedSince": "2026-03-04T05:01:07.891Z"})
    ]
    assert rows("SELECT now() - last_synchronized_at < interval '1 minute' FROM venue_provider") == [(True,)]


def test_a_changed_stock_is_updated_and_its_offer_queued_once(app: Application, services: Any, rows: Rows) -> None:
    services.stocks = {CANAL: [_entry(GERMINAL, 3), _entry(CARMEN, 1, 17)], GARE: []}
    titelive.synchronize_titelive_stocks(app)
    assert rows("SELECT offer_id, revision FROM offer_index_queue ORDER BY 1") == [(1, 1), (2, 1)]
    services.stocks[CANAL] = [_entry(GERMINAL, 2, 5.5), _entry(CARMEN, 1)]
    titelive.synchronize_titelive_stocks(app)
    assert rows(STOCKS) == [(1, GERMINAL, 2, Decimal("5.50")), (1, CARMEN, 1, Decimal("17.00"))]
    assert rows("SELECT offer_id, revision FROM offer_index_queue ORDER BY 1") == [(1, 2), (2, 1)]


def test_unknown_and_unpriced_products_are_left_out(app: Application, services: Any, rows: Rows) -> None:
    services.stocks = {CANAL: [_entry(UNKNOWN, 3, 1), _entry(CARMEN, 3), _entry(GERMINAL, 3)], GARE: []}
    titelive.synchronize_titelive_stocks(app)
    assert rows(STOCKS) == [(1, GERMINAL, 3, Decimal("6.10"))]


def test_the_last_entry_of_a_reference_in_a_page_wins(app: Application, services: Any, rows: Rows) -> None:
    services.stocks = {CANAL: [_entry(GERMINAL, 3), _entry(GERMINAL, 4)], GARE: []}
    titelive.synchronize_titelive_stocks(app)
    assert rows(STOCKS) == [(1, GERMINAL, 4, Decimal("6.10"))]


def test_a_missing_provider_is_a_clear_failure(app: Application, services: Any, rows: Rows) -> None:
    rows("DELETE FROM venue_provider")
    rows("DELETE FROM provider WHERE local_class = 'TiteLiveStocks'")
    with pytest.raises(ProviderMissingError, match="no row with local_class 'TiteLiveStocks': insert it"):
        titelive.synchronize_titelive_stocks(app)
    assert services.requests == []


def test_a_missing_setting_is_named(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TITELIVE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="the setting titelive_url has no value"):
        titelive.synchronize_titelive_stocks(app)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param({"status": 404, "body": "no such shop"}, "answered 404 Not Found: 'no such shop'", id="404"),
        pytest.param({"status": 500, "times": 4}, "answered 500 Internal Server Error", id="500-every-time"),
        pytest.param({"status": 429, "times": 4}, "answered 429 Too Many Requests", id="429-every-time"),
        pytest.param({"body": "<h1>Maintenance</h1>"}, "a body that is not JSON: '<h1>Maintenance</h1>'", id="html"),
        pytest.param({"body": '{"stocks": [{"ref": "1", "available": NaN}]}'}, "is not JSON", id="nan"),
        pytest.param({"body": "[]"}, "a page is not as documented: no stocks in it", id="no-object"),
        pytest.param({"body": '{"stocks": [{"ref": "1"}]}'}, "no available in", id="no-available"),
        pytest.param({"body": '{"stocks": [{"ref": "1", "available": -1}]}'}, "available is -1", id="negative"),
        pytest.param({"body": '{"stocks": [{"ref": "1", "available": true}]}'}, "available is True", id="boolean"),
        pytest.param(
            {"body": '{"stocks": [{"ref": "1", "available": 1, "price": "2"}]}'}, "price is '2'", id="price-in-quotes"
        ),
        pytest.param({"status": 302, "headers": {"Location": "/"}}, "answered 302 Found", id="redirect"),
    ],
)
def test_a_failing_venue_is_named_and_the_others_are_synchronized(  # noqa: PLR0913, PLR0917 - four are fixtures
    app: Application,
    services: Any,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, Any],
    reason: str,
) -> None:
    services.stocks = {CANAL: [], GARE: [_entry(GERMINAL, 3)]}
    services.fail(CANAL, **fault)
    with pytest.raises(titelive.VenuesFailedError) as caught:
        titelive.synchronize_titelive_stocks(app)
    message = str(caught.value)
    assert message.startswith(
        f"1 of 2 venues could not be synchronized: Librairie du Canal ({CANAL}): Titelive: GET /stocks/{CANAL}: "
    )
    assert reason in message
    assert rows(STOCKS) == [(2, GERMINAL, 3, Decimal("6.10"))]
    assert rows("SELECT last_synchronized_at IS NULL FROM venue_provider ORDER BY venue_id") == [(True,), (False,)]
    venues = [
        vars(record)["venue"] for record in caplog.records if record.message == "a venue could not be synchronized"
    ]
    assert venues == [f"Librairie du Canal ({CANAL})"]


def test_a_hanging_service_fails_the_venue(
    app: Application, services: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_TIMEOUT", "0.3")
    services.stocks = {CANAL: [], GARE: [_entry(GERMINAL, 3)]}
    services.fail(CANAL, hang=True, times=4)
    with pytest.raises(titelive.VenuesFailedError, match=rf"Canal \({CANAL}\): .*: no answer within 0\.3 s$"):
        titelive.synchronize_titelive_stocks(app)
    assert rows("SELECT quantity FROM stock") == [(3,)]


def test_a_venue_without_siret_fails_and_is_named(app: Application, services: Any, rows: Rows) -> None:
    rows("UPDATE venue SET siret = NULL WHERE id = 1")
    services.stocks = {GARE: [_entry(GERMINAL, 3)]}
    with pytest.raises(titelive.VenuesFailedError, match=r"Librairie du Canal \(no SIRET\): The venue has no SIRET"):
        titelive.synchronize_titelive_stocks(app)
    assert rows("SELECT quantity FROM stock") == [(3,)]


def test_an_inactive_venue_is_not_requested(app: Application, services: Any, rows: Rows) -> None:
    rows("UPDATE venue_provider SET is_active = false WHERE venue_id = 1")
    services.stocks = {GARE: []}
    titelive.synchronize_titelive_stocks(app)
    assert [path for _, path, _ in services.requests] == [f"/stocks/{GARE}"]


def test_a_service_that_ignores_the_cursor_does_not_cause_an_endless_loop(app: Application, services: Any) -> None:
    services.stocks = {GARE: []}
    services.fail(CANAL, body='{"stocks": [{"ref": "1", "available": 1}]}', times=3)
    with pytest.raises(titelive.VenuesFailedError, match="the page after 1 came twice, an endless loop"):
        titelive.synchronize_titelive_stocks(app)
    assert len([path for _, path, _ in services.requests if CANAL in path]) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_temporary_failure_is_retried(app: Application, services: Any, rows: Rows, status: int) -> None:
    services.stocks = {CANAL: [_entry(GERMINAL, 3)], GARE: []}
    services.fail(CANAL, status=status, times=3)
    titelive.synchronize_titelive_stocks(app)
    assert rows("SELECT quantity FROM stock") == [(3,)]
    assert len([path for _, path, _ in services.requests if CANAL in path]) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_invalid_request_is_not_repeated(app: Application, services: Any, status: int) -> None:
    services.stocks = {CANAL: [], GARE: []}
    services.fail(CANAL, status=status)
    with pytest.raises(titelive.VenuesFailedError):
        titelive.synchronize_titelive_stocks(app)
    assert [path for _, path, _ in services.requests] == [f"/stocks/{CANAL}", f"/stocks/{GARE}"]


def test_pages_before_a_failure_are_kept_and_all_are_requested_again(
    app: Application, services: Any, rows: Rows
) -> None:
    rows("DELETE FROM venue WHERE id = 2")
    services.page = 1
    services.stocks = {CANAL: [_entry(GERMINAL, 3), _entry(CARMEN, 1, 17)]}
    services.stocks[CANAL][1]["available"] = -1
    with pytest.raises(titelive.VenuesFailedError, match="available is -1"):
        titelive.synchronize_titelive_stocks(app)
    assert rows("SELECT quantity FROM stock") == [(3,)]
    services.requests.clear()
    services.stocks[CANAL][1]["available"] = 1
    titelive.synchronize_titelive_stocks(app)
    assert services.requests[0] == ("GET", f"/stocks/{CANAL}", {"limit": "500"})
    assert rows("SELECT quantity FROM stock ORDER BY id") == [(3,), (1,)]


def _product(ref: str, title: str, kind: str = "book", price: float | None = None) -> dict[str, Any]:
    return {"ref": ref, "title": title, "type": kind, "price": price}


def test_products_of_the_catalogue_are_added_and_updated(app: Application, services: Any, rows: Rows) -> None:
    services.products = [
        _product(GERMINAL, "Germinal, poche", price=5.9),
        _product(UNKNOWN, "Boléro", "music"),
        _product(CARMEN, "Carmen", "music"),
    ]
    titelive.synchronize_titelive_products(app)
    assert rows("SELECT ean, title, type, price FROM product ORDER BY ean") == [
        (GERMINAL, "Germinal, poche", "book", Decimal("5.90")),
        (CARMEN, "Carmen", "music", None),
        (UNKNOWN, "Boléro", "music", None),
    ]
    assert rows("SELECT last_synchronized_at IS NULL FROM provider ORDER BY id") == [(True,), (False,)]


def test_an_interrupted_catalogue_is_requested_again_from_the_start(
    app: Application, services: Any, rows: Rows
) -> None:
    services.products = [
        _product(UNKNOWN, "Boléro", "music"),
        _product(CARMEN, "Carmen"),
        _product("12", "A short one"),
    ]
    with pytest.raises(ServiceError, match="ref is '12', not an EAN of 13 digits"):
        titelive.synchronize_titelive_products(app)
    assert rows(f"SELECT title FROM product WHERE ean = '{UNKNOWN}'") == [("Boléro",)]
    assert rows("SELECT count(last_synchronized_at) FROM provider") == [(0,)]


def test_a_missing_product_provider_is_a_clear_failure(app: Application, services: Any, rows: Rows) -> None:
    rows("DELETE FROM provider WHERE local_class = 'TiteLiveThings'")
    with pytest.raises(ProviderMissingError, match="'TiteLiveThings'"):
        titelive.synchronize_titelive_products(app)
