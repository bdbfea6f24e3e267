"""A process that answers scrapes asks the database for nothing that has not changed, and never shows old values."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest

from scheduled_tasks.errors import UsageError
from scheduled_tasks.metrics.exporter import Exporter
from scheduled_tasks.metrics.listener import read_address
from scheduled_tasks.metrics.samples import Some
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.grants import Roles
from tests.integration.metrics.filled import fill
from tests.integration.metrics.scrape import Scrape
from tests.integration.operate.roles import MONITORS, as_role, granted
from tests.integration.operate.shop import SHOP, Database, clocks, hours_before, ran
from tests.machine.waiting import wait_for


def counted(connection: Database) -> None:
    """Have PostgreSQL count what this session has written, as at its end."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT 1")


class Counting:
    """A connection that counts the statements that are sent."""

    def __init__(self, connection: Database) -> None:
        self.connection, self.statements = connection, 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute a statement."""
        self.statements += 1
        return self.connection.execute(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.fixture
def reader(database_url: str) -> Iterator[Database]:
    with closing(psycopg.connect(database_url, autocommit=True)) as connection:
        yield connection


def test_a_scrape_reads_no_job_while_nothing_has_changed(
    connection: Database, reader: Database, hour: datetime
) -> None:
    fill(connection, hour)
    counted(connection)
    exporter, counting = Exporter(Some.ALL), Counting(reader)
    first = Scrape(exporter.text(counting))  # type: ignore[arg-type]  # it counts what it passes on
    assert (exporter.reads, counting.statements) == (1, 17)
    account(connection, "app1", datetime.now(UTC) + timedelta(minutes=1))  # a heartbeat
    counted(connection)
    counting.statements = 0
    second = Scrape(exporter.text(counting))  # type: ignore[arg-type]
    assert (exporter.reads, counting.statements) == (1, 5)
    age = "host_heartbeat_timestamp_seconds"
    assert 59 < (second(age, host="app1") or 0) - (first(age, host="app1") or 0) < 61
    assert second.of("job_bad_slots_in_a_row") == first.of("job_bad_slots_in_a_row")


WRITES = {
    "a run starts": "INSERT INTO task_run (run_id, task, clock, job, host, slot_host, trigger, status, started_at,"
    " scheduled_at) VALUES (gen_random_uuid(), 't', 'till', 'close', 'app1', '', 'timer', 'started', now(), now())",
    "a run ends": "UPDATE task_run SET status = 'ended', ended_at = now() WHERE status = 'started'",
    "a verdict is deleted": "DELETE FROM task_run WHERE status = 'missed'",
    "a job is paused": "INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'anna', 'x')",
    "a flag is switched": "UPDATE feature SET is_active = false",
    "a job is removed": "UPDATE deployed_job SET valid_until = now() WHERE job = 'sell'",
    "a new clock is counted": "INSERT INTO clock_total VALUES ('new', 0, 0, 0, 0, 0, 0, 0)",
}


@pytest.mark.parametrize("statement", WRITES.values(), ids=WRITES)
def test_a_scrape_shows_whatever_was_written_before_it(
    connection: Database, reader: Database, hour: datetime, statement: str
) -> None:
    fill(connection, hour)
    counted(connection)
    exporter = Exporter(Some.ALL)
    exporter.text(reader)
    connection.execute(statement.encode())
    counted(connection)
    text = exporter.text(reader)
    assert exporter.reads == 2
    fresh = Exporter(Some.ALL).text(reader)
    assert without_time(text) == without_time(fresh)


def without_time(text: str) -> list[str]:
    """The lines of a text that do not change by themselves."""
    return [line for line in text.splitlines() if not line.startswith(("scheduled_tasks_read_", "scheduled_tasks_acc"))]


def test_a_write_that_is_counted_only_after_the_scrape_is_in_the_next_one(
    connection: Database, reader: Database, hour: datetime
) -> None:
    fill(connection, hour)
    exporter = Exporter(Some.ALL)
    with closing(psycopg.connect(connection.info.dsn)) as writer:
        writer.execute("UPDATE feature SET is_active = NOT is_active")
        assert Scrape(exporter.text(reader)).of("feature_active") == {("COUNT",): 1, ("SELL",): 0}
        writer.commit()
        server_process = writer.info.backend_pid
    of_writer = "SELECT FROM pg_stat_activity WHERE pid = %s"
    wait_for("the end of its session", lambda: not connection.execute(of_writer, [server_process]).rowcount)
    assert Scrape(exporter.text(reader)).of("feature_active") == {("COUNT",): 0, ("SELL",): 1}


def test_what_time_alone_changes_is_read_when_it_changes(
    connection: Database, reader: Database, hour: datetime
) -> None:
    fill(connection, hour)
    soon = "UPDATE feature SET reverts_at = clock_timestamp() + interval '0.5 s' WHERE name = 'SELL'"
    [(reverts_at,)] = connection.execute(f"{soon} RETURNING reverts_at".encode()).fetchall()
    counted(connection)
    exporter = Exporter(Some.ALL)
    assert Scrape(exporter.text(reader))("feature_active", name="SELL") == 0
    wait_for("the end of the switch", lambda: datetime.now(UTC) > reverts_at)
    assert Scrape(exporter.text(reader))("feature_active", name="SELL") == 1


def test_a_monitors_role_can_read_all_metrics(connection: Database, hour: datetime) -> None:
    fill(connection, hour)
    with granted(connection, Roles(monitors_role=MONITORS)), as_role(connection, MONITORS) as monitor:
        found = Scrape(Exporter(Some.ALL).text(monitor))
        assert found("job_bad_slots_in_a_row", clock="shop", job_name="count") == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            monitor.execute("DELETE FROM clock_total")


@pytest.mark.parametrize(
    ("configured", "jobs"),
    [
        ("all", {"clean", "count", "sell", "close"}),
        ("bad", {"clean", "count", "close"}),  # bad, bad and running, paused
        ("till", {"close"}),
    ],
)
def test_series_of_jobs_can_be_bounded(
    connection: Database, reader: Database, hour: datetime, configured: str, jobs: set[str]
) -> None:
    fill(connection, hour)
    which = Some(configured) if configured != "till" else frozenset({"till"})
    found = Scrape(Exporter(which).text(reader))
    series = found.series
    assert {dict(labels)["job_name"] for _, labels in series if "job_name" in dict(labels)} == jobs
    assert {clock for clock, _ in found.of("slots_total")} == {"shop", "till"}


@contextmanager
def listening(url: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`clocks metrics --listen` as a process, and its port."""
    environment = {**os.environ, "DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml")}
    command = [sys.executable, "-m", "scheduled_tasks.cli", "metrics", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", process.stderr.readline())
            assert found
            yield process, int(found[1])
        finally:
            process.send_signal(signal.SIGINT)


def get(port: int, path: str = "/metrics", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as http:
        http.request("GET", path, headers=headers)
        answer = http.getresponse()
        return answer.status, answer.read(), dict(answer.headers)


def test_the_listener_answers_scrapes_and_says_when_the_ledger_is_away(
    connection: Database, database_url: str, hour: datetime
) -> None:
    fill(connection, hour)
    name = connection.info.dbname
    with listening(database_url) as (process, port):
        status, body, headers = get(port)
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        found = Scrape(body.decode())
        assert (found("ledger_up"), found("job_bad_slots_in_a_row", clock="shop", job_name="count")) == (1, 2)
        assert any(name == "process_resident_memory_bytes" for name, _ in found.series)
        assert get(port, "/")[0] == 404
        _, compressed, headers = get(port, **{"Accept-Encoding": "gzip"})
        assert headers["Content-Encoding"] == "gzip"
        assert Scrape(gzip.decompress(compressed).decode()).of("job_alert_after") == found.of("job_alert_after")

        with closing(psycopg.connect(database_url.replace(f"/{name}", "/postgres"), autocommit=True)) as other:
            other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            other.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name])
            status, body, _ = get(port)
            away = Scrape(body.decode())
            assert (status, away("ledger_up"), away.of("job_bad_slots_in_a_row")) == (503, 0, {})
            other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        again = Scrape(get(port)[1].decode())
        assert (again("ledger_up"), len(again.of("job_bad_slots_in_a_row"))) == (1, 4)
    assert process.stderr
    assert process.wait(60) == 130


