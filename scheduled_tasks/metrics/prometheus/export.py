"""The files for Prometheus: the rules, and their tests for the schedules of clocks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from scheduled_tasks.metrics.prometheus.alerting_rules import JOB, Rules, rules_yaml
from scheduled_tasks.metrics.prometheus.fault_tests import host_tests, job_tests
from scheduled_tasks.metrics.prometheus.observed import observed_jobs
from scheduled_tasks.metrics.prometheus.promtool_tests import promtool_yaml
from scheduled_tasks.metrics.prometheus.schedule_tests import window_tests, windows

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec

MAX_JOBS = 1000  # in one test: promtool 2.42 evaluates with at most 10,000 samples
ALERT_LABELS = (*JOB, "owner", "instance")  # beside its name and severity
RULES, TESTS = "scheduled_tasks.rules.yml", "scheduled_tasks.tests.yml"


def files(clocks: Iterable[ClockSpec], *, start: datetime, fleet: Sequence[str] = ()) -> dict[str, str]:
    """The files by name.

    Args:
        clocks: whose schedules are tested.
        start: the instant from which on the next slots and nights of change are looked for.
        fleet: the labels by which fleets are told apart.
    """
    jobs = observed_jobs(clocks, start)
    tests = [*host_tests()]
    for n in range(0, len(jobs), MAX_JOBS):
        some = jobs[n : n + MAX_JOBS]
        tests += [*job_tests(some), *window_tests(windows(some, start))]
    return {RULES: rules_yaml(Rules(tuple(fleet))), TESTS: promtool_yaml(tests, RULES, ALERT_LABELS)}
