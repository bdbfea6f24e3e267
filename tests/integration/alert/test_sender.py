"""The sender: each message goes by its route, what fails stays due, and Alertmanager gets all open incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from scheduled_tasks.alert import sender
from scheduled_tasks.alert.delivery import DeliveryError, alertmanager
from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.alert.message.compose import compose
from scheduled_tasks.alert.routes import NotifySettings
from tests.integration.alert.messages import route
from tests.sinks import WebServer, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.alert.simulation import Simulation

MINUTE = timedelta(minutes=1)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as one:
        yield one


@pytest.fixture(autouse=True)
def sleep(ledger: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulated time pass while the sender waits."""
    monkeypatch.setattr("time.sleep", lambda seconds: ledger.wait(timedelta(seconds=seconds)))


def settings_of(*urls: str) -> NotifySettings:
    """The routes ops_0, ops_1, …, which are tried in this order."""
    routes = {f"ops_{number}": replace(route("webhook", url), name=f"ops_{number}") for number, url in enumerate(urls)}
    return NotifySettings(routes=routes, default=tuple(routes))


def send(ledger: Simulation, settings: NotifySettings) -> sender.Sent:
    return sender.send_due(ledger.connect(), settings, lambda: ledger.now)


def test_a_message_is_sent_once_and_its_end_too(ledger: Simulation, web: WebServer) -> None:
    settings = settings_of(web.url)
    ledger.result("sell", "failed", error_type="OSError")
    ledger.wait(MINUTE)
    assert sender.is_due(ledger.connect(), settings, ledger.now)
    done = send(ledger, settings)
    assert (len(done.messages), done.problems) == (1, [])
    assert done.messages[0].startswith("ops_0: ")
    assert send(ledger, settings).messages == []
    assert not sender.is_due(ledger.connect(), settings, ledger.now)
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    send(ledger, settings)
    assert [posted.json["what"] for posted in web.requests] == ["opened", "closed"]


def test_a_message_waits_for_the_log_lines_that_its_host_is_storing(
    ledger: Simulation, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.result("sell", "failed", error_type="OSError", invocation_id=uuid4())
    ledger.wait(timedelta(seconds=11))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        ledger.wait(timedelta(seconds=seconds))
        waited.append(seconds)
        if len(waited) == 3:
            ledger.owner.execute('UPDATE run_log SET captured_at = now(), lines = \'{"message": "no space"}\'')

    monkeypatch.setattr("time.sleep", sleep)
    send(ledger, settings_of(web.url))
    assert waited == [0.5, 0.5, 0.5]
    assert "no space" in web.requests[0].json["text"]


def test_a_message_waits_a_minute_at_most_for_log_lines(ledger: Simulation, web: WebServer) -> None:
    failed_at = ledger.now
    ledger.result("sell", "failed", error_type="OSError", invocation_id=uuid4())
    ledger.wait(timedelta(seconds=11))
    done = send(ledger, settings_of(web.url))
    assert len(done.messages) == 1
    assert ledger.now - failed_at == timedelta(seconds=60)


def test_what_a_route_refuses_for_good_the_next_one_gets(ledger: Simulation, web: WebServer) -> None:
    with web_server() as refusing:
        refusing.answers = [(410, {}, b"gone")]
        settings = settings_of(refusing.url, web.url)
        ledger.result("sell", "failed", error_type="OSError")
        ledger.wait(MINUTE)
        done = send(ledger, settings)
        assert done.problems == [f"ops_0: {refusing.url} answered 410 Gone: gone"]
    assert [line.partition(":")[0] for line in done.messages] == ["ops_1"]
    assert [posted.headers["Webhook-Id"] for posted in (*refusing.requests, *web.requests)] == [
        web.requests[0].headers["Webhook-Id"]
    ] * 2


def test_a_message_that_cannot_be_composed_keeps_no_other(
    ledger: Simulation, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose_one(connection: Any, delivery: Any, *others: Any) -> Any:
        if delivery.incidents[0].job == "sell":
            raise ValueError("a row that nobody expected")
        return compose(connection, delivery, *others)

    monkeypatch.setattr(sender, "compose", compose_one)
    ledger.deploy("count")
    for job in ("sell", "count"):
        ledger.result(job, "failed", error_type=job)
    ledger.wait(MINUTE)
    done = send(ledger, settings_of(web.url))
    assert set(done.problems) == {"ops_0: ValueError: a row that nobody expected"}
    assert [posted.json["incidents"][0]["job"] for posted in web.requests] == ["count"]
    [(error,)] = ledger.owner.execute("SELECT DISTINCT error FROM notice WHERE error IS NOT NULL").fetchall()
    assert error == "ValueError: a row that nobody expected"


def with_alertmanager(url: str) -> NotifySettings:
    return NotifySettings(alertmanager=Endpoint(url))


def test_open_incidents_are_posted_each_minute_by_one_sender_and_after_their_end_as_resolved(
    ledger: Simulation, web: WebServer
) -> None:
    settings = with_alertmanager(web.url)
    connection = ledger.connect()
    assert not alertmanager.is_due(connection, settings, ledger.now)
    ledger.result("sell", "failed", error_type="OSError")
    ledger.wait(timedelta(seconds=1))
    assert alertmanager.is_due(connection, settings, ledger.now)
    assert alertmanager.post_open(connection, settings, ledger.now) == 1
    assert alertmanager.post_open(ledger.connect(), settings, ledger.now) == 0  # another host
    assert not alertmanager.is_due(connection, settings, ledger.now)
    ledger.wait(MINUTE)
    assert alertmanager.is_due(connection, settings, ledger.now)
    assert alertmanager.post_open(connection, settings, ledger.now) == 1
    ledger.result("sell", "ended")
    ledger.wait(MINUTE)
    assert alertmanager.is_due(connection, settings, ledger.now)
    assert alertmanager.post_open(connection, settings, ledger.now) == 1
    ledger.wait(MINUTE)
    assert not alertmanager.is_due(connection, settings, ledger.now)
    *_, before, last = (posted.json[0] for posted in web.requests)
    assert before["labels"] == last["labels"]
    assert last["endsAt"] < before["endsAt"]


def test_a_post_that_fails_is_due_at_once(ledger: Simulation, web: WebServer) -> None:
    settings = with_alertmanager(web.url)
    ledger.result("sell", "failed", error_type="OSError")
    ledger.wait(MINUTE)
    web.answers = [(500, {}, b"")]
    with pytest.raises(DeliveryError, match="answered 500"):
        alertmanager.post_open(ledger.connect(), settings, ledger.now)
    assert alertmanager.is_due(ledger.connect(), settings, ledger.now)
    assert alertmanager.post_open(ledger.connect(), settings, ledger.now) == 1
