"""The doctor's findings: pure, from facts."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from scheduled_tasks.deploy.doctor import (
    ManagerCommands,
    clock_findings,
    horizon_findings,
    journal_findings,
    machine_findings,
)
from scheduled_tasks.deploy.journal import Journal, namespaces
from scheduled_tasks.deploy.plan import Conflict, Facts, Loaded, StoppedTimers
from scheduled_tasks.render.unit_set import UnitSet

UNITS = UnitSet({"clock-a.target": "", "clock-a-x.timer": "", "clock-a-x.service": ""})
WELL = Loaded(active=True, started_before=True, next_run=1.0)


def machine(**facts: object) -> Facts:
    healthy: dict[str, object] = {
        "units": UNITS,
        "links": dict.fromkeys(UNITS.links, True),
        "loaded": {"clock-a.target": Loaded(active=True), "clock-a-x.timer": WELL},
    }
    return Facts(**(healthy | facts))  # type: ignore[arg-type]


def found(facts: Facts, *failed: str) -> list[tuple[str, str]]:
    return [(finding.where, finding.mend) for finding in machine_findings(facts, failed)]


def timer(loaded: Loaded) -> Facts:
    return machine(loaded={"clock-a.target": Loaded(active=True), "clock-a-x.timer": loaded})


def test_a_healthy_machine_has_no_finding() -> None:
    assert found(machine()) == []


def test_each_fault_comes_with_the_command_that_mends_it() -> None:
    assert found(Facts()) == [("units", "clocks apply")]
    assert found(timer(Loaded())) == [("clock-a-x.timer", "systemctl start clock-a-x.timer")]
    assert found(machine(unfinished=StoppedTimers({}))) == [("units", "clocks apply")]
    assert found(machine(overrides={"clock-a-x.service": ""})) == [("clock-a-x.service", "clocks apply")]
    assert found(machine(links={**dict.fromkeys(UNITS.links, True), "clock-b.target": False})) == [
        ("clock-b.target", "clocks apply")
    ]
    [never] = machine_findings(timer(Loaded(active=True)), ())
    assert str(never).splitlines() == [
        "clock-a-x.timer: has no next run",
        "    systemctl cat clock-a-x.timer",
        "    advice: mend the clock file, then clocks apply",
    ]
    assert found(machine(), "clock-a-x.service", "clock-of-another.service") == [
        ("clock-a-x.service", "journalctl --unit=clock-a-x.service; systemctl reset-failed clock-a-x.service")
    ]


def test_a_masked_timer_is_told_once() -> None:
    links = {link: True for link in UNITS.links if link != "clock-a-x.timer"}
    masked = Conflict("/etc/systemd/system/clock-a-x.timer", "masked", "run it", "systemctl unmask clock-a-x.timer")
    assert found(machine(links=links, conflicts=(masked,))) == [
        (masked.path, "systemctl unmask clock-a-x.timer; clocks apply")
    ]


def test_what_no_command_mends_is_marked_as_advice() -> None:
    foreign = Conflict("/etc/systemd/system/clock-b.target", "a file that clocks did not make", "move it away")
    assert list(map(str, machine_findings(machine(conflicts=(foreign,)), ()))) == [
        "/etc/systemd/system/clock-b.target: a file that clocks did not make\n    advice: move it away"
    ]


def test_a_timer_whose_job_runs_waits_for_its_end() -> None:
    running = machine(
        loaded={"clock-a.target": Loaded(active=True), "clock-a-x.timer": Loaded(active=True)},
        running=frozenset({"clock-a-x.service"}),
    )
    assert found(running) == []


def test_less_than_two_years_of_exact_times_are_too_few() -> None:
    """The key is the template's own, see tests/golden/timing."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    line = "[Unit]\nX-ExactUntil={}\n\n[Timer]\n"
    files = {"a.timer": line.format("2028-11-21"), "b.timer": line.format("2028-11-24"), "c.timer": "[Timer]\n"}
    assert [finding.where for finding in horizon_findings(UnitSet(files), now)] == ["a.timer"]


def test_what_is_left_in_systemd_or_on_the_disk_is_an_orphan() -> None:
    gone = Loaded(active=True, next_run=1.0, without_file=True)
    facts = machine(loaded={**machine().loaded, "clock-a-old.timer": gone, "clock-sync.timer": WELL})
    assert found(facts) == [("clock-a-old.timer", "systemctl stop clock-a-old.timer")]
    stamp = "/var/lib/systemd/timers/stamp-clock-a-old.timer"
    assert [each.mend for each in machine_findings(machine(), (), [stamp])] == [f"rm {stamp}"]


def test_for_ones_own_systemd_the_commands_say_so() -> None:
    findings = machine_findings(timer(Loaded()), ["clock-a-x.service"], commands=ManagerCommands(" --user"))
    assert [each.mend for each in findings] == [
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
def test_a_clock_that_nobody_sets_is_found(shown: dict[str, str], mend: str | None) -> None:
    assert [each.mend for each in clock_findings(shown)] == ([mend] if mend else [])


NOW = datetime(2026, 11, 23, tzinfo=UTC)
A_MONTH, AN_HOUR = NOW.timestamp() - 30 * 86_400, NOW.timestamp() - 3600


@pytest.mark.parametrize(
    ("journal", "problem"),
    [
        (None, None),
        (Journal(used=95 << 20, has_lost=True, since=A_MONTH), None),  # full, as any journal is after a while
        (Journal(used=95 << 20, has_lost=True, since=AN_HOUR), "full: its 95 MiB reach back 1.0 hours"),
        (Journal(used=10, since=AN_HOUR), None),
        (Journal(persistent=False), "kept in memory only: a reboot takes all that the jobs wrote"),
        (Journal(disk_free=0.01), "its disk is nearly full (1.0 % are free): its oldest lines go"),
        (
            Journal(dropped=Counter({"clock-a-x.service": 7})),
            "wrote too fast: 7 of its lines were dropped in the last 24 hours",
        ),
    ],
)
def test_a_journal_that_loses_lines_is_found(journal: Journal | None, problem: str | None) -> None:
    assert [each.problem for each in journal_findings(journal, NOW)] == ([problem] if problem else [])


def test_a_journal_namespace_is_mended_by_commands_of_its_own() -> None:
    [memory] = journal_findings(Journal(namespace="jobs", persistent=False), NOW)
    flush = "systemctl restart systemd-journald@jobs; journalctl --namespace=jobs --flush"
    assert (memory.where, memory.mend) == ("journal jobs", f"mkdir -p /var/log/journal; {flush}")
    [full] = journal_findings(Journal(namespace="jobs", has_lost=True, since=AN_HOUR), NOW)
    assert "/etc/systemd/journald@jobs.conf.d/size.conf" in full.mend


def test_a_set_names_the_journals_that_it_writes_to() -> None:
    drop_in = "[Service]\nLogNamespace=jobs\n"
    units = UnitSet({"clock-.service.d/10-every-job.conf": drop_in, "clock-a-b.timer": "[Timer]\n"})
    assert namespaces(units) == ["", "jobs"]
    assert namespaces(UnitSet()) == [""]
