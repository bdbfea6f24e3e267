"""Files that runs and power cuts leave on disk: readable ones are recorded, unreadable ones don't block the others."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks import files
from scheduled_tasks.operate import host_watch
from scheduled_tasks.operate.pending.spooled_results import MAX_BYTES, MAX_FILES
from scheduled_tasks.operate.pending.stuck_files import stuck
from scheduled_tasks.operate.reconcile import Reconciled, reconcile
from scheduled_tasks.render.names import Places
from tests.integration.operate.reconciled import names, rows
from tests.integration.operate.shop import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = {
    "clock": "shop", "job": "work", "task": "shop.work", "run_id": "11111111-1111-4111-8111-111111111111",
    "scheduled_at": "2026-11-24T06:00:00+00:00", "slot_host": "", "trigger": "timer", "status": "failed",
    "started_at": "2026-11-24T06:00:01+00:00", "attempt": 0, "release": None,
    "invocation_id": "22222222-2222-4222-8222-222222222222", "lag": 1.0, "duration": 0.5, "exit_code": 75,
    "error_type": "ServiceUnavailableError", "error_message": "PostgreSQL was away", "reason": None,
    "memory_peak": None, "cpu_seconds": 0.1, "is_open": False,
}  # fmt: skip


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in RUN.items() if name != key}


def written(path: Path) -> Path:
    path.write_text(json.dumps(RUN))
    return path


# A job writes the file, and a power cut may empty it.
UNREADABLE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "not JSON": lambda path: path.write_text("{"),
    "not text": lambda path: path.write_bytes(b"\xff\xfe"),
    "null": lambda path: path.write_text("null"),
    "a list": lambda path: path.write_text(json.dumps([RUN])),
    "too deep": lambda path: path.write_text("[" * 100_000),
    "too large": lambda path: path.write_text(json.dumps(RUN | {"error_message": "x" * MAX_BYTES})),
    "another job's": lambda path: path.write_text(json.dumps(RUN | {"job": "other"})),
    "no job": lambda path: path.write_text(json.dumps(without("job"))),
    "no run": lambda path: path.write_text(json.dumps(without("run_id"))),
    "an unknown status": lambda path: path.write_text(json.dumps(RUN | {"status": "eaten"})),
    "a text instead of a number": lambda path: path.write_text(json.dumps(RUN | {"duration": "long"})),
    "an object instead of a number": lambda path: path.write_text(json.dumps(RUN | {"exit_code": {"a": 1}})),
    "not a number": lambda path: path.write_text(json.dumps(RUN | {"duration": float("nan")})),
    "too large a number": lambda path: path.write_text(json.dumps(RUN | {"exit_code": 10**30})),
    "a NUL, which PostgreSQL rejects": lambda path: path.write_text(json.dumps(RUN | {"error_message": "\0"})),
    "infinity": lambda path: path.write_text(json.dumps(RUN | {"scheduled_at": "infinity"})),
    "a slot of another host": lambda path: path.write_text(json.dumps(RUN | {"slot_host": "app2"})),
    "a slot in years": lambda path: path.write_text(json.dumps(RUN | {"scheduled_at": "2131-01-01T00:00:00+00:00"})),
    "an end in years": lambda path: path.write_text(json.dumps(RUN | {"duration": 9e9})),
    "a negative duration": lambda path: path.write_text(json.dumps(RUN | {"duration": -0.8})),
    "a slot that is missed": lambda path: path.write_text(json.dumps(RUN | {"status": "missed"})),
    "a name of 300 characters": lambda path: path.write_text(json.dumps(RUN | {"task": "x" * 300})),
    "an instant without an offset": lambda path: path.write_text(json.dumps(RUN | {"started_at": "2026-11-24T06:00"})),
    "a lone surrogate": lambda path: path.write_text(json.dumps(RUN | {"reason": "\ud800"})),
    "a number of 5,000 digits": lambda path: path.write_text(json.dumps(RUN)[:-1] + ', "lag": ' + "9" * 5_000 + "}"),
    "sparse": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
    "a hard link": lambda path: path.hardlink_to(written(path.parents[2] / "passwd")),
    "another user's": lambda path: os.chown(written(path), 1234, 1234),
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_result_is_quarantined_and_the_others_are_recorded(
    connection: Database, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "another user's" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    folder = tmp_path / "results/clock-shop-work"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    UNREADABLE[kind](folder / "a.json")
    (folder / "b.json").write_text(json.dumps(RUN))
    assert reconcile(connection, tmp_path, host="app1") == Reconciled(results=1)
    assert rows(connection) == [("work", "failed", 0, 75, "app1")]
    assert names(folder) == ["a.refused"]
    assert "a.json is unreadable" in caplog.text
    caplog.clear()
    assert reconcile(connection, tmp_path, host="app1") == Reconciled()
    assert caplog.text == ""


def result(path: Path, **values: object) -> Path:
    """Write the result of another run, for a slot of its own."""
    number = int(path.stem)
    slot = f"2026-11-{1 + number // 24:02}T{number % 24:02}:00:00+00:00"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(RUN | {"run_id": str(uuid.uuid4()), "scheduled_at": slot} | values))
    return path


RECONCILE = """
import sys
from pathlib import Path
from scheduled_tasks.operate.reconcile import reconcile
from scheduled_tasks.run.database import connect
with connect(sys.argv[1], name="watch") as connection:
    print(reconcile(connection, Path(sys.argv[2]), host="app1").results)
