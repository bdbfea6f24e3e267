"""Every finding of `clocks doctor`, caused on a booted machine and mended by the command that it prints."""

from __future__ import annotations

import json
import re

import pytest

from tests.machine.project import FAR_HOUR, FOLDER, LATER_HOUR, SmallProject, at
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("doctor")

UNITS = "/etc/systemd/system"
SET = "/etc/scheduled-tasks/units/current"
# Removes all that these tests can leave behind, even if they failed.
WIPE = f"""
systemctl stop 'clock-*.timer' 'clock-*.target' 'clock-*.service'
rm -rf {UNITS}/clock-* {UNITS}/clock.slice {UNITS}/timers.target.wants/clock-* /run/systemd/system/clock-* \\
    /etc/scheduled-tasks /run/scheduled-tasks /var/lib/systemd/timers/stamp-clock-*
systemctl daemon-reload
systemctl reset-failed
"""


@pytest.fixture(autouse=True)
def deployed(project: SmallProject) -> None:
    """A healthy deployment."""
    project.machine.run("sh", "-c", WIPE)
    project.write(one={"kept": (f"hour={FAR_HOUR}", True), "plain": (f"hour={LATER_HOUR}", False)})
    project.apply()
    assert findings(project) == {}


def findings(project: SmallProject, prefix: str = "") -> dict[str, tuple[str, str]]:
    """The findings about units, or those whose place begins with a prefix: where → (problem, command or advice)."""
    done = project.clocks("doctor", "--json", check=False)
    reported = json.loads(done.stdout)
    assert done.returncode == (3 if reported else 0), done
    return {
        finding["where"].rpartition("/")[2]: (finding["problem"], finding["mend"] or finding["advice"])
        for finding in reported
        if (
            finding["where"].startswith(prefix)
            if prefix
            else "clock-" in finding["where"] or finding["where"] == "units"
        )
    }


def shell(project: SmallProject, command: str) -> None:
    project.machine.run("sh", "-exc", command)


def repair(project: SmallProject, where: str) -> None:
    """Run the command of a finding, without its advice, and see the finding gone."""
    _, command = findings(project)[where]
    if command == "clocks apply":
        project.apply()
    else:
        shell(project, command)
    assert where not in findings(project)


def test_differences_between_the_set_and_the_machine_are_found(project: SmallProject) -> None:
    shell(
        project,
        f"rm {UNITS}/clock-one-kept.service; systemctl stop clock-one-plain.timer; touch -d 2030-01-01 {SET}/*.timer",
    )
    assert findings(project) == {
        "clock-one-kept.service": ("the link to it is missing", "clocks apply"),
        "clock-one-plain.timer": ("not started: its jobs do not run", "systemctl start clock-one-plain.timer"),
        "units": ("systemd has not loaded the current units", "clocks apply"),
    }
    repair(project, "clock-one-plain.timer")
    repair(project, "units")
    assert findings(project) == {}


def test_a_unit_edited_by_hand_is_found(project: SmallProject) -> None:
    shell(project, f"echo '# mine' >>{SET}/clock-one-kept.timer; systemctl daemon-reload")
    [(where, (problem, mend))] = findings(project).items()
    assert (where, problem) == ("clock-one-kept.timer", "edited by hand")
    assert mend.startswith("put your lines into a drop-in (systemctl edit), then move /etc/scheduled-tasks/units/")


def test_a_killed_apply_is_found(project: SmallProject) -> None:
    shell(project, """echo '{"timers": {}, "pending": []}' >/run/scheduled-tasks/stopped-timers.json""")
    assert findings(project) == {"units": ("an apply did not finish", "clocks apply")}
    repair(project, "units")


