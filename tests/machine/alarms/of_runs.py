"""Alarms of runs: each function raises one, and mends it by the commands in its row of the handbook's table."""

from __future__ import annotations

import pytest

from tests.documented import commands
from tests.machine.alarms.host import GONE, HOST, MODULE, TASKS, Host, another_database, end_line, incidents, slots_of
from tests.machine.handbook import placed
from tests.machine.waiting import wait_for


def a_failed_unit(host: Host, row: str) -> None:
    host.run("fails")
    assert host.shell("systemctl is-failed clock-alarms-fails.service").stdout == "failed\n"
    [log, _] = host.do(row, "fails")
    assert "the disk is full" in log
    assert host.shell("systemctl is-failed clock-alarms-fails.service", check=False).stdout == "inactive\n"


def exit_code_1(host: Host, row: str) -> None:
    code, lines = host.run("fails")
    assert (code, '"exception"' in end_line(lines)) == (1, True), lines
    host.shell('clocks features disable ALARM --reason "the disk is full"')
    code, lines = host.run("fails")
    assert (code, "is not active" in lines) == (0, True)
    host.shell("clocks features enable ALARM")


def exit_code_64(host: Host, row: str) -> None:
    host.write(MODULE, TASKS)
    assert host.run("goes")[0] == 64
    with pytest.raises(AssertionError, match="goes"):
        host.do(row)
    host.write(MODULE, TASKS + GONE)  # the previous release
    host.do(row)
    assert host.run("goes")[0] == 0


def likely_the_sandbox(host: Host, row: str) -> None:
    code, lines = host.run("writes")
    advice = "likely the sandbox, ProtectSystem=strict: write read_write_paths=['/srv']"
    assert (code, advice in end_line(lines)) == (1, True), lines
    [(_, error_type, reason, *_)] = host.rows("writes")
    assert (error_type, reason) == ("OSError", reason)
    assert advice in host.query("SELECT error_message FROM task_run WHERE job = 'writes'")[0][0]


def no_space_left(host: Host, row: str) -> None:
    host.shell("mount -t tmpfs -o size=64k,mode=1777 tmpfs /srv/full")
    code, lines = host.run("fills")
    assert (code, "No space left on device" in end_line(lines)) == (1, True), lines
    host.shell("umount /srv/full")
    host.do(row, "fills")
    assert host.rows("fills")[0][0] == "ended"


def exit_code_69(host: Host, row: str) -> None:
    code, lines = host.run("again")
    assert (code, lines.count("the disk is full") > 1) == (69, True)


def exit_code_75(host: Host, row: str) -> None:
    slot = slots_of(host, "daily")[0]
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        assert host.run("daily", f"--at {slot}")[0] == 75
    host.do(row, "daily", FROM=slot, TO=slot)
    assert host.rows("daily")[0][0] == "ended"


def exit_code_78(host: Host, row: str) -> None:
    slot = slots_of(host, "daily")[0]
    host.query("CREATE DATABASE fresh")
    with another_database(host, ""):
        assert host.run("daily", f"--at {slot}")[0] == 78
        host.do(row)
        assert host.run("daily", f"--at {slot}")[0] == 0


def exit_code_143(host: Host, row: str) -> None:
    code, _ = host.run("slow")
    assert code != 0
    assert "stopped by SIGTERM" in host.do(row, "slow")[0]
    wait_for("the recorded failure", lambda: host.rows("slow")[0][1] == "timeout")
    host.deploy(seconds=2, timeout=10)
    assert host.run("slow")[0] == 0


def exit_code_137(host: Host, row: str) -> None:
    assert host.run("greedy")[0] != 0
    # Without unified cgroups the kernel does not report the reason to systemd.
    wait_for("the recorded failure", lambda: host.rows("greedy")[0][1] in {"oom-kill", "signal"})
    [edit] = [command for command in commands("how-to/operate.md", "machine") if "edit" in command]
    host.shell(placed(edit, "alarms", "greedy"))
    assert host.run("greedy")[0] == 0


def another_exit_code(host: Host, row: str) -> None:
    assert host.run("command")[0] == 5


def signal_or_exec(host: Host, row: str) -> None:
    host.run("leaves")
    wait_for("the row's end", lambda: host.rows("leaves")[0][0] == "failed")
    shown, status = host.do(row, "leaves", RUN=host.rows("leaves")[0][3])
    assert "its process exited with code 3" in shown
    assert "clock-alarms-leaves.service" in status


