"""Each run of a job with ping= is reported outside, from the ledger: at least once, in order, whatever became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from scheduled_tasks.alert.one_at_a_time import one_at_a_time
from scheduled_tasks.alert.outside import pings
from scheduled_tasks.alert.outside.told import told
from tests.integration.alert.outside.shop import Runs, configuration, deploy, minutes, old_enough
from tests.outside.healthchecks import PING_KEY, Check, Healthchecks, Received, healthchecks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.run.settings import Settings
    from tests.integration.operate.shop import Database


@dataclass(frozen=True)
class Shop:
    """A deployed job that pings, the service outside, and the sender."""

    connection: Database
    settings: Settings
    outside: Healthchecks
    sell: Runs
    now: datetime

    def look(self, connection: Database | None = None) -> list[str]:
        """What a sender does that the watch has just started."""
        database = connection or self.connection
        [(now,)] = database.execute("SELECT clock_timestamp()").fetchall()
        return pings.send_pings(database, self.settings, now) if pings.is_due(database, now) else []

    @property
    def check(self) -> Check:
        return self.outside.by_slug("shop-sell")

    @property
    def kinds(self) -> list[str]:
        return [ping.kind for ping in self.check.pings]

    @property
    def last(self) -> Received:
        return self.check.pings[-1]


@pytest.fixture
def now(connection: Database) -> datetime:
    [(now,)] = connection.execute("SELECT date_trunc('second', clock_timestamp())").fetchall()
    assert isinstance(now, datetime)
    return now


@pytest.fixture
def shop(connection: Database, now: datetime, tmp_path: Path) -> Iterator[Shop]:
    with healthchecks() as outside:
        settings = configuration(tmp_path, healthchecks=f"{outside.url}/ping/{PING_KEY}/{{clock}}-{{job}}?create=1")
        deploy(connection, "app1", now, {"sell": "healthchecks", "count": ""})
        yield Shop(connection, settings, outside, Runs(connection, "sell"), now)


def test_a_long_run_has_a_start_and_a_success_with_its_id(shop: Shop) -> None:
    run = shop.sell.start(shop.now)
    assert shop.look() == []
    assert shop.outside.checks == []  # it may end within seconds
    old_enough(shop.connection)
    shop.look()
    shop.sell.end(run)
    shop.look()
    assert [(ping.kind, ping.rid) for ping in shop.check.pings] == [("start", run), ("success", run)]
    assert shop.last.body == f"ended on app1 after 3.0 s, slot {shop.now:%Y-%m-%dT%H:%M:%SZ}"


def test_a_short_run_has_one_ping(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.now))
    shop.look()
    assert shop.kinds == ["success"]


def test_a_failure_has_its_exit_code_and_reason_without_secrets(shop: Shop) -> None:
    error = "no answer from https://anna:hunter2secret@api.example.org"
    known = {"exit_code": 75, "error_type": "ServiceUnavailableError", "error_message": error}
    shop.sell.end(shop.sell.start(shop.now), "failed", **known)
    shop.look()
    assert (shop.last.kind, shop.last.exit_status) == ("fail", 75)
    assert "exit code 75: ServiceUnavailableError: no answer" in shop.last.body
    assert "hunter2secret" not in shop.last.body


@pytest.mark.parametrize("status", ["lost", "missed"])
def test_what_no_run_can_report_is_reported(shop: Shop, status: str) -> None:
    reason = "its process is gone, and how it ended is unknown"
    shop.sell.start(shop.now, status=status, trigger="watch", attempt=0, reason=reason)
    shop.look()
    assert shop.kinds == ["fail"]
    assert shop.last.body.startswith(f"{status} on app1")
    assert reason in shop.last.body


def test_a_skip_changes_nothing_outside(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.now), "skipped", reason="paused: stock is being recounted (anna)")
    shop.look()
    assert shop.kinds == ["log"]
    assert shop.check.status == "new"


def test_of_a_run_by_hand_only_the_success_counts(shop: Shop) -> None:
    by_hand = {"slot_host": None, "trigger": "manual"}
    run = shop.sell.start(shop.now, **by_hand)
    old_enough(shop.connection)
    shop.look()
    shop.sell.end(run, "failed")
    shop.look()
    shop.sell.end(shop.sell.start(shop.now, **by_hand))
    shop.look()
    assert shop.kinds == ["log", "success"]


def test_a_job_without_a_ping_queues_nothing(shop: Shop) -> None:
    count = Runs(shop.connection, "count")
    count.end(count.start(shop.now))
    Runs(shop.connection, "sell", clock="none").start(shop.now)
    assert shop.connection.execute("SELECT FROM ping").rowcount == 0


def test_what_could_not_be_sent_is_sent_later_and_a_backlog_is_short(shop: Shop) -> None:
    shop.outside.answer = 503
    for second in range(10):
        shop.sell.end(shop.sell.start(shop.now.replace(microsecond=second)), "failed" if second == 3 else "ended")
        [problem] = shop.look()
    assert problem.startswith(f"can't ping for shop/sell: {shop.outside.url} answered 503")
    assert "ping-key" not in problem
    assert [row.error for row in told(shop.connection)] == [problem.partition("sell: ")[2]]
    shop.outside.answer = None
    assert shop.look() == []
    assert shop.kinds == ["fail", "success", "success", "success"]
    [row] = told(shop.connection)
    assert (row.monitor, row.what, row.waiting, row.error) == ("shop/sell", "success", 0, "")


def test_what_a_service_refuses_is_dropped(shop: Shop) -> None:
    shop.outside.answer = 404
    shop.sell.end(shop.sell.start(shop.now))
    assert len(shop.look()) == 1
    assert shop.look() == []
    [row] = told(shop.connection)
    assert (row.waiting, row.error) == (0, f"{shop.outside.url} answered 404 Not Found: as the test wants")


def test_a_server_that_does_not_answer_is_tried_once_for_all_jobs(
    connection: Database, tmp_path: Path, now: datetime
) -> None:
    with healthchecks() as gone:
        pass
    settings = configuration(tmp_path, healthchecks=f"{gone.url}/ping/{PING_KEY}/{{job}}")
    names = [f"job{number}" for number in range(60)]
    deploy(connection, "app1", now, dict.fromkeys(names, "healthchecks"))
    for name in names:
        Runs(connection, name).end(Runs(connection, name).start(now))
    assert 1 <= len(pings.send_pings(connection, settings, now + minutes(1))) <= pings.AT_ONCE


def test_a_run_that_another_host_took_over_is_over_outside_too(shop: Shop) -> None:
    first = shop.sell.start(shop.now)
    old_enough(shop.connection)
    shop.look()
    second = str(uuid4())
    taken_over = "UPDATE task_run SET run_id = %s, host = 'app2', attempt = 2 WHERE run_id = %s"
    shop.connection.execute(taken_over, [second, first])
    shop.sell.end(second)
    shop.look()
    assert shop.check.last_start is None
    assert [ping.rid for ping in shop.check.pings] == [first, None]


def test_a_run_that_was_recorded_late_is_reported(shop: Shop) -> None:
    run = shop.sell.start(shop.now, status="missed", trigger="watch", attempt=0)
    shop.look()
    shop.sell.end(run, attempt=1)
    shop.look()
    assert shop.kinds == ["fail", "success"]


def test_each_host_has_its_own_check(shop: Shop) -> None:
    url = f"{shop.outside.url}/ping/{PING_KEY}/{{job}}-{{host}}?create=1"
    for host in ("app1", "app2"):
        deploy(shop.connection, host, shop.now, {"sell": url}, per_host=True)
        runs = Runs(shop.connection, "sell", host)
        runs.end(runs.start(shop.now, slot_host=host))
    shop.look()
    assert sorted(check.slug for check in shop.outside.checks) == ["sell-app1", "sell-app2"]
    assert [row.monitor for row in told(shop.connection)] == ["shop/sell on app1", "shop/sell on app2"]


def test_only_one_sender_sends(shop: Shop, database_url: str) -> None:
    shop.sell.end(shop.sell.start(shop.now))
    with psycopg.connect(database_url, autocommit=True) as other, one_at_a_time(other, "ping") as is_ours:
        assert is_ours
        assert shop.look() == []
        assert shop.outside.checks == []
    shop.look()
    assert shop.kinds == ["success"]


def test_a_sender_that_was_killed_after_a_ping_sends_it_again_with_the_same_id(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shop.sell.start(shop.now)
    shop.sell.end(run)

    def die(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, psycopg.connect(database_url, autocommit=True) as killed:
        patched.setattr(pings, "_record", die)
        with pytest.raises(KeyboardInterrupt):
            shop.look(killed)
    shop.look()
    assert [ping.rid for ping in shop.check.pings] == [run, run]


def test_sentry_gets_its_check_ins_with_the_schedule(shop: Shop) -> None:
    dsn = shop.outside.url.replace("http://", "http://public@")
    (shop.settings.credentials_folder / "notify.sentry").write_text(f"{dsn}/42")
    deploy(shop.connection, "app1", shop.now, {"sell": "sentry"})
    shop.sell.end(shop.sell.start(shop.now), "failed")
    assert shop.look() == []
    [(path, check_in)] = shop.outside.check_ins
    assert path == "/api/42/cron/shop-sell/public/"
    assert (check_in["status"], check_in["duration"]) == ("error", 3.0)
    assert check_in["monitor_config"]["schedule"] == {"type": "crontab", "value": "* * * * *"}
