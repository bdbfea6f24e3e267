"""Retries of a service: after the time that it requests, and none if that is too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from scheduled_tasks.domains._service import Service, ServiceError
from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def waits(services: Any) -> Iterator[list[float]]:
    """The actual waiting times between attempts, in seconds."""
    waits: list[float] = []

    def note(details: RetryDetails) -> None:
        waits.append(details.wait_for)

    set_on_retry_hooks([note])
    with stamina.set_testing(False):
        yield waits
    set_on_retry_hooks(None)


def _ask(services: Any) -> Any:
    with Service("Titelive", services.url) as service:
        return service.get("/products", {"limit": 1})


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_respected(services: Any, waits: list[float], status: int) -> None:
    services.fail("/products", status=status, headers={"Retry-After": "1"})
    assert _ask(services)["total"] == 0
    assert waits == [1.0]


def test_retry_after_as_a_date_is_respected(services: Any, waits: list[float]) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2)
    services.fail("/products", status=503, headers={"Retry-After": format_datetime(moment, usegmt=True)})
    assert _ask(services)["total"] == 0
    assert len(waits) == 1
    assert 0 < waits[0] <= 2


def test_a_past_date_means_no_wait(services: Any, waits: list[float]) -> None:
    services.fail("/products", status=503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert _ask(services)["total"] == 0
    assert waits == [0.0]


@pytest.mark.parametrize("value", ["soon", "-1", "²", ""])
def test_an_invalid_retry_after_is_ignored(services: Any, waits: list[float], value: str) -> None:
    services.fail("/products", status=503, headers={"Retry-After": value.encode().decode("latin-1")})
    assert _ask(services)["total"] == 0
    assert len(waits) == 1
    assert 0.5 <= waits[0] <= 1.5


def test_retry_after_of_more_than_a_minute_is_left_to_the_next_run(services: Any, waits: list[float]) -> None:
    services.fail("/products", status=429, headers={"Retry-After": "61"})
    with pytest.raises(ServiceError, match="answered 429"):
        _ask(services)
    assert waits == []


def test_there_are_at_most_four_attempts(services: Any, waits: list[float]) -> None:
    services.fail("/products", status=500, headers={"Retry-After": "0"}, times=9)
    with pytest.raises(ServiceError, match="answered 500"):
        _ask(services)
    assert waits == [0.0, 0.0, 0.0]
    assert len(services.requests) == 4


def test_an_unreachable_service_is_named(services: Any) -> None:
    with (
        Service("Titelive", "http://127.0.0.1:1") as service,
        pytest.raises(ServiceError, match=r"^Titelive: GET /products: ConnectError: "),
    ):
        service.get("/products", {})


@pytest.mark.parametrize("url", ["stock.example", "ftp://stock.example", "https://stock.example:port"])
def test_an_invalid_url_is_a_configuration_error(services: Any, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^the URL of Titelive is "):
        Service("Titelive", url)


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "inf", "nan"])
def test_an_invalid_timeout_is_a_configuration_error(
    services: Any, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("HTTP_TIMEOUT", seconds)
    with pytest.raises(ConfigurationError, match=f"the setting http_timeout is '{seconds}': write seconds"):
        Service("Titelive", services.url)
