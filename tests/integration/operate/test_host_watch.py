"""What a host reports to the database from its files: late, twice, and after an apply was killed."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.cli.screens.status_view import StatusView
from scheduled_tasks.deploy import deployment_reports
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import host_pauses, host_watch, status
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.render.names import JOBS, Places
from scheduled_tasks.render.unit_set import UnitSet
from tests.integration.operate.shop import HOURLY, Database, minutes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def jobs_json(*jobs: str, **options: object) -> str:
    listed = [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": HOURLY,
         "options": {"catch_up": True, "paused": False, **options}}
        for job in jobs
    ]  # fmt: skip
    return json.dumps({"jobs": listed})


def write_report(places: Places, at: datetime, text: str, *, new_from: datetime | None = None) -> None:
    units = UnitSet({JOBS: text})
    path = deployment_reports.write_report(units, at.timestamp(), places, Effects())
    if new_from:
        deployment_reports.complete_report(path, units, at.timestamp(), new_from.timestamp(), Effects())


def make_current(places: Places, text: str) -> None:
    places.current.mkdir(parents=True, exist_ok=True)
    (places.current / JOBS).write_text(text)


def reported(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT job, valid_from, valid_until FROM deployed_job WHERE host = 'app1' ORDER BY job, valid_from"
    ).fetchall()


def test_applies_during_a_database_outage_are_reported_in_order_with_their_instants(
    connection: Database, places: Places
) -> None:
    write_report(places, minutes(0), jobs_json("count"), new_from=minutes(1))
    write_report(places, minutes(10), jobs_json("count", "sell"), new_from=minutes(11))
    write_report(places, minutes(20), jobs_json("sell"), new_from=minutes(21))
    make_current(places, jobs_json("sell"))
    for _ in range(2):
        host_watch.report_deployed(connection, places, "app1", minutes(60))
        assert reported(connection) == [("count", minutes(1), minutes(20)), ("sell", minutes(11), None)]
    assert list(places.reports.iterdir()) == []


def test_a_call_that_moves_in_its_file_keeps_the_jobs_row_and_no_slot_is_judged_again(
    connection: Database, places: Places
) -> None:
    listed = json.loads(jobs_json("count"))
    for minute, source in ((0, None), (10, "clocks/shop.py:12"), (20, "clocks/shop.py:14")):
        listed["jobs"][0] |= {"source": source} if source else {}
        write_report(places, minutes(minute), json.dumps(listed), new_from=minutes(minute))
        make_current(places, json.dumps(listed))
        host_watch.report_deployed(connection, places, "app1", minutes(minute))
        assert reported(connection) == [("count", minutes(0), None)]
        assert connection.execute("SELECT source FROM deployed_job").fetchall() == [(source,)]
        if minute:
            assert connection.execute("SELECT accounted_until FROM host").fetchall() == [(minutes(30),)]
        connection.execute("UPDATE host SET accounted_until = %s", [minutes(30)])


def test_a_deployment_names_who_has_applied_it_and_one_of_an_earlier_release_nobody(
    connection: Database, places: Places
) -> None:
    for minute, by, jobs in ((0, "anna", ["count", "sell"]), (10, "ben", ["sell"]), (20, "", ["sell", "sum"])):
        units = UnitSet({JOBS: jobs_json(*jobs)})
        path = deployment_reports.write_report(units, minutes(minute).timestamp(), places, Effects(by=by))
        if not by:
            earlier = json.loads(path.read_text())
            del earlier["by"]
            path.write_text(json.dumps(earlier))
        make_current(places, jobs_json(*jobs))
        host_watch.report_deployed(connection, places, "app1", minutes(minute))
    rows = connection.execute("SELECT job, deployed_by, removed_by FROM deployed_job ORDER BY job").fetchall()
    assert rows == [("count", "anna", "ben"), ("sell", "anna", None), ("sum", None, None)]


def test_the_report_of_an_apply_killed_before_its_set_became_current_is_dropped(
    connection: Database, places: Places
) -> None:
    write_report(places, minutes(0), jobs_json("count"), new_from=minutes(0))
    write_report(places, minutes(10), jobs_json("sell"))
    make_current(places, jobs_json("count"))
    host_watch.report_deployed(connection, places, "app1", minutes(60))
    assert reported(connection) == [("count", minutes(0), None)]


def test_a_killed_apply_whose_set_is_current_counts_from_the_stop_of_its_timers(
    connection: Database, places: Places
) -> None:
    write_report(places, minutes(10), jobs_json("sell"))
    make_current(places, jobs_json("sell"))
    host_watch.report_deployed(connection, places, "app1", minutes(60))
    assert reported(connection) == [("sell", minutes(10), None)]


def test_a_set_without_a_report_counts_from_now(connection: Database, places: Places) -> None:
    make_current(places, jobs_json("count"))
    host_watch.report_deployed(connection, places, "app1", minutes(60))
    host_watch.report_deployed(connection, places, "app1", minutes(61))
    assert reported(connection) == [("count", minutes(60), None)]


def test_the_jobs_of_a_removed_set_are_closed(connection: Database, places: Places) -> None:
    make_current(places, jobs_json("count"))
    host_watch.report_deployed(connection, places, "app1", minutes(0))
    deployment_reports.write_report(UnitSet(), minutes(30).timestamp(), places, Effects())
    (places.current / JOBS).unlink()
    places.current.rmdir()
    host_watch.report_deployed(connection, places, "app1", minutes(60))
    assert reported(connection) == [("count", minutes(0), minutes(30))]


def pauses_of(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT clock, job, paused_at, paused_by, reason, resumed_at, resumed_by FROM pause ORDER BY paused_at, id"
    ).fetchall()


def pause(places: Places, until: datetime | None = None, job: str | None = None) -> Pause:
    row = Pause(Scope("shop", job, "app1"), minutes(0), "anna", "a disk", until)
    assert host_pauses.write(places, row)
    return row


def test_a_pause_by_file_is_reported_once_and_ends_when_it_is_resumed(connection: Database, places: Places) -> None:
    pause(places)
    for _ in range(2):
        host_watch.report_pauses(connection, places, "app1", minutes(5))
    assert pauses_of(connection) == [("shop", None, minutes(0), "anna", "a disk", None, None)]
    [active] = host_pauses.active(places, "app1")
    host_pauses.end(places, active, by="bert", at=minutes(7))
    for _ in range(2):
        host_watch.report_pauses(connection, places, "app1", minutes(60))
    assert pauses_of(connection) == [("shop", None, minutes(0), "anna", "a disk", minutes(7), "bert")]


def test_a_pause_that_began_and_ended_during_a_database_outage_is_reported_too(
    connection: Database, places: Places
) -> None:
    pause(places, job="count")
    [active] = host_pauses.active(places, "app1")
    host_pauses.end(places, active, by="anna", at=minutes(7))
    host_watch.report_pauses(connection, places, "app1", minutes(60))
    assert pauses_of(connection) == [("shop", "count", minutes(0), "anna", "a disk", minutes(7), "anna")]


def test_the_watch_ends_a_pause_by_file_after_its_until(connection: Database, places: Places) -> None:
    pause(places, until=minutes(10))
    host_watch.report_pauses(connection, places, "app1", minutes(9))
    assert (places.paused / "shop").exists()
    host_watch.report_pauses(connection, places, "app1", minutes(11))
    assert not (places.paused / "shop").exists()
    assert [row[5:] for row in pauses_of(connection)] == [(minutes(11), "until")]


def test_a_file_touched_and_removed_by_hand_is_a_pause_too(connection: Database, places: Places) -> None:
    places.paused.mkdir(parents=True)
    (places.paused / "every-clock").touch()
    host_watch.report_pauses(connection, places, "app1", datetime.now(UTC))
    [(clock, job, _, by, reason, resumed, _)] = pauses_of(connection)
    assert (clock, job, reason, resumed) == (None, None, "no reason was given", None)
    assert by == (places.paused / "every-clock").owner()
    (places.paused / "every-clock").unlink()
    host_watch.report_pauses(connection, places, "app1", datetime.now(UTC))
    assert pauses_of(connection)[0][5] is not None


def touched(path: Path) -> Path:
    path.touch()
    return path


# What a person may put there, and what the database then says: why, until when (minutes after noon), and by whom.
NO_REASON = "no reason was given"
HAND_MADE: dict[str, tuple[Callable[[Path], object], str, int | None]] = {
    "a folder": (lambda path: path.mkdir(), NO_REASON, None),
    "a folder with a file": (lambda path: (path / "more").mkdir(parents=True), NO_REASON, None),
    "a link to nothing": (lambda path: path.symlink_to("gone"), NO_REASON, None),
    "a link to itself": (lambda path: path.symlink_to(path), NO_REASON, None),
    "a link to a secret": (lambda path: path.symlink_to("/etc/passwd"), NO_REASON, None),
    "a pipe": (os.mkfifo, NO_REASON, None),
    "a reason as plain text": (lambda path: path.write_text("the disk is full\n\nAnna"), "the disk is full", None),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff"), NO_REASON, None),
    "NUL and escapes": (lambda path: path.write_text("a\0b\x1b[2J"), r"a\u0000b\u001b[2J", None),
    "huge": (lambda path: path.write_text("x" * 1_000_000), NO_REASON, None),
    "sparse": (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40), NO_REASON, None),
    "a long reason": (lambda path: path.write_text("x" * 5_000), "x" * 1_000, None),
    "a list": (lambda path: path.write_text("[1]"), NO_REASON, None),
    "too deep": (lambda path: path.write_text("[" * 60_000), "[" * 1_000, None),
    "only an end": (lambda path: path.write_text('{"until": "2026-11-24T12:30Z"}'), NO_REASON, 30),
    "an end without an offset": (lambda path: path.write_text('{"until": "2026-11-24T12:30"}'), NO_REASON, 30),
    "an end in words": (
        lambda path: path.write_text('{"reason": "a disk", "until": "noon"}'),
        "a disk (its until is not an instant: noon)",
        None,
    ),
    "an end for ever": (
        lambda path: path.write_text('{"until": "infinity"}'),
        f"{NO_REASON} (its until is not an instant: infinity)",
        None,
    ),
    "an object as the reason": (lambda path: path.write_text('{"reason": {"a": 1}}'), '{"a": 1}', None),
    "numbers": (lambda path: path.write_text('{"reason": 1, "paused_by": 2, "local_id": 3}'), "1", None),
    "a start in years": (lambda path: path.write_text('{"paused_at": "2126-01-01T00:00Z"}'), NO_REASON, None),
    "an old file": (lambda path: os.utime(touched(path), (0, 0)), NO_REASON, None),
    "of an unknown user": (lambda path: os.chown(touched(path), 54321, 54321), NO_REASON, None),
}


@pytest.mark.parametrize("kind", HAND_MADE)
def test_whatever_has_the_name_of_a_job_pauses_it_and_stops_nothing_else(
    connection: Database, places: Places, kind: str
) -> None:
    if kind == "of an unknown user" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    places.paused.mkdir(parents=True)
    make, reason, until = HAND_MADE[kind]
    make(places.paused / "shop.count")
    pause(places)
    for _ in range(2):
        host_watch.report_pauses(connection, places, "app1", minutes(5))
    found = connection.execute("SELECT job, reason, until, resumed_at FROM pause ORDER BY job").fetchall()
    assert found == [("count", reason, until and minutes(until), None), (None, "a disk", None, None)]
    assert systemd_blocks(places.paused, "shop", "count")


def systemd_blocks(paused: Path, clock: str, job: str) -> bool:
    """Ask systemd about the condition that the services have (units/clock-services.conf.j2)."""
    condition = f"ConditionPathExistsGlob=!{paused}/{{every-clock,{clock},{clock}.{job}}}"
    return subprocess.run(["systemd-analyze", "condition", condition], capture_output=True, check=False).returncode != 0


def test_the_name_of_a_file_says_what_it_pauses_not_its_contents(connection: Database, places: Places) -> None:
    pause(places, job="count")
    (places.paused / "other").write_text((places.paused / "shop.count").read_text())
    host_watch.report_pauses(connection, places, "app1", minutes(5))
    assert [row[:2] for row in pauses_of(connection)] == [("other", None), ("shop", "count")]


def test_a_pause_that_cannot_be_removed_goes_on_and_is_reported_once(
    connection: Database, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    pause(places, until=minutes(10))
    (places.paused / "Shop!").touch()
    (places.paused / "other").mkdir()
    (places.paused / "other/more").touch()
    entries = host_pauses.active(places, "app1")
    with pytest.raises(ConfigurationError, match=r"other can't be removed \(Directory not empty\), so .* stays paused"):
        host_pauses.end(places, entries[0], by="anna", at=minutes(7))
    for _ in range(2):
        host_watch.report_pauses(connection, places, "app1", minutes(11))
    assert caplog.messages == [f"{places.paused}/Shop!: it pauses nothing: no clock or job has this name"]
    assert [row[0] for row in pauses_of(connection) if row[5] is None] == ["other"]
    assert [path.name for path in host_watch.unrecorded(places)] == ["Shop!"]


def test_a_report_that_the_database_rejects_is_set_aside(connection: Database, places: Places) -> None:
    write_report(places, minutes(0), json.dumps({"jobs": [{"clock": "shop"}]}))
    write_report(places, minutes(10), jobs_json("count"), new_from=minutes(10))
    make_current(places, jobs_json("count"))
    host_watch.report_deployed(connection, places, "app1", minutes(60))
    assert reported(connection) == [("count", minutes(10), None)]
    assert [path.suffix for path in host_watch.unrecorded(places)] == [".refused"]


def test_a_second_pause_of_the_same_scope_keeps_the_first_ones_reason(places: Places) -> None:
    row = pause(places)
    assert not host_pauses.write(places, row)


def test_due_times_that_become_wrong_are_in_the_hosts_row_until_an_apply_mends_them(
    connection: Database, places: Places
) -> None:
    soon = json.loads(jobs_json("count"))
    soon["jobs"][0]["exact_until"] = "2027-12-31T23:00:00+00:00"
    make_current(places, json.dumps(soon))
    host_watch.report_deployed(connection, places, "app1", minutes(0))
    host_watch.check_due_times(connection, places, "app1", minutes(0))
    assert [host.problems for host in status.hosts(connection, minutes(0))] == [
        ["timers: exact only until 2027-12-31: shop/count"]
    ]
    view = StatusView(connection, None)
    assert "app1: timers: exact only until 2027-12-31: shop/count" in view.faults
    assert view.is_bad
    make_current(places, jobs_json("count"))
    host_watch.check_due_times(connection, places, "app1", minutes(1))
    assert [host.problems for host in status.hosts(connection, minutes(1))] == [[]]
