"""The doctor's findings: pure, from facts."""

from datetime import UTC, datetime

from scheduled_tasks.deploy.doctor import horizon_findings, machine_findings
from scheduled_tasks.deploy.plan import Facts, Loaded, Refusal, Window, links_of

FILES = {"clock-a.target": "", "clock-a-x.timer": "", "clock-a-x.service": ""}
WELL = Loaded(active=True, started_before=True, next_run=1.0)


def machine(**facts: object) -> Facts:
    healthy: dict[str, object] = {
        "files": FILES,
        "links": dict.fromkeys(links_of(FILES), True),
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
    assert found(machine(unfinished=Window({}))) == [("units", "clocks apply")]
    assert found(machine(links={**dict.fromkeys(links_of(FILES), True), "clock-b.target": False})) == [
        ("clock-b.target", "clocks apply")
    ]
    assert found(timer(Loaded(active=True))) == [
        ("clock-a-x.timer", "systemctl cat clock-a-x.timer; mend the clock file; clocks apply")
    ]
    assert found(machine(), "clock-a-x.service", "clock-of-another.service") == [
        ("clock-a-x.service", "journalctl --unit=clock-a-x.service; systemctl reset-failed clock-a-x.service")
    ]


def test_a_masked_timer_is_told_once() -> None:
    links = {link: True for link in links_of(FILES) if link != "clock-a-x.timer"}
    masked = Refusal("/etc/systemd/system/clock-a-x.timer", "masked", "run 'systemctl unmask clock-a-x.timer'")
    assert found(machine(links=links, refusals=(masked,))) == [(masked.path, masked.instead)]


def test_a_timer_whose_job_runs_waits_for_its_end() -> None:
    running = machine(
        loaded={"clock-a.target": Loaded(active=True), "clock-a-x.timer": Loaded(active=True)},
        running=frozenset({"clock-a-x.service"}),
    )
    assert found(running) == []


def test_less_than_two_years_of_exact_times_are_too_few() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    until = {"a": datetime(2028, 1, 1, tzinfo=UTC), "b": datetime(2036, 1, 1, tzinfo=UTC), "c": None}
    assert [finding.where for finding in horizon_findings(until, now)] == ["a"]
