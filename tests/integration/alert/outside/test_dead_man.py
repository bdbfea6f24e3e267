"""Silence outside means exactly that slots are no longer judged, or that nobody could be told.

Two hosts, minute by minute; a Healthchecks whose clock is theirs, with a check that expects a ping each minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.judge import judge
from scheduled_tasks.alert.outside import dead_man, outgoing
from scheduled_tasks.operate.account import account
from tests.integration.alert.outside.shop import IN_JANUARY, Runs, configuration, deploy, minutes, notify
from tests.outside.healthchecks import Check, Healthchecks, healthchecks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operate.shop import Database

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLOSED = "http://127.0.0.1:9"  # nothing listens on the port discard


@dataclass
class Host:
    """What of a host works."""

    name: str
    is_up: bool = True
    watch_starts: bool = True  # its timer elapses, and its service is not masked
    watch_judges: bool = True
    sender_starts: bool = True
    network: bool = True


@dataclass
class Fleet:
    """The hosts, their database, and what their sender sends."""

    database_url: str
    folder: Path
    outside: Healthchecks
    check: Check
    hosts: list[Host]
    has_database: bool = True
    routes_work: bool = True
    now: datetime = NOON
    delivered: list[str] = field(default_factory=list)

    def pass_minutes(self, number: int) -> None:
        """Let minutes pass, in each of which every host that can looks."""
        for _ in range(number):
            self.now += minutes(1)
            for second, host in enumerate(self.hosts):
                if host.is_up and host.watch_starts:
                    self._look(host, self.now + timedelta(seconds=7 * second))

    def _look(self, host: Host, now: datetime) -> None:
        self.outside.now = lambda: now
        url = self.database_url if self.has_database else f"{CLOSED.replace('http', 'postgresql')}/gone"
        try:
            connection = psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            return
        with connection:
            self._at(connection, now)
            account(connection, host.name, now)
            if host.watch_judges:
                judge(connection, now, has_routes=True)
                dead_man.record_judged(connection, host.name, now)
            table = notify(f"{self.outside.url if host.network else CLOSED}/ping/{self.check.uuid}")
            if host.sender_starts and (
                outbox.is_due(connection, now) or outgoing.is_due(connection, table, host.name, now)
            ):
                for delivery in outbox.take(connection, now, 100, default=["ops"], fallback=""):
                    if self.routes_work and host.network:
                        outbox.sent(connection, delivery, now)
                        self.delivered += [f"{delivery.what} {incident.name}" for incident in delivery.incidents]
                    else:
                        outbox.failed(connection, delivery, now, "no answer")
                outgoing.send(connection, configuration(self.folder), table, host.name, now)

    def _at(self, connection: Database, now: datetime) -> None:
        present = f"SELECT '{now}'::timestamptz"
        connection.execute(
            f"CREATE OR REPLACE FUNCTION alert_time() RETURNS timestamptz LANGUAGE sql AS $$ {present} $$"
        )

    def fail_a_job(self) -> None:
        """A slot that fails, so that there is something to tell."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            self._at(connection, self.now)
            runs = Runs(connection, "sell")
            runs.end(runs.start(self.now - minutes(1)), "failed")

    def knows_after(self, limit: int = 6) -> int:
        """After how many minutes from now the service outside knows that something is wrong."""
        for minute in range(limit + 1):
            if self.check.status_at(self.now + minutes(minute)) == "down":
                return minute
        pytest.fail(f"it does not know after {limit} minutes")