def test_links_units_and_stamps_of_removed_timers_are_found(project: SmallProject) -> None:
    shell(
        project,
        f"ln -s {SET}/clock-two.target {UNITS}/; touch /var/lib/systemd/timers/stamp-clock-two-old.timer\n"
        f"cp {SET}/clock-one-plain.timer /run/systemd/system/clock-two-old.timer\n"
        f"cp {SET}/clock-one-plain.service /run/systemd/system/clock-two-old.service\n"
        "systemctl start clock-two-old.timer; rm /run/systemd/system/clock-two-old.*; systemctl daemon-reload",
    )
    assert findings(project) == {
        "clock-two.target": ("a link to a unit that no longer exists", "clocks apply"),
        "clock-two-old.timer": (
            "its file was removed while it was active",
            "systemctl reset-failed clock-two-old.timer",
        ),
        "stamp-clock-two-old.timer": (
            "the stamp of a timer that no kept set contains",
            "rm /var/lib/systemd/timers/stamp-clock-two-old.timer",
        ),
    }
    for where in ("clock-two.target", "clock-two-old.timer", "stamp-clock-two-old.timer"):
        repair(project, where)


def test_an_unreadable_failure_note_is_found(project: SmallProject) -> None:
    folder = "/var/lib/scheduled-tasks/failed"
    note = f"{folder}/clock-one-kept.service.1.refused"
    shell(project, f"mkdir -p {folder}; touch {note}")
    assert findings(project)[note.rpartition("/")[2]] == (
        "it could not be recorded in the ledger", f"rm {note}",
    )  # fmt: skip
    repair(project, note.rpartition("/")[2])


def test_a_masked_timer_is_found(project: SmallProject) -> None:
    shell(project, f"ln -sf /dev/null {UNITS}/clock-one-kept.timer; systemctl daemon-reload")
    assert findings(project)["clock-one-kept.timer"] == (
        "masked", "systemctl unmask clock-one-kept.timer; clocks apply",
    )  # fmt: skip
    shell(project, "systemctl unmask clock-one-kept.timer")
    project.apply()
    assert findings(project) == {}


def test_a_failed_job_and_a_failed_timer_are_found(project: SmallProject) -> None:
    shell(project, f"printf '#!/bin/sh\\nexit 1\\n' >{FOLDER}/bin/fails; chmod +x {FOLDER}/bin/fails")
    drop_in = f"{UNITS}/clock-one-plain.service.d"
    shell(
        project,
        f"mkdir -p {drop_in}; printf '[Service]\\nExecStart=\\nExecStart={FOLDER}/bin/fails\\n' >{drop_in}/90.conf",
    )
    shell(project, "systemctl daemon-reload; ! systemctl start --wait clock-one-plain.service; true")
    wait_for(
        "the failure",
        lambda: project.show("clock-one-plain.service", "ActiveState")["ActiveState"] == "failed",
    )
    service = "clock-one-plain.service"
    assert findings(project) == {service: ("failed", f"journalctl --unit={service}; systemctl reset-failed {service}")}
    shell(project, f"rm -r {drop_in}; systemctl daemon-reload")
    repair(project, service)

    # A timer fails if its service can't be started at all.
    project.write(one={"kept": (at(project.soon()), True)})
    project.apply()
    shell(project, f"ln -sf /dev/null {UNITS}/clock-one-kept.service; systemctl daemon-reload")
    timer = "clock-one-kept.timer"
    wait_for("its failure", lambda: project.show(timer, "ActiveState")["ActiveState"] == "failed")
    assert findings(project)[timer] == ("failed: its job does not run", f"systemctl restart {timer}")
    shell(project, "systemctl unmask clock-one-kept.service")
    project.apply()
    assert findings(project) == {}


def test_a_timer_without_a_next_run_is_found(project: SmallProject) -> None:
    drop_in = f"{UNITS}/clock-one-plain.timer.d"
    past = "[Timer]\\nOnCalendar=\\nOnCalendar=2020-01-01\\n"
    read = "systemctl daemon-reload; systemctl restart clock-one-plain.timer"
    shell(project, f"mkdir {drop_in}; printf '{past}' >{drop_in}/90.conf; {read}")
    [(where, (problem, mend))] = findings(project).items()
    assert (where, problem) == ("clock-one-plain.timer", "has no next run")
    assert mend == "systemctl cat clock-one-plain.timer"
    shell(project, f"rm -r {drop_in}; {read}")
    assert findings(project) == {}