@pytest.mark.parametrize("text", ["0.0.0.0:9464", "192.0.2.1:9464", "9464", "localhost", "example.org:9464", "[::]:1"])
def test_it_listens_to_nobody_but_this_machine(text: str) -> None:
    with pytest.raises(UsageError, match="write "):
        read_address(text)


def test_it_reads_addresses_of_this_machine() -> None:
    assert read_address("localhost:9464") == ("127.0.0.1", 9464)
    assert read_address("[::1]:9464") == ("::1", 9464)


def test_a_wrong_metrics_jobs_says_what_to_write(tmp_path: Any, connection: Database) -> None:
    configuration = tmp_path / "config.toml"
    configuration.write_text("metrics_jobs = 'some'\n")
    done = clocks("metrics", check=False, configuration=configuration)
    assert done.exit_code == 78
    assert done.stderr == """clocks: metrics_jobs = 'some': write "all", "bad", or a list of clocks, ["booking"]\n"""


def test_many_runs_are_counted_while_scrapes_go_on(connection: Database, reader: Database, hour: datetime) -> None:
    fill(connection, hour)
    exporter = Exporter(Some.ALL)
    for number in range(1, 4):
        ran(connection, "sell", hours_before(hour, number), "ended", duration=1.0)
        counted(connection)
        found = Scrape(exporter.text(reader))
        assert found("slots_total", clock="shop", status="ended") == 3 + number