@pytest.fixture
def fleet(connection: Database, database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with healthchecks() as outside:
        check = outside.add(name="watch", timeout=60, grace=240)
        hosts = [Host("app1"), Host("app2")]
        for host in hosts:
            deploy(connection, host.name, NOON, {"sell": ""}, schedule=IN_JANUARY)
        one = Fleet(database_url, tmp_path, outside, check, hosts)
        one.pass_minutes(5)
        assert check.pings
        yield one


def only_one(fleet: Fleet) -> Host:
    """The host of a fleet of one."""
    fleet.hosts[1:] = []
    return fleet.hosts[0]


def test_a_healthy_pair_of_hosts_pings_each_minute_for_an_hour(fleet: Fleet) -> None:
    before = len(fleet.check.pings)
    fleet.pass_minutes(60)
    pings = [ping.at for ping in fleet.check.pings[before - 1 :]]
    assert len(pings) == 121
    assert max(later - earlier for earlier, later in pairwise(pings)) < minutes(1)


STOPPED: dict[str, Callable[[Fleet, Host], object]] = {
    "the watch's service": lambda _, host: setattr(host, "watch_starts", False),
    "the watch's judgement": lambda _, host: setattr(host, "watch_judges", False),
    "PostgreSQL": lambda fleet, _: setattr(fleet, "has_database", False),
    "the sender": lambda _, host: setattr(host, "sender_starts", False),
    "the network": lambda _, host: setattr(host, "network", False),
    "the host": lambda _, host: setattr(host, "is_up", False),
}


@pytest.mark.parametrize("part", STOPPED)
def test_of_a_single_host_whatever_stops_is_known_outside_within_six_minutes(fleet: Fleet, part: str) -> None:
    host = only_one(fleet)
    fleet.pass_minutes(12)  # so that the other host is dead and accounted for
    assert fleet.check.status_at(fleet.now) == "up"
    stopped_at = fleet.now
    STOPPED[part](fleet, host)
    fleet.pass_minutes(6)
    assert fleet.check.status_at(stopped_at + minutes(6)) == "down"


@pytest.mark.parametrize("part", ["PostgreSQL"])
def test_of_a_pair_what_both_need_is_known_outside_within_six_minutes(fleet: Fleet, part: str) -> None:
    stopped_at = fleet.now
    STOPPED[part](fleet, fleet.hosts[0])
    fleet.pass_minutes(6)
    assert fleet.check.status_at(stopped_at + minutes(6)) == "down"


@pytest.mark.parametrize("part", ["the watch's service", "the host"])
def test_of_a_pair_the_other_host_tells_of_a_dead_one(fleet: Fleet, part: str) -> None:
    STOPPED[part](fleet, fleet.hosts[1])
    fleet.pass_minutes(7)
    assert "opened app2" in fleet.delivered
    assert fleet.check.status_at(fleet.now) == "up"


def test_a_notice_that_nobody_can_send_stops_the_pings(fleet: Fleet) -> None:
    fleet.routes_work = False
    fleet.pass_minutes(3)
    fleet.fail_a_job()
    failed_at = fleet.now
    fleet.pass_minutes(12)
    last = fleet.check.pings[-1].at
    assert minutes(4) < last - failed_at < minutes(7)
    with psycopg.connect(fleet.database_url) as connection:
        [(error,)] = connection.execute("SELECT error FROM dead_man WHERE host = 'app1'").fetchall()
    assert error.startswith("a notice could not be sent for ")
    fleet.routes_work = True
    fleet.pass_minutes(10)
    assert "opened shop/sell" in fleet.delivered
    assert fleet.check.pings[-1].at > last


def test_a_ping_that_is_not_answered_says_why_and_is_tried_again(fleet: Fleet) -> None:
    host = only_one(fleet)
    fleet.outside.answer = 503
    fleet.pass_minutes(1)
    before = len(fleet.check.pings)
    with psycopg.connect(fleet.database_url) as connection:
        [(error,)] = connection.execute("SELECT error FROM dead_man WHERE host = %s", [host.name]).fetchall()
    assert error == f"{fleet.outside.url} answered 503 Service Unavailable: as the test wants"
    fleet.outside.answer = None
    fleet.pass_minutes(1)
    assert len(fleet.check.pings) == before + 1
    with psycopg.connect(fleet.database_url) as connection:
        assert connection.execute("SELECT FROM dead_man WHERE host = %s AND error IS NULL", [host.name]).rowcount


def test_a_host_that_was_forgotten_has_no_switch(fleet: Fleet) -> None:
    with psycopg.connect(fleet.database_url) as connection:
        connection.execute("DELETE FROM host WHERE name = 'app2'")
        assert connection.execute("SELECT host FROM dead_man").fetchall() == [("app1",)]


def test_a_host_can_have_a_check_of_its_own(connection: Database, tmp_path: Path) -> None:
    with healthchecks() as outside:
        url = f"{outside.url}/ping/ping-key/watch-{{host}}?create=1"
        for host in ("app1", "app2"):
            account(connection, host, NOON)
            dead_man.record_judged(connection, host, NOON)
            assert outgoing.send(connection, configuration(tmp_path), notify(url), host, NOON) == []
        assert [check.slug for check in outside.checks] == ["watch-app1", "watch-app2"]
