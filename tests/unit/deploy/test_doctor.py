"""The doctor's findings, from the state of a machine."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from scheduled_tasks.deploy.doctor import (
    ManagerCommands,
    clock_findings,
    journal_findings,
    machine_findings,
)
from scheduled_tasks.deploy.journal import Journal, namespaces
from scheduled_tasks.deploy.plan import Conflict, Loaded, MachineState, StoppedTimers
from scheduled_tasks.render.unit_set import UnitSet

UNITS = UnitSet({"clock-a.target": "", "clock-a-x.timer": "", "clock-a-x.service": ""})
WELL = Loaded(active=True, next_run=1.0)


def machine(**state: object) -> MachineState:
    healthy: dict[str, object] = {
        "units": UNITS,
        "links": dict.fromkeys(UNITS.links, True),
        "loaded": {"clock-a.target": Loaded(active=True), "clock-a-x.timer": WELL},
    }
    return MachineState(**(healthy | state))  # type: ignore[arg-type]


def findings_of(state: MachineState, *failed: str) -> list[tuple[str, str]]:
    return [(finding.where, finding.mend) for finding in machine_findings(state, failed)]


def timer(loaded: Loaded) -> MachineState:
    return machine(loaded={"clock-a.target": Loaded(active=True), "clock-a-x.timer": loaded})


def test_a_healthy_machine_has_no_findings() -> None:
    assert findings_of(machine()) == []


def test_each_finding_has_the_command_that_mends_it() -> None:
    assert findings_of(MachineState()) == [("units", "clocks apply")]
    assert findings_of(timer(Loaded())) == [("clock-a-x.timer", "systemctl start clock-a-x.timer")]
    assert findings_of(machine(unfinished=StoppedTimers({}))) == [("units", "clocks apply")]
    assert findings_of(machine(overrides={"clock-a-x.service": ""})) == [("clock-a-x.service", "clocks apply")]
    assert findings_of(machine(links={**dict.fromkeys(UNITS.links, True), "clock-b.target": False})) == [
        ("clock-b.target", "clocks apply")
    ]
    [never] = machine_findings(timer(Loaded(active=True)), ())
    assert str(never).splitlines() == [
        "clock-a-x.timer: has no next run",
        "    systemctl cat clock-a-x.timer",
        "    advice: correct the clock file, then clocks apply",
    ]
    assert findings_of(machine(), "clock-a-x.service", "clock-of-another.service") == [
        ("clock-a-x.service", "journalctl --unit=clock-a-x.service; systemctl reset-failed clock-a-x.service")
    ]


def test_a_masked_timer_is_one_finding() -> None:
    links = {link: True for link in UNITS.links if link != "clock-a-x.timer"}
    masked = Conflict("/etc/systemd/system/clock-a-x.timer", "masked", "run it", "systemctl unmask clock-a-x.timer")
    assert findings_of(machine(links=links, conflicts=(masked,))) == [
        (masked.path, "systemctl unmask clock-a-x.timer; clocks apply")
    ]


def test_a_finding_that_no_command_mends_has_advice() -> None:
    foreign = Conflict("/etc/systemd/system/clock-b.target", "a file that clocks did not make", "move it away")
    assert list(map(str, machine_findings(machine(conflicts=(foreign,)), ()))) == [
        "/etc/systemd/system/clock-b.target: a file that clocks did not make\n    advice: move it away"
    ]


def test_a_timer_without_a_next_run_is_healthy_while_its_job_runs() -> None:
    running = machine(
        loaded={"clock-a.target": Loaded(active=True), "clock-a-x.timer": Loaded(active=True)},
        running=frozenset({"clock-a-x.service"}),
    )
    assert findings_of(running) == []


def test_a_loaded_unit_without_file_and_a_stamp_without_timer_are_findings() -> None:
    gone = Loaded(active=True, next_run=1.0, without_file=True)
    state = machine(loaded={**machine().loaded, "clock-a-old.timer": gone, "clock-sync.timer": WELL})
    assert findings_of(state) == [("clock-a-old.timer", "systemctl stop clock-a-old.timer")]
    stamp = "/var/lib/systemd/timers/stamp-clock-a-old.timer"
    assert [finding.mend for finding in machine_findings(machine(), (), [stamp])] == [f"rm {stamp}"]


def test_commands_for_the_users_own_systemd_have_the_option_user() -> None:
    findings = machine_findings(timer(Loaded()), ["clock-a-x.service"], commands=ManagerCommands(" --user"))
    assert [finding.mend for finding in findings] == [
        "journalctl --user-unit=clock-a-x.service; systemctl --user reset-failed clock-a-x.service",
        "systemctl --user start clock-a-x.timer",
    ]


@pytest.mark.parametrize(
    ("shown", "mend"),
    [
        ({"NTPSynchronized": "yes", "NTP": "yes", "CanNTP": "yes"}, None),
        ({"NTPSynchronized": "no", "NTP": "no", "CanNTP": "yes"}, "timedatectl set-ntp true"),
        ({"NTPSynchronized": "no", "NTP": "yes", "CanNTP": "yes"}, "timedatectl timesync-status"),
        (
            {"NTPSynchronized": "no", "NTP": "no", "CanNTP": "no"},
            "apt-get install systemd-timesyncd; timedatectl set-ntp true",
        ),
        ({}, None),
    ],
)
def test_a_clock_that_is_not_synchronised_is_a_finding(shown: dict[str, str], mend: str | None) -> None:
    assert [finding.mend for finding in clock_findings(shown)] == ([mend] if mend else [])


NOW = datetime(2026, 11, 23, tzinfo=UTC)
A_MONTH, AN_HOUR = NOW.timestamp() - 30 * 86_400, NOW.timestamp() - 3600


@pytest.mark.parametrize(
    ("journal", "problem"),
    [
        (None, None),
        (Journal(used=95 << 20, has_lost=True, since=A_MONTH), None),  # full, as every journal is after a while
        (Journal(used=95 << 20, has_lost=True, since=AN_HOUR), "full: its 95 MiB reach back 1.0 hours"),
        (Journal(used=10, since=AN_HOUR), None),
        (Journal(persistent=False), "kept in memory only: a reboot loses all log lines of the jobs"),
        (Journal(disk_free=0.01), "its disk is nearly full (1.0 % free): the oldest lines are deleted"),
        (
            Journal(dropped=Counter({"clock-a-x.service": 7})),
            "wrote too fast: 7 of its lines were dropped in the last 24 hours",
        ),
    ],
)
def test_a_journal_that_loses_lines_is_a_finding(journal: Journal | None, problem: str | None) -> None:
    assert [finding.problem for finding in journal_findings(journal, NOW)] == ([problem] if problem else [])


def test_commands_for_a_journal_namespace_name_it() -> None:
    [memory] = journal_findings(Journal(namespace="jobs", persistent=False), NOW)
    flush = "systemctl restart systemd-journald@jobs; journalctl --namespace=jobs --flush"
    assert (memory.where, memory.mend) == ("journal jobs", f"mkdir -p /var/log/journal; {flush}")
    [full] = journal_findings(Journal(namespace="jobs", has_lost=True, since=AN_HOUR), NOW)
    assert "/etc/systemd/journald@jobs.conf.d/size.conf" in full.mend


def test_a_sets_journals_are_the_default_one_and_those_of_its_drop_ins() -> None:
    drop_in = "[Service]\nLogNamespace=jobs\n"
    units = UnitSet({"clock-.service.d/10-every-job.conf": drop_in, "clock-a-b.timer": "[Timer]\n"})
    assert namespaces(units) == ["", "jobs"]
    assert namespaces(UnitSet()) == [""]
