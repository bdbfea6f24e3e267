"""Failure notes of services: how a run ended that did not record its own end, or recorded one that was not the last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from scheduled_tasks.operate.reconcile import reconcile
from tests.integration.operate.reconciled import names, rows
from tests.integration.operate.shop import Database

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failure_note_that_a_power_cut_emptied_is_quarantined(connection: Database, tmp_path: Path) -> None:
    folder = tmp_path / "failed"
    folder.mkdir()
    (folder / "clock-shop-work.service.1.note").touch()
    connection.execute(
        "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at,"
        " invocation_id, expires_at) VALUES (gen_random_uuid(), 'shop.work', 'shop', 'work', now(), '', 'app1',"
        " 'timer', 'started', now(), gen_random_uuid(), now() + interval '1 hour')"
    )
    done = reconcile(connection, tmp_path, host="app1", invocations=lambda _units: {})
    assert [run.job for run in done.lost] == ["work"]  # how it ended cannot be known any more
    assert [row[:2] for row in rows(connection)] == [("work", "lost")]
    assert names(folder) == ["clock-shop-work.service.1.refused"]


@pytest.mark.parametrize(
    ("note", "row"),
    [
        (
            "SERVICE_RESULT=timeout\nEXIT_CODE=exited\nEXIT_STATUS=0\n",
            ("failed", 0, "timeout", "its task ended, and then its service failed: it exceeded its time limit"),
        ),
        (
            "SERVICE_RESULT=exit-code\nEXIT_CODE=exited\nEXIT_STATUS=0\n",
            (
                "failed", 0, "exit-code",
                "its task ended, and then its service failed: another of its commands did, see its unit's journal",
            ),
        ),
        (
            "SERVICE_RESULT=signal\nEXIT_CODE=killed\nEXIT_STATUS=KILL\n",
            ("failed", None, "signal", "its task ended, and then its service failed: killed by SIGKILL"),
        ),
    ],
    ids=["a child had to be killed", "ExecStopPost= failed", "killed before it exited"],
)  # fmt: skip
def test_a_service_that_fails_after_its_run_has_ended_overrules_the_row_of_this_invocation_alone(
    connection: Database, tmp_path: Path, note: str, row: tuple[Any, ...]
) -> None:
    ours, earlier = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    for days, invocation in enumerate((ours, earlier)):
        connection.execute(
            "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
            " started_at, ended_at, duration, exit_code, invocation_id) VALUES (gen_random_uuid(), 'shop.work',"
            " 'shop', 'work', now() - %s * interval '1 day', '', 'app1', 'timer', 'ended', now(), now(), 1, 0, %s)",
            [days, invocation],
        )
    folder = tmp_path / "failed"
    folder.mkdir()
    unit = "clock-shop-work.service"
    (folder / f"{unit}.1.note").write_text(f"UNIT={unit}\nINVOCATION_ID={ours.replace('-', '')}\n{note}")
    assert reconcile(connection, tmp_path, host="app1").failures == 1
    rows = connection.execute(
        "SELECT status, exit_code, error_type, error_message FROM task_run ORDER BY scheduled_at"
    ).fetchall()
    assert rows == [("ended", 0, None, None), row]


@pytest.mark.parametrize("ahead", [-18, 18], ids=["a host that is late", "a host that is early"])
def test_a_killed_run_lasted_as_long_as_by_one_clock(connection: Database, tmp_path: Path, ahead: int) -> None:
    invocation = "11111111-1111-4111-8111-111111111111"
    connection.execute(
        "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at,"
        " invocation_id) VALUES (gen_random_uuid(), 'shop.work', 'shop', 'work', now(), '', 'app1', 'timer',"
        " 'started', clock_timestamp() - interval '10 s', %s)",
        [invocation],
    )
    folder = tmp_path / "failed"
    folder.mkdir()
    unit = "clock-shop-work.service"
    # The host's clock differs from the database's, so what systemd calls "now" is some seconds off.
    now = datetime.now(UTC) + timedelta(seconds=ahead)
    (folder / f"{unit}.1.note").write_text(
        f"UNIT={unit}\nINVOCATION_ID={invocation}\nSERVICE_RESULT=signal\nEXIT_CODE=killed\nEXIT_STATUS=KILL\n"
        f"ExecMainExitTimestamp=@{now.timestamp():.6f}\n"
    )
    with patch("scheduled_tasks.operate.reconcile.datetime", wraps=datetime) as clock:
        clock.now.return_value = now
        reconcile(connection, tmp_path, host="app1")
    [(duration, is_exact)] = connection.execute(
        "SELECT duration, ended_at - started_at = make_interval(secs => duration) FROM task_run"
    ).fetchall()
    assert 10 <= duration < 10 + 300  # not 18 s more or less; the machine may be busy
    assert is_exact
