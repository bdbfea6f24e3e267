"""A host whose watch can't use the ledger says so by itself: once after five minutes, and once when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.alert import fallback, outage
from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.alert.routes import NotifySettings, Route
from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.render.names import Places
from tests.outside.http_server import Webhook, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
AWAY = ServiceUnavailableError("PostgreSQL is unreachable: connection to server at db.example refused")


@pytest.fixture
def sink() -> Iterator[Webhook]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture
def notify(sink: Webhook) -> NotifySettings:
    return notify_on(sink.url)


def notify_on(*urls: str) -> NotifySettings:
    """Routes by their URLs; the first one is the fallback."""
    routes = {f"route{number}": Route(f"route{number}", "webhook", Endpoint(url)) for number, url in enumerate(urls)}
    return NotifySettings(routes, default=tuple(routes)[::-1], fallback="route0")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    place = Places(tmp_path / "root")
    (place.state / "failed").mkdir(parents=True)
    (place.state / "results/clock-shop-count").mkdir(parents=True)
    return place


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    (tmp_path / "stamps").mkdir()
    return tmp_path / "stamps"


def away(places: Places, since: datetime, until: datetime) -> None:
    """The watch looks in vain, once a minute."""
    while since <= until:
        outage.record(places, "app1", since, AWAY)
        since += timedelta(minutes=1)


def test_nothing_is_told_before_five_minutes(
    places: Places, notify: NotifySettings, sink: Webhook, stamps: Path
) -> None:
    now = NOON + timedelta(minutes=4)
    away(places, NOON, now)
    assert not outage.is_due(places, now)
    assert fallback.tell(notify, places, now, stamps) == []
    outage.end(places, now)
    assert not places.database_away.exists()
    assert sink.got == []


def test_one_message_after_five_minutes_and_one_when_it_is_over(
    places: Places, notify: NotifySettings, sink: Webhook, stamps: Path
) -> None:
    (places.state / "failed/clock-shop-sell.service.abc.note").touch()
    for number in range(3):
        (places.state / f"results/clock-shop-count/{number}.json").touch()
    for minute in range(8):
        now = NOON + timedelta(minutes=minute)
        away(places, now, now)
        if outage.is_due(places, now):
            assert fallback.tell(notify, places, now, stamps) == []
    [message] = sink.got
    assert message["subject"] == "[app1] the ledger is out of reach"
    assert message["severity"] == "critical"
    assert (
        "since 2026-11-24 12:00:00 UTC: PostgreSQL is unreachable: connection to server at db.example refused"
        in (message["text"])
    )
    assert "It keeps 3 results of runs on its disk" in message["text"]
    assert "Failed, not yet recorded: clock-shop-sell.service." in message["text"]
    for minute in range(8, 30):
        now = NOON + timedelta(minutes=minute)
        outage.end(places, now)
        if outage.is_due(places, now):
            assert fallback.tell(notify, places, now, stamps) == []
    assert [message["what"] for message in sink.got] == ["opened", "closed"]
    assert "uses the ledger again, after 8 min" in sink.got[-1]["text"]
    assert not places.database_away.exists()


def test_the_end_of_an_outage_that_nobody_was_told_of_is_not_told(
    places: Places, notify: NotifySettings, sink: Webhook, stamps: Path
) -> None:
    away(places, NOON, NOON + timedelta(minutes=6))
    now = NOON + timedelta(minutes=7)
    outage.end(places, now)
    assert outage.is_due(places, now)
    assert fallback.tell(notify, places, now, stamps) == []
    assert sink.got == []


def test_the_next_outage_is_told_again(places: Places, notify: NotifySettings, sink: Webhook, stamps: Path) -> None:
    for start in (NOON, NOON + timedelta(hours=1)):
        now = start + timedelta(minutes=5)
        away(places, start, now)
        fallback.tell(notify, places, now, stamps)
        outage.end(places, now + timedelta(minutes=1))
    assert [message["what"] for message in sink.got] == ["opened", "opened"]
    assert len({message["id"] for message in sink.got}) == 2


def test_it_is_told_on_another_route_if_the_fallback_fails_and_again_if_all_do(
    places: Places, sink: Webhook, stamps: Path
) -> None:
    now = NOON + timedelta(minutes=5)
    away(places, NOON, now)
    sink.status = 503
    assert len(fallback.tell(notify_on("http://127.0.0.1:9/", sink.url), places, now, stamps)) == 2
    sink.status = 200
    [problem] = fallback.tell(notify_on("http://127.0.0.1:9/", sink.url), places, now, stamps)
    assert problem.startswith("can't tell on route route0 that the ledger is out of reach: http://127.0.0.1:9")
    assert len(sink.got) == 1


def test_a_password_in_the_answer_of_postgresql_is_masked(places: Places) -> None:
    outage.record(places, "app1", NOON, ServiceUnavailableError("postgresql://shop:hunter2secret@db/shop: no route"))
    assert "hunter2secret" not in places.database_away.read_text()


def test_a_file_of_another_release_is_as_good_as_none(places: Places) -> None:
    places.runtime.mkdir(parents=True)
    places.database_away.write_text("{")
    assert outage.read(places) is None
    outage.end(places, NOON)
    assert not places.database_away.exists()
