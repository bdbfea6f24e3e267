"""Alarms of hosts and deployments: each function raises one, and mends it by the commands in its row of the table."""

from __future__ import annotations

import json

import pytest

from tests.machine.alarms.host import HOST, HOUR, Host, another_database, incidents, slots_of
from tests.machine.fleet import ETC
from tests.machine.waiting import wait_for


def postgresql_unreachable(host: Host, row: str) -> None:
    host.run("leaves")  # a failure that systemd knows
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        away = host.shell("clocks status", check=False)
        assert (away.returncode, "PostgreSQL is unreachable" in away.stderr) == (75, True), away
        listed = {line.split()[0]: line for line in away.stdout.splitlines() if line.startswith("alarms/")}
        assert "failed: exit-code 3" in listed["alarms/leaves"]
        assert "not run since the boot" in listed["alarms/late"]
        assert listed["alarms/daily"].endswith("Z")  # its next run
        assert "missing without PostgreSQL: results in the ledger" in away.stdout
        answer = json.loads(host.shell("clocks status alarms --json", check=False).stdout)
        assert (answer["healthy"], "unreachable" in answer["error"]["message"]) == (False, True)
        assert {job["job"] for job in answer["jobs_here"] if job["bad"]} >= {"leaves"}
    host.do(row)


def the_failure_service_failed(host: Host, row: str) -> None:
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        host.run("command")
        service = "clock-failed@clock-alarms-command.service"
        wait_for("its failure", lambda: host.shell(f"systemctl is-failed {service}", check=False).returncode == 0)
    host.do(row)
    assert host.shell(f"systemctl is-failed {service}", check=False).returncode != 0


def a_notice_is_not_sent(host: Host, row: str) -> None:
    configuration = host.shell(f"cat {ETC}/config.toml").stdout
    route = '[notify.routes.ops]\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\n'
    host.write(f"{ETC}/config.toml", f"{configuration}\n{route}")
    host.shell("clocks apply")
    host.query(
        "WITH open AS (INSERT INTO incident (kind, host, opened_at, first_at, last_at) VALUES ('silent', 'app9', now(),"
        " now(), now()) RETURNING id) INSERT INTO notice (incident, what, created_at, due_at)"
        " SELECT id, 'opened', now() - interval '10 minutes', now() - interval '10 minutes' FROM open"
    )
    try:
        assert ("unsent", None) in incidents(host)
        [shown, _, tested] = host.do(row)
        assert "notices" in shown
        assert "ops (webhook): not sent" in tested
    finally:
        host.write(f"{ETC}/config.toml", configuration)
        host.shell("clocks apply")
        host.query("DELETE FROM incident")


def a_deploy_failed(host: Host, row: str) -> None:
    before = host.shell("readlink /etc/scheduled-tasks/units/current").stdout
    with pytest.raises(AssertionError, match="hour"):
        host.deploy(hour=25)
    assert host.shell("readlink /etc/scheduled-tasks/units/current").stdout == before
    with pytest.raises(AssertionError, match="hour"):
        host.do(row)
    host.deploy()


def a_credential_to_rotate(host: Host, row: str) -> None:
    host.query("CREATE ROLE second LOGIN SUPERUSER")
    with another_database(host, host.fleet.url.replace("//postgres@", "//second@")):
        assert host.run("daily", f"--at {slots_of(host, 'daily')[0]}")[0] == 0
    host.query("DROP ROLE second")


def no_watch(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")
    assert "the watch of this host" in host.shell("clocks status", check=False).stderr
    assert "clock-watch.timer is inactive" in host.do(row)[0]
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")
    assert "the watch of this host" not in host.shell("clocks status", check=False).stderr


def a_host_is_gone(host: Host, row: str) -> None:
    host.query("INSERT INTO host (name, heartbeat_at) VALUES ('app9', now() - interval '1 day')")
    host.query(
        "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
        " SELECT 'app9', clock, job, task, schedule, options, now() FROM deployed_job"
        " WHERE job = 'daily' AND valid_until IS NULL"
    )
    assert "no heartbeat from app9" in host.shell("clocks status --bad", check=False).stdout
    assert "forgot app9" in host.do(row, HOST="app9")[0]
    assert "app9" not in host.shell("clocks status --bad", check=False).stdout


def another_machine(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")  # it would run the watch within a minute
    host.query("UPDATE host SET machine_id = gen_random_uuid(), heartbeat_at = now() - interval '1 hour'")
    refused = host.shell("clocks watch", check=False)
    assert (refused.returncode, "belongs to another machine" in refused.stderr) == (78, True), refused
    host.do(row, HOST=HOST)
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")


def no_heartbeat(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")  # it would run the watch within a minute
    host.query("UPDATE host SET heartbeat_at = now() - interval '10 minutes'")
    status = host.shell("clocks status --bad", check=False)
    assert (status.returncode, "no heartbeat from" in status.stdout) == (3, True)
    assert "inactive (dead)" in host.do(row)[0]
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")
    assert "no heartbeat from" not in host.shell("clocks status --bad", check=False).stdout


def nothing_at_its_time(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-alarms.target clock-alarms-daily.timer")
    doctor, _ = host.do(row)
    assert "clock-alarms-daily.timer: not started" in doctor
    assert host.shell("systemctl is-active clock-alarms-daily.timer").stdout == "active\n"


def an_interrupted_apply(host: Host, row: str) -> None:
    record = '{"timers": {}, "pending": []}'
    host.shell("systemctl stop clock-watch.timer clock-watch.service")  # it would finish the apply first
    host.shell(f"mkdir -p /run/scheduled-tasks; echo '{record}' >/run/scheduled-tasks/stopped-timers.json")
    assert "an apply did not finish" in host.shell("clocks doctor", check=False).stdout
    host.do(row)
    host.shell("systemctl start clock-watch.timer")
    assert "an apply did not finish" not in host.shell("clocks doctor", check=False).stdout


def a_bad_release(host: Host, row: str) -> None:
    timer = "systemctl cat clock-alarms-daily.timer | grep OnCalendar"
    before = host.shell(timer).stdout
    host.deploy(hour=(HOUR + 1) % 24)
    assert host.shell(timer).stdout != before
    host.do(row)
    assert host.shell(timer).stdout == before