def test_a_near_horizon_is_found(project: SmallProject) -> None:
    """The current set was rendered nine years ago."""
    long_ago = (
        "from datetime import UTC, datetime\n"
        "from scheduled_tasks import project\n"
        "class Then(datetime):\n"
        "    @classmethod\n"
        "    def now(cls, zone=None):\n"
        "        now = datetime.now(zone)\n"
        "        return now.replace(year=now.year - 9, day=1)\n"
        "project.datetime = Then\n"
        "from scheduled_tasks.cli import main\n"
        "main(['apply'])\n"
    )
    project.write(one={"kept": ("hour=2, minute=30, timezone='Europe/Paris'", True)})
    project.code(long_ago)
    [(problem, mend)] = findings(project, "timers").values()
    assert mend == "clocks apply"
    assert re.fullmatch(r"exact only until 20..-12-31: one/kept", problem)
    project.apply()
    assert findings(project, "timers") == {}


def test_a_missing_database_is_found(project: SmallProject) -> None:
    assert findings(project, "database")["database"][1] == f"edit {FOLDER}/config.toml"


def test_a_clock_that_is_not_synchronised_is_found(project: SmallProject) -> None:
    """The clock is the host's, which no test sets: expect whatever systemd reports about it."""
    shown = project.machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value").stdout
    assert ("clock" in findings(project, "clock")) is (shown == "no\n")


# The tests restart journald more often than its start limit allows.
RESTART = "systemctl reset-failed systemd-journald; systemctl restart systemd-journald"


def journal(project: SmallProject, *lines: str) -> None:
    """Restart journald with these lines of configuration."""
    folder = project.machine.root / "etc/systemd/journald.conf.d"
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text("\n".join(["[Journal]", *lines, ""]))
    shell(project, RESTART)


def test_a_journal_that_loses_lines_is_found(project: SmallProject) -> None:
    journal(project, "Storage=persistent")
    shell(project, "journalctl --flush")
    assert findings(project, "journal") == {}

    journal(project, "Storage=volatile")
    assert findings(project, "journal")["journal"] == (
        "kept in memory only: a reboot loses all log lines of the jobs",
        "mkdir -p /var/log/journal; systemctl restart systemd-journald; journalctl --flush",
    )
    journal(project, "Storage=persistent", "SystemMaxUse=16M", "SystemMaxFileSize=4M")
    # All lines differ, since journald stores equal ones once.
    shell(
        project,
        "journalctl --flush; head --bytes=24M /dev/urandom | base64 --wrap=1000 | systemd-cat; journalctl --sync",
    )
    problem, mend = findings(project, "journal")["journal"]
    assert problem.startswith("full: its 16 MiB reach back 0.0 hours")
    shell(project, f"systemctl reset-failed systemd-journald; {mend}")
    shell(project, f"rm -r /var/log/journal; {RESTART}")
    journal(project, "Storage=persistent", "SystemMaxUse=64M")
    shell(project, "journalctl --flush")
    assert findings(project, "journal") == {}

    service = "clock-one-plain.service"
    drop_in = project.machine.root / UNITS.lstrip("/") / f"{service}.d/90.conf"
    drop_in.parent.mkdir()
    rate = "LogRateLimitIntervalSec=1s\nLogRateLimitBurst=3"
    drop_in.write_text(f"[Service]\n{rate}\nExecStart=\nExecStart=/usr/bin/seq 500\n")
    shell(project, "systemctl daemon-reload")

    def dropped() -> tuple[str, str] | None:
        """The finding after a run; journald reports dropped lines together with the first line of the next interval."""
        shell(project, f"systemctl start --wait {service}; journalctl --sync")
        return findings(project).get(service)

    problem, mend = wait_for("a report of dropped lines", dropped) or ("", "")
    assert problem.endswith("of its lines were dropped in the last 24 hours")
    assert mend == f"systemctl edit {service}"