def missed(host: Host, row: str) -> None:
    # It was due for two days, and its host was down.
    host.query("UPDATE deployed_job SET valid_from = now() - interval '2 days' WHERE job = 'daily'")
    heartbeats = "heartbeat_at = now(), heartbeats_since = now() - interval '1 hour'"  # its watch runs again
    host.query(f"UPDATE host SET accounted_until = now() - interval '2 days', {heartbeats}")
    host.shell("clocks watch")
    slots = [at for status, _, _, _, at in host.rows("daily") if status == "missed"]
    assert slots
    host.do(row, "daily", FROM=f"{min(slots):%Y-%m-%dT%H:%MZ}", TO=f"{max(slots):%Y-%m-%dT%H:%MZ}")
    assert "missed" not in [status for status, *_ in host.rows("daily")]


def lost(host: Host, row: str) -> None:
    slot = slots_of(host, "lasts")[0]
    host.write("/srv/stay", "")
    host.shell(f"clocks run alarms/lasts --at {slot}")
    wait_for("its row", lambda: host.rows("lasts"))
    # What a reboot leaves: a row of this host by an invocation that systemd doesn't know as running.
    host.query("UPDATE task_run SET invocation_id = gen_random_uuid() WHERE job = 'lasts'")
    host.shell("clocks reconcile")
    assert host.rows("lasts")[0][0] == "lost"
    host.shell("systemctl kill --signal=SIGKILL clock-alarms-lasts.service; rm /srv/stay")
    idle = "systemctl is-active clock-alarms-lasts.service clock-failed@clock-alarms-lasts.service"
    wait_for("its end", lambda: "activ" not in host.shell(idle, check=False).stdout.replace("inactive", ""))
    host.do(row, "lasts", SLOT=slot)
    wait_for("the slot's run", lambda: host.rows("lasts")[0][0] == "ended")


def a_timers_run(host: Host, job: str, *, days: int = 0) -> None:
    """Insert a run of a second that its timer started three hours late, and so many days."""
    host.query(
        "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at,"
        " ended_at, duration, lag) SELECT gen_random_uuid(), 'alarms.takes', 'alarms', %s,"
        " date_trunc('hour', now()) - interval '3 hours' - %s * interval '1 day', '', %s, 'timer', 'ended',"
        " now(), now(), 1, 10800",
        job, days, HOST,
    )  # fmt: skip


def started_late(host: Host, row: str) -> None:
    a_timers_run(host, "late")
    assert ("late", "late") in incidents(host)
    assert "late" in host.do(row, "late")[0]


def takes_longer(host: Host, row: str) -> None:
    host.write("/srv/stay", "")
    host.shell(f"clocks run alarms/lasts --at {slots_of(host, 'lasts')[0]}")
    wait_for("its row", lambda: host.rows("lasts") and host.rows("lasts")[0][0] == "started")
    host.query("UPDATE task_run SET trigger = 'timer' WHERE job = 'lasts' AND status = 'started'")
    host.query("UPDATE deployed_job SET options = options || '{\"expected_duration\": 0.1}' WHERE job = 'lasts'")
    assert ("slow", "lasts") in incidents(host)
    host.do(row, "lasts")
    wait_for("its end", lambda: host.rows("lasts")[0][0] == "failed")
    assert ("slow", "lasts") not in incidents(host)
    host.shell("rm /srv/stay")


def ended_sooner(host: Host, row: str) -> None:
    a_timers_run(host, "daily", days=10)  # a slot of no other alarm
    host.query("UPDATE deployed_job SET options = options || '{\"expected_at_least\": 3600}' WHERE job = 'daily'")
    assert ("short", "daily") in incidents(host)
    host.do(row, "daily", RUN=host.rows("daily")[0][3])
    host.query("UPDATE deployed_job SET options = options - 'expected_at_least' WHERE job = 'daily'")
    assert ("short", "daily") not in incidents(host)


def skipped_paused(host: Host, row: str) -> None:
    host.deploy(seconds=0, timeout=60)  # on a busy machine even a run that is skipped takes two seconds
    host.shell('clocks pause alarms/slow --reason "counting"')
    host.shell("systemctl start --wait clock-alarms-slow.service")
    assert host.rows("slow")[0][0] == "skipped"
    assert "counting" in host.rows("slow")[0][2]
    host.do(row, "slow")
    host.run("slow")
    assert host.rows("slow")[0][0] != "skipped"


def skipped_feature(host: Host, row: str) -> None:
    host.shell('clocks features disable ALARM --reason "counting"')
    host.run("fails")
    assert host.rows("fails")[0][2] == "feature ALARM is not active"
    assert "root" in host.do(row)[0]
    host.shell("clocks features enable ALARM")


def skipped_late(host: Host, row: str) -> None:
    host.shell("touch --date='3 days ago' /var/lib/systemd/timers/stamp-clock-alarms-late.timer")
    host.shell("systemctl restart clock-alarms-late.timer")
    wait_for("its row", lambda: host.rows("late"))
    wait_for("its reason", lambda: "it may start at most 60 s late" in host.rows("late")[0][2])
    assert host.rows("late")[0][0] == "skipped"