"""


def reconcile_as_the_watch_does(url: str, state: Path) -> tuple[int, str]:
    """Reconcile as root without any capability but the watch's; return how many results were recorded, and the log."""
    confined = ["setpriv", "--bounding-set=-all,+dac_override", "--inh-caps=-all"]
    done = subprocess.run(
        [*confined, sys.executable, "-c", RECONCILE, url, str(state)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout), done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, and util-linux")
def test_a_result_in_a_sticky_folder_is_recorded_once_and_reported_once(
    connection: Database, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "results/clock-shop-work"
    paths = [result(folder / "1.json"), result(folder / "2.json")]
    paths[1].write_text("[]")
    result(tmp_path / "results/clock-shop-other/3.json", job="other")
    for path in (folder, *paths):
        os.chown(path, 1234, 1234)
    folder.chmod(0o1755)
    recorded, log = reconcile_as_the_watch_does(database_url, tmp_path)
    assert recorded == 2
    unreadable = "it is unreadable (ValueError: the folder belongs to another job), and can't be renamed to *.refused"
    assert log.splitlines() == [
        f"{paths[0]}: it is recorded, and can't be removed: Operation not permitted",
        f"{paths[1]}: {unreadable}: Operation not permitted",
    ]
    assert sorted(row[0] for row in rows(connection)) == ["other", "work"]
    assert sorted(stuck(tmp_path)) == paths
    connection.execute("DELETE FROM task_run")  # pruned: the file must not bring the row back
    assert reconcile_as_the_watch_does(database_url, tmp_path) == (0, "")
    assert rows(connection) == []
    folder.chmod(0o755)
    assert reconcile_as_the_watch_does(database_url, tmp_path)[0] == 0
    assert stuck(tmp_path) == {}
    assert names(folder) == ["2.refused"]


def test_a_result_with_a_lease_waits_and_the_others_are_recorded(
    connection: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks for the lease back
    path = result(tmp_path / "results/clock-shop-work/1.json")
    result(tmp_path / "results/clock-shop-work/2.json")
    try:
        with path.open("r+") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            for expected in (1, 0):
                assert reconcile(connection, tmp_path, host="app1").results == expected
            assert stuck(tmp_path) == {path: "it can't be read: Resource temporarily unavailable"}
            assert caplog.messages == [f"{path}: it can't be read: Resource temporarily unavailable"]
    finally:
        signal.signal(signal.SIGIO, before)
    assert reconcile(connection, tmp_path, host="app1").results == 1
    assert stuck(tmp_path) == {}


def test_a_job_that_floods_its_folder_holds_up_no_other(connection: Database, tmp_path: Path) -> None:
    flood = tmp_path / "results/clock-a-flood"
    for number in range(MAX_FILES + 50):
        result(flood / f"{number}.json", clock="a", job="flood")
    result(tmp_path / "results/clock-shop-work/1.json")
    assert reconcile(connection, tmp_path, host="app1").results == MAX_FILES + 1
    assert stuck(tmp_path) == {flood: f"it has many results: at most {MAX_FILES} are recorded at once"}
    assert reconcile(connection, tmp_path, host="app1").results == 50
    assert stuck(tmp_path) == {}


def test_a_name_with_newlines_and_escapes_is_logged_on_one_line_without_them(
    connection: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "results/clock-shop-work"
    folder.mkdir(parents=True)
    (folder / "a\n\x1b[2J\udcff.json").touch()
    reconcile(connection, tmp_path, host="app1")
    [message] = caplog.messages
    assert message.startswith(f"{folder}/a\\n\\u001b[2J\\udcff.json is unreadable")


def test_entries_that_are_no_jobs_folders_are_left_alone(connection: Database, tmp_path: Path) -> None:
    results = tmp_path / "results"
    result(results / "clock-shop-work/1.json")
    result(results / "elsewhere/1.json")
    (results / "clock-shop-file").touch()
    (results / "clock-shop-dangling").symlink_to(tmp_path / "gone")
    (results / "clock-shop-loop").symlink_to(results / "clock-shop-loop")
    assert reconcile(connection, tmp_path, host="app1").results == 1
    assert len(names(results)) == 5


def test_quarantined_files_are_found_even_behind_the_link_of_a_dynamic_user(
    connection: Database, tmp_path: Path
) -> None:
    places = Places(tmp_path)
    private = places.private_state / "results/clock-shop-work"  # as with DynamicUser=
    private.mkdir(parents=True)
    link = places.state / "results/clock-shop-work"
    link.parent.mkdir(parents=True)
    link.symlink_to(private)
    (link / "a.json").touch()
    assert host_watch.unrecorded(places) == {}
    reconcile(connection, places.state, host="app1")
    assert host_watch.unrecorded(places) == {link / "a.refused": "it could not be recorded in the ledger"}


def test_unreadable_reports_of_applies_and_pauses_do_not_stop_the_watch(connection: Database, tmp_path: Path) -> None:
    places, now = Places(tmp_path), datetime(2026, 11, 24, 12, tzinfo=UTC)
    places.reports.mkdir(parents=True)
    for name in ("00000000000000000001-jobs.json", "00000000000000000002-pause.json"):
        (places.reports / name).touch()
    host_watch.report_deployed(connection, places, "app1", now)
    host_watch.report_pauses(connection, places, "app1", now)
    assert names(places.reports) == [
        "00000000000000000001-jobs.refused",
        "00000000000000000002-pause.refused",
    ]


def test_a_crash_safe_write_replaces_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    for text in ("one", "two"):
        files.write(path, text, mode=0o644)
        assert files.read(path, str) == text
    assert names(tmp_path) == ["shop.json"]
    assert path.stat().st_mode & 0o777 == 0o644
