"""Titelive's HTTP service: the stocks of a venue and the product catalogue, page by page.

A SIRET, a cursor and a time go in; pages of checked values come out. A page that doesn't match the service's
documentation is a `ServiceError`. As documented, `after` is the reference of the last entry received, the order is the
service's own, and a page without entries is the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from scheduled_tasks import setting
from scheduled_tasks.domains._service import Service, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

PAGE_SIZE = 500  # entries requested; the service may send fewer
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # the service's clock can differ: request that much again
MAX_AVAILABLE = 2**31 - 1  # PostgreSQL's integer
PRICE_LIMIT = 10**6  # a price of a million is an error in the entry

PRODUCT_TYPES = frozenset({"book", "film", "game", "music"})


@dataclass(frozen=True)
class StockEntry:
    """How much of a product a venue has. The price is None if the product's single price applies."""

    ref: str
    available: int
    price: Decimal | None


@dataclass(frozen=True)
class ProductEntry:
    """A product of the catalogue."""

    ref: str
    title: str
    type: str
    price: Decimal | None


Entry = TypeVar("Entry", StockEntry, ProductEntry)


def connect() -> Service:
    """The service at the setting `titelive_url`. Raises ConfigurationError if that is missing or not a URL."""
    return Service("Titelive", setting("titelive_url"))


def stock_pages(service: Service, siret: str, modified_since: datetime | None) -> Iterator[list[StockEntry]]:
    """The pages of a venue's stocks, each without duplicates. Raises ServiceError if a page fails or is malformed."""
    return _pages(service, f"/stocks/{siret}", "stocks", modified_since, _stock)


def product_pages(service: Service, modified_since: datetime | None) -> Iterator[list[ProductEntry]]:
    """The pages of the product catalogue. Raises the errors of `stock_pages`."""
    return _pages(service, "/products", "products", modified_since, _product)


def _pages(
    service: Service, path: str, key: str, modified_since: datetime | None, read: Callable[[dict[str, Any]], Entry]
) -> Iterator[list[Entry]]:
    params: dict[str, str | int] = {"limit": PAGE_SIZE}
    if modified_since is not None:
        requested_since = (modified_since - MAX_CLOCK_DIFFERENCE).astimezone(UTC)
        params["modifiedSince"] = requested_since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    seen = set()
    while True:
        page = service.get(path, params)
        try:
            entries = [read(entry) for entry in page[key]]
        except (KeyError, TypeError, ValueError) as error:
            what = f"{key} has an invalid entry: {error}" if isinstance(error, ValueError) else f"no {key} in it"
            raise ServiceError(f"{service.name}: GET {path}: a page is not as documented: {what}") from error
        if not entries:
            return
        yield list({entry.ref: entry for entry in entries}.values())  # the last entry of a reference wins
        after = entries[-1].ref
        if after in seen:
            raise ServiceError(f"{service.name}: GET {path}: the page after {after} came twice, an endless loop")
        seen.add(after)
        params["after"] = after


def _stock(entry: dict[str, Any]) -> StockEntry:
    available = _field(entry, "available")
    if type(available) is not int or not 0 <= available <= MAX_AVAILABLE:
        raise ValueError(f"available is {available!r}")
    return StockEntry(_text(entry, "ref"), available, _price(entry))


def _product(entry: dict[str, Any]) -> ProductEntry:
    kind = _text(entry, "type")
    if kind not in PRODUCT_TYPES:
        raise ValueError(f"type is {kind!r}")
    ref = _text(entry, "ref")
    if not (len(ref) == 13 and ref.isascii() and ref.isdigit()):  # noqa: PLR2004 - EAN-13
        raise ValueError(f"ref is {ref!r}, not an EAN of 13 digits")
    return ProductEntry(ref, _text(entry, "title"), kind, _price(entry))


def _field(entry: Any, name: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise ValueError(f"no {name} in {entry!r}")
    return entry[name]


def _text(entry: dict[str, Any], name: str) -> str:
    value = _field(entry, name)
    if not isinstance(value, str) or not value or "\0" in value:  # PostgreSQL's text has no NUL
        raise ValueError(f"{name} is {value!r}")
    return value


def _price(entry: dict[str, Any]) -> Decimal | None:
    price = entry.get("price")
    if price is None:
        return None
    if isinstance(price, bool) or not isinstance(price, int | Decimal) or not 0 <= price < PRICE_LIMIT:
        raise ValueError(f"price is {price!r}")
    return Decimal(price)
