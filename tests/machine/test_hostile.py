"""A hostile project beside an honest job: after all faults every due slot is accounted for, and the honest job ran.

Once on this host's systemd with a system user for each clock, once on systemd 257 with dynamic users. Each fault of
faults.py is a job of hostile_tasks.py; PostgreSQL has the roles that docs/explanation/ledger.md recommends.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.machine.faults import Shown
from tests.machine.fleet import ETC, FOLDER, two_machines
from tests.machine.hostile_project import HOST, INTERVAL, JOBS, Hostile, configure, migrate, write_clocks
from tests.machine.hostile_tasks import SECRETS
from tests.machine.machine import rebooted
from tests.machine.test_stopped_timers import HELD
from tests.machine.waiting import wait_for
from tests.roots import debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("hostile")

OVERDUE_AFTER = timedelta(seconds=65)  # a slot without a row: its grace, a minute, and some slack
SOMETHING_BAD, FAULTY_INPUT, UNAVAILABLE = 3, 65, 75  # exit codes
PATIENCE = 600  # seconds for anything to happen; two minutes are usual
# For what does not depend on the version of systemd, nor on who the jobs' user is.
once = pytest.mark.parametrize("hostile", ["252"], indirect=True)


def ticks(hostile: Hostile) -> list[datetime]:
    """The honest job's slots that have a row; asserts that each which is accounted for by now has one."""
    rows = hostile.fleet.query("SELECT scheduled_at FROM task_run WHERE job = 'tick' ORDER BY scheduled_at")
    slots: list[datetime] = [at for (at,) in rows]
    [(until,)] = hostile.fleet.query("SELECT accounted_until FROM host WHERE name = %s", HOST)
    number = max(0, int((until - OVERDUE_AFTER - slots[0]).total_seconds() // INTERVAL))
    assert {slots[0] + timedelta(seconds=INTERVAL * slot) for slot in range(number)} - set(slots) == set()
    assert len(slots) == len(set(slots))
    return slots


@pytest.fixture(scope="module", params=["252", "257"])
def hostile(request: pytest.FixtureRequest) -> Iterator[Hostile]:
    """A machine on which all of it is due soon: with system users, or newer and with dynamic users."""
    has_users = request.param == "252"
    with two_machines(HOST, base=Path("/") if has_users else debian_13(), connections=120) as fleet:
        machine = fleet.machines[HOST]
        configure(fleet, machine, has_users=has_users)
        began = time.monotonic()
        write_clocks(fleet, machine, datetime.now(UTC) + timedelta(days=1), has_users=has_users)
        fleet.ask(HOST, "apply")
        ready = timedelta(seconds=2 * (time.monotonic() - began) + 10)
        due = write_clocks(fleet, machine, (datetime.now(UTC) + ready).replace(microsecond=0), has_users=has_users)
        assert fleet.ask(HOST, "apply")["changed"]
        assert datetime.now(UTC) < min(due.values())
        yield Hostile(fleet, due)


def test_the_watch_and_a_migration_do_not_wait_for_a_jobs_locks(hostile: Hostile) -> None:
    wait_for("the locks", lambda: hostile.effect("the locks are held"), seconds=PATIENCE)
    hostile.fleet.clocks(HOST, "watch")
    migrate(hostile.machine, hostile.fleet.url)
    hostile.fleet.query("INSERT INTO effect (what) VALUES ('the watch has looked at the locks')")


@pytest.mark.parametrize("name", JOBS)
def test_each_fault_has_its_one_row_with_what_happened(hostile: Hostile, name: str) -> None:
    fault = JOBS[name]

    def row() -> tuple[Any, ...] | None:
        rows = hostile.rows(name)
        return next((row for row in rows if row[:2] == (fault.status, fault.error_type)), None)

    try:
        wait_for(f"the row of {name}", row, seconds=PATIENCE)
    finally:
        journal = f"clock-{name.replace('/', '-')}.service"
        assert row() is not None, (hostile.rows(name), hostile.machine.journal(journal)[-5:])
    [(status, error_type, exit_code, message, slot, attempt, trigger)] = hostile.rows(name)
    assert (status, error_type) == (fault.status, fault.error_type)
    assert fault.message in message
    assert (slot, trigger) == (hostile.due[name], "timer")
    if error_type != "timeout":  # which on a busy machine may come before the claim
        assert (exit_code, attempt) == (fault.exit_code, 1)
    unit = f"clock-{name.replace('/', '-')}.service"
    is_failed = hostile.machine.run("systemctl", "is-failed", "--quiet", unit, check=False).returncode == 0
    assert is_failed == (fault.where is Shown.STATUS)
    if fault.where is Shown.DOCTOR:
        hostile.fleet.clocks(HOST, "watch")
        assert f"/{unit.removesuffix('.service')}/" in hostile.fleet.clocks(HOST, "doctor", check=False).stdout


def test_a_job_that_another_tries_to_kill_ends_well(hostile: Hostile) -> None:
    wait_for("the victim's end", lambda: hostile.rows("honest/victim"), seconds=PATIENCE)
    assert [row[:3] for row in hostile.rows("honest/victim")] == [("ended", None, 0)]


def test_no_secret_is_in_the_ledger_or_the_journal(hostile: Hostile) -> None:
    [row] = hostile.rows("hostile/secrets")
    journal = hostile.machine.run("journalctl", "--no-pager", "--output=export", "--all").stdout
    assert SECRETS
    assert "hunter2" not in row[3]
    assert "hunter2" not in journal


@once
def test_no_escape_reaches_the_terminal_of_an_operator(hostile: Hostile) -> None:
    for command in (("history", "hostile/escapes"), ("status",), ("status", "--bad"), ("doctor",)):
        shown = hostile.fleet.clocks(HOST, *command, check=False).stdout
        assert shown.isprintable() or not set(shown) & {"\x1b", "\x9b", "\x07"}, command
    assert "red" in hostile.fleet.clocks(HOST, "history", "hostile/escapes", check=False).stdout


def test_a_flood_keeps_its_one_end_line_in_the_journal(hostile: Hostile) -> None:
    def ends() -> list[str]:
        lines = hostile.machine.log_lines("clock-hostile-floods.service")
        return [line["status"] for line in lines if line.get("status") in {"ended", "failed"}]

    wait_for("the end line", ends)
    assert ends() == ["ended"]


def test_every_slot_of_the_honest_job_ended(hostile: Hostile) -> None:
    last = max(hostile.due.values())
    wait_for("the last slots", lambda: ticks(hostile)[-1] > last, seconds=PATIENCE)
    assert ticks(hostile)[0] < min(hostile.due.values())
    rows = hostile.rows("honest/tick")
    statuses = {row[:3] for row in rows}
    [(slowest,)] = hostile.fleet.query("SELECT max(ended_at - scheduled_at) FROM task_run WHERE job = 'tick'")
    if slowest > timedelta(seconds=INTERVAL):  # a machine so busy that a run holds up the next one
        statuses -= {("skipped", None, None), ("missed", None, None)}
    assert statuses == {("ended", None, 0)}
    [(effects,)] = hostile.fleet.query("SELECT count(*) FROM effect WHERE what = 'honest'")
    assert effects >= len([row for row in rows if row[0] == "ended"]) > 3


def test_every_watch_ended_well(hostile: Hostile) -> None:
    assert_the_watch_ends_well(hostile)
    messages = [str(entry["MESSAGE"]) for entry in hostile.machine.journal("clock-watch.service")]
    assert not [message for message in messages if "Traceback" in message or "Failed with result" in message]


def assert_the_watch_ends_well(hostile: Hostile) -> None:
    done = hostile.fleet.clocks(HOST, "watch", check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_status_shows_as_bad_exactly_the_jobs_that_went_wrong(hostile: Hostile) -> None:
    done = hostile.fleet.clocks(HOST, "status", "--bad", check=False)
    assert done.returncode != 0
    bad = {name for name, fault in JOBS.items() if fault.is_bad}
    shown = {name for name in (*JOBS, "honest/tick", "honest/victim") if name in done.stdout.split()}
    assert shown == bad, done.stdout


def test_every_instant_and_duration_in_the_ledger_is_possible(hostile: Hostile) -> None:
    impossible = hostile.fleet.query(
        "SELECT clock, job, scheduled_at, started_at, ended_at, duration, lag FROM task_run WHERE"
        " NOT isfinite(scheduled_at) OR NOT isfinite(started_at) OR NOT isfinite(ended_at)"
        " OR scheduled_at > clock_timestamp() OR duration < 0 OR ended_at < started_at"
    )
    assert impossible == []


@once
def test_odd_entries_among_the_pauses_stop_nothing(hostile: Hostile) -> None:
    paused = hostile.machine.root / f"{ETC}/paused".lstrip("/")
    (paused / "nosy.peeks").mkdir()
    (paused / "nosy.peeks/full").touch()
    (paused / "hostile.sticky").symlink_to("/nowhere")
    (paused / "hostile.forges").write_text("x")
    os.chown(paused / "hostile.forges", 424242, 424242)
    (paused / "hostile.litters").write_text('{"by": "anna", "reason": "counting", "until": "2030-01-01T00:00"}')
    (paused / "not a \x1b[31mname").touch()
    try:
        assert_the_watch_ends_well(hostile)
        done = hostile.fleet.clocks(HOST, "status", check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (SOMETHING_BAD, False), done.stderr
    finally:
        hostile.machine.run("sh", "-c", f"rm -r {ETC}/paused/nosy.peeks {ETC}/paused/hostile.* {ETC}/paused/not*")
    assert_the_watch_ends_well(hostile)


@once
def test_every_command_refuses_a_second_machine_of_the_name(hostile: Hostile) -> None:
    """The machine with another machine ID, for these commands only."""
    script = f"""
    tr -d - </proc/sys/kernel/random/uuid >/run/another-id
    mount --bind /run/another-id /etc/machine-id
    export SCHEDULED_TASKS_CONFIG={ETC}/config.toml CREDENTIALS_DIRECTORY={ETC}/credentials
    exec {FOLDER}/bin/clocks "$1"
    """
    for command in ("check", "apply", "doctor", "watch"):
        done = hostile.machine.run("unshare", "--mount", "sh", "-ec", script, "sh", command, check=False)
        assert done.returncode not in {0, 1}, command
        assert f"{HOST} belongs to another machine" in done.stdout + done.stderr, command
    assert_the_watch_ends_well(hostile)


@once
def test_a_watch_that_is_stopped_is_named_by_status(hostile: Hostile) -> None:
    machine = hostile.machine
    machine.run("systemctl", "stop", "clock-watch.timer")
    try:
        done = hostile.fleet.clocks(HOST, "status", check=False)
        assert "clock-watch.timer" in done.stdout + done.stderr
    finally:
        machine.run("systemctl", "start", "clock-watch.timer")


@once
def test_a_clock_file_that_ends_its_process_changes_nothing(hostile: Hostile) -> None:
    file = hostile.machine.root / f"{FOLDER}/fleet/clocks/quits.py".lstrip("/")
    file.write_text("import os\nos._exit(0)\n")
    try:
        for command in ("check", "apply", "list"):
            done = hostile.fleet.clocks(HOST, command, check=False)
            assert done.returncode == FAULTY_INPUT
            assert "quits" in done.stdout + done.stderr
    finally:
        file.unlink()


@once
def test_a_failed_attempt_is_kept_when_its_slot_runs_again(hostile: Hostile) -> None:
    at = f"{hostile.due['hostile/escapes']:%Y-%m-%dT%H:%M:%SZ}"
    assert hostile.fleet.clocks(HOST, "run", "hostile/escapes", "--at", at, "--wait", check=False).returncode == 1
    attempts = hostile.fleet.query(
        "SELECT attempt, status, trigger FROM past_attempt WHERE job = 'escapes'"
        " UNION ALL SELECT attempt, status, trigger FROM task_run WHERE job = 'escapes' ORDER BY attempt"
    )
    assert attempts == [(1, "failed", "timer"), (2, "failed", "manual")]


@once
def test_a_claim_that_waited_too_long_for_a_lock_never_comes_into_being(hostile: Hostile) -> None:
    """An administrator locks the ledger until a run has given up; what it asked for must not be done afterwards."""

    def gave_up() -> bool:
        lines = hostile.machine.log_lines("clock-honest-tick.service")
        return any(line.get("exit_code") == UNAVAILABLE and line.get("status") == "failed" for line in lines)

    with psycopg.connect(hostile.fleet.url) as connection:
        connection.execute("LOCK TABLE task_run IN ACCESS EXCLUSIVE MODE")
        # The run that gives up may have been due before the lock.
        [(since,)] = connection.execute("SELECT clock_timestamp() - interval '1 minute'").fetchall()
        wait_for("a run to give up", gave_up, seconds=PATIENCE)
        [(until,)] = connection.execute("SELECT clock_timestamp()").fetchall()

    def rows() -> list[tuple[Any, ...]]:
        return hostile.fleet.query(
            "SELECT status, error_type, attempt FROM task_run WHERE job = 'tick' AND scheduled_at BETWEEN %s AND %s"
            " AND status NOT IN ('skipped', 'missed')", since, until,
        )  # fmt: skip

    wait_for("its row", lambda: ("failed", "ServiceUnavailableError", 0) in rows(), seconds=PATIENCE)
    wait_for("a later run", lambda: hostile.rows("honest/tick")[-1][0] == "ended", seconds=PATIENCE)
    assert set(rows()) <= {("failed", "ServiceUnavailableError", 0), ("ended", None, 1)}
    assert_the_watch_ends_well(hostile)
    ticks(hostile)


# The last test: its machine is another one. test_stopped_timers.py cuts the power of both versions.
@once
def test_a_power_cut_with_the_timers_stopped_leaves_no_slot_without_a_row(hostile: Hostile) -> None:
    machine, timer = hostile.machine, "clock-honest-tick.timer"
    honest = machine.root / f"{FOLDER}/fleet/clocks/honest.py".lstrip("/")
    # Each slot of the old schedule is one of the new one as well.
    honest.write_text(honest.read_text().replace(f'second="*/{INTERVAL}"', f'second="*/{INTERVAL // 2}"'))
    (machine.root / "srv/held.py").write_text(HELD)
    clocks = (machine.root / f"{FOLDER}/bin/clocks".lstrip("/")).read_text()
    script = clocks.replace('-m scheduled_tasks.cli "$@"', f"/srv/held.py 2 {timer} >/dev/null 2>&1 &").replace(
        "exec ", ""
    )
    environment = [f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml", f"CREDENTIALS_DIRECTORY={ETC}/credentials"]
    machine.run("env", *environment, "sh", "-c", script)
    wait_for(
        "the window", lambda: machine.run("test", "-e", "/run/held", check=False).returncode == 0, seconds=PATIENCE
    )
    assert machine.run("systemctl", "is-active", timer, check=False).stdout.strip() == "inactive"
    [(cut,)] = hostile.fleet.query("SELECT clock_timestamp()")
    hostile.fleet.machines[HOST] = rebooted(machine)
    # The watch waits until a heartbeat from before the boot can be no other machine's: so long ago was this one.
    hostile.fleet.query("UPDATE host SET heartbeat_at = heartbeat_at - interval '10 minutes'")
    wait_for(
        "a later run",
        lambda: hostile.rows("honest/tick")[-1][4] > cut and hostile.rows("honest/tick")[-1][0] == "ended",
        seconds=PATIENCE,
    )

    def accounted() -> bool:
        hostile.fleet.clocks(HOST, "watch", check=False)
        [(until,)] = hostile.fleet.query("SELECT accounted_until FROM host WHERE name = %s", HOST)
        return bool(until > cut + OVERDUE_AFTER)

    wait_for("the account", accounted, seconds=PATIENCE)
    assert ticks(hostile)[-1] > cut
