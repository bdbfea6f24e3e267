"""What the steps of the fleet's life ask the hosts and the database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg

from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from tests.machine.controller import Controller
    from tests.machine.machine import Machine
    from tests.machine.postgresql import Database

RECOUNT = "clock-nightly-recount.service"
NIGHTLY = ["clock-nightly-recount.timer", "clock-nightly-remind.timer"]
# The clocks' hours, and the one to change to: such that nothing falls due of itself while the tests run.
FIRST, SECOND, OTHER = (3, 4, 5) if 6 <= datetime.now(ZoneInfo("Europe/Paris")).hour < 22 else (13, 14, 15)
STAY = "srv/stay"  # while it is there, a run of recount goes on
STATIC_USER: dict[str, object] = {"scheduled_tasks_user": "shop"}  # of app2; on app1 each job has a user of its own
SETTING = '{"scheduled_tasks_settings": {"x": "%s"}}'
DEPLOYED = {
    "/opt/scheduled-tasks": "755 root root",
    "/opt/scheduled-tasks/releases": "755 root root",
    "/etc/scheduled-tasks": "755 root root",
    "/etc/scheduled-tasks/config.toml": "644 root root",
    "/etc/scheduled-tasks/credentials": "700 root root",
    "/etc/scheduled-tasks/credentials/current": "700 root root",
    "/etc/scheduled-tasks/credentials/current/database_url": "600 root root",
    "/etc/scheduled-tasks/credentials/current/operators_database_url": "600 root root",
    "/usr/local/bin/clocks": "755 root root",
    "/usr/local/bin/run-task": "755 root root",
    "/usr/local/share/man/man1/clocks.1": "644 root root",
    "/usr/local/share/man/man1/run-task.1": "644 root root",
    "/usr/local/share/bash-completion/completions/clocks": "644 root root",
    "/usr/local/share/zsh/site-functions/_clocks": "644 root root",
    "/usr/local/share/fish/vendor_completions.d/clocks.fish": "644 root root",
}


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.administrator) as connection:
        return connection.execute(sql.encode()).fetchall()


def timers(machine: Machine) -> list[str]:
    listed = machine.run("systemctl", "list-timers", "--no-legend", "--plain", "--no-pager", "clock-*").stdout
    return sorted(word for line in listed.splitlines() for word in line.split() if word.endswith(".timer"))


def state(machine: Machine) -> str:
    """What is current on a host: code, configuration, credentials, units, when each job is due, and the journal."""
    opt, etc = "/opt/scheduled-tasks", "/etc/scheduled-tasks"
    links = f"readlink {opt}/current {etc}/config.toml {etc}/units/current"
    shown = "systemctl show 'clock-*-*.timer' --property=Id,ActiveState,NeedDaemonReload,NextElapseUSecRealtime"
    drop_in = f"cat {etc}/units/current/clock-.service.d/10-every-job.conf"
    secrets = f"cd {etc}/credentials/current && sha256sum *"
    journal = "systemctl show systemd-journald --property=MainPID; ls /etc/systemd/journald.conf.d || true"
    return machine.run("sh", "-ec", f"{links}; {drop_in}; {shown}; {journal}; {secrets}").stdout


def version_run(machine: Machine) -> str:
    """The project's version in a run that starts now."""
    machine.run("systemctl", "start", "--wait", RECOUNT)
    return [str(line["version"]) for line in machine.log_lines(RECOUNT) if "version" in line][-1]


def set_version(fleet: Controller, version: int) -> None:
    fleet.write("shop/version.py", f'VERSION = "{version}"\n')


def wait_for_the_end(machine: Machine) -> None:
    """Wait until the job that `STAY` keeps running has ended."""
    wait_for("the job's end", lambda: machine.run("systemctl", "is-active", RECOUNT, check=False).returncode)
