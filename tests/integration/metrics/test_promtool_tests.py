"""The tests that `clocks export prometheus` writes pass with promtool, and fail if a rule or an exporter is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduled_tasks.metrics.prometheus.alerting_rules import Rules, rules_yaml
from scheduled_tasks.metrics.prometheus.export import ALERT_LABELS, RULES, TESTS, files
from scheduled_tasks.metrics.prometheus.fault_tests import host_tests, job_tests
from scheduled_tasks.metrics.prometheus.observed import ObservedJob, Shown, next_deadline
from scheduled_tasks.metrics.prometheus.promtool_tests import promtool_yaml
from scheduled_tasks.metrics.prometheus.schedule_tests import window_tests, windows
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.project import enabled_clocks
from tests.integration.metrics.adversarial import SINCE, adversarial_clock, adversarial_jobs
from tests.integration.metrics.promtool import failures, problems, require_promtool

pytestmark = pytest.mark.thorough

GOLDEN = Path(__file__).parents[2] / "golden_prometheus"


@pytest.fixture(autouse=True)
def _promtool() -> None:
    require_promtool()


@pytest.fixture(scope="module")
def adversarial(tmp_path_factory: pytest.TempPathFactory) -> list[ObservedJob]:
    return adversarial_jobs(tmp_path_factory.mktemp("clock"))


def test_the_example_clocks_have_these_rules_and_tests(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    written = files(enabled_clocks(lines=False), start=SINCE)
    if pytestconfig.getoption("--write-golden"):
        GOLDEN.mkdir(exist_ok=True)
        for name, text in written.items():
            (GOLDEN / name).write_text(text)
    assert written == {path.name: path.read_text() for path in GOLDEN.iterdir()}
    assert failures(tmp_path, written[RULES], written[TESTS]) == ""


def test_the_tests_of_adversarial_clocks_pass(tmp_path: Path) -> None:
    written = files([adversarial_clock(tmp_path)], start=SINCE)
    assert failures(tmp_path, written[RULES], written[TESTS]) == ""
    for night in ("skips 2027-03-28 02:00", "repeats 2027-10-31 02:00"):
        assert f"the clock of Europe/Paris {night} to 03:00: nothing runs" in written[TESTS]


def test_fleets_that_share_a_prometheus_are_told_apart(tmp_path: Path) -> None:
    rules = rules_yaml(Rules(("env", "region")))
    assert problems(tmp_path, rules) == ""
    assert rules.count("by (env, region, clock, job_name, host)") == 12
    assert "max by (env, region) (scheduled_tasks_unsent_notices) > 0" in rules


def without(option: str) -> Shown:
    return lambda job, until: next_deadline(replace(job, options={**job.options, option: None}), until)


def in_zone(zone: str) -> Shown:
    return lambda job, until: next_deadline(replace(job, trigger=replace(job.trigger, zone=zone)), until)


def moved(by: timedelta) -> Shown:
    def shown(job: DeployedJob, until: datetime) -> datetime | None:
        at = next_deadline(job, until)
        return at and at + by

    return shown


WRONG_EXPORTERS = {
    "grace is off": without("grace"),
    "jitter is off": without("jitter"),
    "the timeout of runs that wait is off": without("overlap"),
    "the zone is off": in_zone("UTC"),
    "the zone is fixed at the winter's offset": in_zone("Etc/GMT-1"),
    "an hour early": moved(timedelta(hours=-1)),
    "an hour late": moved(timedelta(hours=1)),
    "five minutes early": moved(timedelta(minutes=-5)),
    "a minute late": moved(timedelta(minutes=1)),
    "no deadline at all": lambda job, until: None,
}


@pytest.mark.parametrize("shown", WRONG_EXPORTERS.values(), ids=WRONG_EXPORTERS)
def test_an_exporter_with_a_wrong_deadline_fails(adversarial: list[ObservedJob], shown: Shown, tmp_path: Path) -> None:
    night = [window for window in windows(adversarial, SINCE) if "Europe/Paris skips 2027-03-28 02:00" in window.name]
    tests = promtool_yaml(window_tests(night, shown), RULES, ALERT_LABELS)
    assert "FAILED" in failures(tmp_path, rules_yaml(Rules()), tests)


BAD, ALERT_AFTER, MISSED, LOST, EXPECTED, DEADLINE = (
    f"clock_job:scheduled_tasks_job_{name}:max"
    for name in (
        "bad_slots_in_a_row", "alert_after", "missed_slots_in_a_row", "lost_slots_in_a_row",
        "expected_duration_seconds", "next_deadline_timestamp_seconds",
    )
)  # fmt: skip
WRONG_RULES = {
    "an hour late": (f"{DEADLINE} > 180", f"{DEADLINE} > 3780"),
    "a minute late": (f"{DEADLINE} > 180", f"{DEADLINE} > 240"),
    "at the deadline": (f"{DEADLINE} > 180", f"{DEADLINE} > 0"),
    "pending first": ("    keep_firing_for: 5m", "    for: 15m"),
    "paused jobs too": ("paused:min == 1", "paused:min == 2"),
    "jobs that tell nobody too": ('{told!="no"}', ""),
    "one slot too early": (f"{BAD} >= {ALERT_AFTER}", f"{BAD} >= -1 + {ALERT_AFTER}"),
    "one slot too late": (f"{BAD} >= {ALERT_AFTER}", f"{BAD} > {ALERT_AFTER}"),
    "missed only the second time": (f"{MISSED} > 0", f"{MISSED} > 1"),
    "lost is never said": (f"{LOST} > 0", f"{LOST} > 99"),
    "lost is called failed": (f"+ ({LOST}", f"+ 0 * ({LOST}"),
    "missed is called failed": (f"({MISSED} or", f"(0 * {MISSED} or"),
    "the oldest source counts": ("max by (clock, job_name, host)", "min by (clock, job_name, host)"),
    "old textfiles are believed": ("read_timestamp_seconds > 300", "read_timestamp_seconds > 3e9"),
    "slow at once": (f"{EXPECTED} + 180", EXPECTED),
    "never slow": (f"{EXPECTED} + 180", f"{EXPECTED} + 1e9"),
    "hosts may be silent": ("heartbeat_timestamp_seconds) > 300", "heartbeat_timestamp_seconds) > 3e9"),
    "the account may be old": ("until_timestamp_seconds) > 480", "until_timestamp_seconds) > 3e9"),
    "the ledger may be away": ("ledger_up[290s])) == 0", "ledger_up[290s])) == 2"),
    "notices may wait": ("unsent_notices) > 0", "unsent_notices) > 9"),
    "any target counts": ("last_over_time(scheduled_tasks_build_info[1d])", "up"),
    "no exporter is fine": ("absent_over_time(scheduled_tasks_build_info[10m])", "vector(0) > 1"),
    "the owner is forgotten": (" group_left (owner)", ""),
}


@pytest.mark.parametrize(("right", "wrong"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_wrong_rule_fails(adversarial: list[ObservedJob], right: str, wrong: str, tmp_path: Path) -> None:
    rules = rules_yaml(Rules())
    assert right in rules
    jobs = [job for job in adversarial if job.deployed.job in {"in_the_gap", "nobody", "third_time", "expected"}]
    tests = [*host_tests(), *job_tests(jobs), *window_tests(windows(jobs, SINCE)[:1])]
    assert "FAILED" in failures(tmp_path, rules.replace(right, wrong), promtool_yaml(tests, RULES, ALERT_LABELS))
