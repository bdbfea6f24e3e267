"""A failed run requests its log lines in its own transaction; stored lines are shown on every host."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.cli import status
from scheduled_tasks.operate import history, prune
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.run import database, record
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus
from tests.integration.operate.roles import TASKS, as_role, granted
from tests.integration.operate.shop import NOON, ask, clocks, minutes, ran
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

INVOCATION, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-2222-4333-8444-555555555555"
LINE = json.dumps({"timestamp": "2026-11-24T12:00:01Z", "level": "error", "logger": "shop", "message": "no space"})


def requests(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT clock, job, host, invocation_id::text, captured_at, lines FROM run_log"
    ).fetchall()


def capture(connection: Database, lines: str = LINE) -> None:
    connection.execute("UPDATE run_log SET lines = %s, captured_at = now() WHERE captured_at IS NULL", [lines])


def test_a_run_that_fails_or_is_lost_requests_its_lines_and_no_other_does(connection: Database) -> None:
    for number, state in enumerate(("ended", "skipped", "started", "missed", "failed")):
        ran(connection, "sell", minutes(number), state, invocation_id=INVOCATION)
    ran(connection, "sell", minutes(9), "failed")  # by hand in a terminal: no service
    assert requests(connection) == [("shop", "sell", "app1", INVOCATION, None, "")]
    connection.execute("UPDATE task_run SET status = 'lost' WHERE status = 'started'")
    assert len(requests(connection)) == 2


def test_a_mark_of_the_watch_requests_nothing(connection: Database) -> None:
    ran(connection, "sell", NOON, "failed", invocation_id=INVOCATION)
    connection.execute("DELETE FROM run_log")  # by its age
    connection.execute("UPDATE task_run SET is_resolved = true")
    assert requests(connection) == []


def test_the_lines_of_a_later_attempt_replace_those_of_the_one_before(connection: Database) -> None:
    ran(connection, "sell", NOON, "failed", invocation_id=INVOCATION)
    capture(connection)
    connection.execute("UPDATE task_run SET status = 'lost'")  # the same attempt: they stay
    assert [row[4] is None for row in requests(connection)] == [False]
    connection.execute("UPDATE task_run SET attempt = 2, status = 'started', invocation_id = %s", [OTHER])
    connection.execute("UPDATE task_run SET status = 'failed', host = 'app2'")
    [(*_, host, invocation, captured_at, lines)] = requests(connection)
    assert (host, invocation, captured_at, lines) == ("app2", OTHER, None, LINE)


def test_a_run_records_its_failure_with_the_tasks_role_which_cannot_read_the_lines(
    connection: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with granted(connection), as_role(connection, TASKS) as task:
        monkeypatch.setenv("INVOCATION_ID", INVOCATION.replace("-", ""))
        monkeypatch.setenv("DATABASE_URL", task.info.dsn)
        run = Run("shop.sell", "sell", clock="shop", job="sell")
        run.host, run.scheduled_at, run.slot_host = "app1", NOON, ""
        record.open_run(run, record.ClaimTerms(timeout=60), "1.0")
        record.close_run(run, record.Result(run.run_id, 1, RunStatus.FAILED, 1, 2.0))
        database.close()
        assert requests(connection) == [("shop", "sell", "app1", INVOCATION, None, "")]
        for statement in ("SELECT FROM run_log", "SELECT request_log()", "DELETE FROM run_log"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                task.execute(statement.encode())


def test_another_host_shows_the_stored_lines(connection: Database) -> None:
    ran(connection, "sell", NOON, "failed", invocation_id=INVOCATION)
    [(run_id,)] = connection.execute("SELECT run_id::text FROM task_run").fetchall()
    fetch = f"clocks show {run_id[:8]} --fetch-log"
    assert fetch in clocks("show", run_id).stdout
    assert ask("show", run_id)["log_lines"] == []
    capture(connection)
    shown = clocks("show", run_id).stdout
    assert shown.endswith(f"the last of them:\n{LINE}\n")
    assert fetch not in shown
    assert ask("show", run_id)["log_lines"] == [LINE]


def test_logs_show_the_stored_lines_of_other_hosts(connection: Database) -> None:
    for number, job in enumerate(("sell", "count")):
        ran(connection, job, minutes(number), "failed", invocation_id=INVOCATION)
        capture(connection, json.dumps({"message": job}))
    connection.execute("UPDATE run_log SET requested_at = %s WHERE job = 'sell'", [NOON])
    assert clocks("logs", "shop/sell", check=False).stdout == '{"message": "sell"}\n'
    assert clocks("logs", "shop", check=False).stdout == '{"message": "sell"}\n{"message": "count"}\n'
    assert clocks("logs", "shop", "--lines", "1", check=False).stdout == '{"message": "count"}\n'
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert clocks("logs", "shop", "--since", since, check=False).stdout == '{"message": "count"}\n'


def test_the_lines_of_any_run_can_be_fetched_and_are_waited_for(connection: Database) -> None:
    ran(connection, "sell", NOON, "ended", invocation_id=INVOCATION)
    [(run_id,)] = connection.execute("SELECT run_id::text FROM task_run").fetchall()

    def host() -> None:
        wait_for("the request", lambda: requests(connection))
        capture(connection)

    watch = Thread(target=host)
    watch.start()
    assert LINE in clocks("show", run_id, "--fetch-log").stdout
    watch.join()
    capture(connection)
    run_logs.request(connection, history.find_run(connection, run_id))  # again: it is requested anew
    assert [row[4] for row in requests(connection)] == [None]


def test_a_fetch_says_when_the_host_does_not_answer(connection: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "FETCH_TIMEOUT", 0.0)
    ran(connection, "sell", NOON, "ended", invocation_id=INVOCATION)
    [(run_id,)] = connection.execute("SELECT run_id::text FROM task_run").fetchall()
    done = clocks("show", run_id, "--fetch-log", check=False)
    assert (done.exit_code, "app1 has not stored the lines" in done.stderr) == (75, True)
    connection.execute("UPDATE task_run SET invocation_id = NULL")
    done = clocks("show", run_id, "--fetch-log", check=False)
    assert (done.exit_code, "was not started by systemd" in done.stderr) == (64, True)


def test_old_lines_are_deleted(connection: Database) -> None:
    for job in ("sell", "count"):
        ran(connection, job, NOON, "failed", invocation_id=INVOCATION, started_at=datetime.now(UTC))
    connection.execute("UPDATE run_log SET requested_at = now() - interval '8 days' WHERE job = 'sell'")
    assert prune.count_old(connection, 400) == 0
    assert prune.count_old(connection, 400, keep_logs=7) == 1
    assert prune.prune(connection, 400, keep_logs=7) == 0
    assert [job for _, job, *_ in requests(connection)] == ["count"]
