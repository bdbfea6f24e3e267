"""Over a year no rule alerts falsely and none late, for each slot of ordinary and of adversarial clocks.

Due times come from an oracle that is not ours, deadlines from what the exporter shows, and promtool evaluates the rules
around the deadline of each slot: each run begins as late as it may, or the slot is not run at all. All slots are tested
side by side, each as a series of its own. SCHEDULED_TASKS_WHOLE_YEAR=1 does so for frequent jobs too; by default they
are tested on the days of change and one day of each month.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from scheduled_tasks.metrics.prometheus.alerting_rules import DEADLINE, JOB, PER_JOB, Rules, rules_yaml
from scheduled_tasks.metrics.prometheus.observed import ObservedJob, next_deadline, observed_jobs
from scheduled_tasks.metrics.prometheus.promtool_tests import (
    TARGET,
    Labels,
    RuleTest,
    Series,
    constant,
    labels_of,
    promtool_yaml,
)
from scheduled_tasks.project import enabled_clocks
from tests.integration.metrics.adversarial import (
    EXAMPLE_FREQUENT,
    EXAMPLE_RARE,
    FREQUENT,
    RARE,
    SINCE,
    Case,
    adversarial_jobs,
)
from tests.integration.metrics.promtool import RULES, failures, require_promtool

pytestmark = pytest.mark.thorough

FIRST, LAST = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC)
WHOLE_YEAR = os.environ.get("SCHEDULED_TASKS_WHOLE_YEAR") == "1"
DAYS = (  # on which frequent jobs are tested: around the shifts of Paris, and the first of each month
    *(datetime(2027, 3, day, tzinfo=UTC) for day in (27, 28, 29)),
    *(datetime(2027, 10, day, tzinfo=UTC) for day in (30, 31)),
    *(datetime(2027, month, 1, tzinfo=UTC) for month in range(1, 12)),
)
LENGTH = 16  # minutes of a window; the deadline is in the eighth or ninth
MAX_AGE = timedelta(seconds=180)
AT_ONCE = 1000  # slots: promtool 2.42 evaluates with at most 10,000 samples


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ObservedJob]:
    require_promtool()
    own = adversarial_jobs(tmp_path_factory.mktemp("clocks"))
    return {job.deployed.job: job for job in [*own, *observed_jobs(enabled_clocks(lines=False), SINCE)]}


class Window(NamedTuple):
    """A slot as Prometheus sees it.

    Attributes:
        healthy: the deadlines if each run begins as late as it may.
        silent: those if no slot from this one on is run.
        labels: of the alert then.
        first: the second in which it has to fire first.
    """

    healthy: Series
    silent: Series
    labels: Labels
    first: int


def windows_of(case: Case, job: ObservedJob, days: Sequence[datetime]) -> Iterator[Window]:
    """The window of each slot."""
    margin = timedelta(days=case.longest_interval)
    spans = [(day, day + timedelta(days=1)) for day in days] or [(FIRST, LAST)]
    for start, end in spans:
        yield from windows_between(case, job, start, end, case.slots(start - margin, end + timedelta(hours=1)))


def windows_between(
    case: Case, job: ObservedJob, start: datetime, end: datetime, slots: list[datetime]
) -> Iterator[Window]:
    late = timedelta(seconds=case.overdue_after)
    deadline = cache(partial(next_deadline, job.deployed))  # windows overlap
    for slot in slots[bisect_left(slots, start) : bisect_left(slots, end)]:
        begin = (slot + late).replace(second=0, microsecond=0) - timedelta(minutes=8)
        labels = {**job.labels, "job_name": f"{case.job} {slot:%Y-%m-%dT%H:%M:%SZ}"}
        healthy, silent = [], []
        for n in range(LENGTH + 1):
            seen = begin + timedelta(minutes=n) - MAX_AGE + timedelta(seconds=1)
            recorded = slots[bisect_right(slots, seen - late + timedelta(seconds=1)) - 1]
            before = slots[bisect_left(slots, slot) - 1]
            healthy.append(shown(deadline(recorded), begin))
            silent.append(shown(deadline(min(recorded, before)), begin))
        name = f"{PER_JOB}{DEADLINE}"
        overdue = slot + late + MAX_AGE - begin
        first = (overdue // timedelta(minutes=1) + 1) * 60
        yield Window(
            Series(name, {**labels, **TARGET}, healthy),
            Series(name, {**labels, **TARGET}, silent),
            labels_of(labels),
            first,
        )


def shown(at: datetime | None, begin: datetime) -> float | None:
    return None if at is None else (at - begin).total_seconds()


def common() -> list[Series]:
    ages = [60.0 * n - 179 for n in range(LENGTH + 1)]
    return [
        constant("scheduled_tasks_build_info", {}, 1, LENGTH),
        Series("scheduled_tasks_read_timestamp_seconds", TARGET, ages),
    ]


def info(series: Series) -> Series:
    return Series(f"{PER_JOB}info", series.labels, [1.0] * (LENGTH + 1))


def check(folder: Path, windows: Iterator[Window]) -> tuple[str, int]:
    """What promtool reports, and how many slots it has tested."""
    slots = 0
    while some := list(islice(windows, AT_ONCE)):
        slots += len(some)
        infos = [info(window.healthy) for window in some]
        first = {window.labels: window.first for window in some}
        tests = [
            RuleTest("in time", LENGTH, [*common(), *infos, *(window.healthy for window in some)]),
            RuleTest(
                "not run",
                LENGTH,
                [*common(), *infos, *(window.silent for window in some)],
                {"ScheduledTaskOverdue": first},
            ),
        ]
        if found := failures(folder, rules_yaml(Rules()), promtool_yaml(tests, RULES, JOB)):
            return found, slots
    return "", slots


@pytest.mark.parametrize("case", [*RARE, *EXAMPLE_RARE], ids=lambda case: case.job)
def test_no_alert_of_a_year_is_false_or_late(jobs: dict[str, ObservedJob], case: Case, tmp_path: Path) -> None:
    found, slots = check(tmp_path, windows_of(case, jobs[case.job], ()))
    assert found == ""
    assert slots >= {"yearly": 1, "last_sunday": 12, "weekly": 52}.get(case.job, 365)


@pytest.mark.parametrize("case", [*FREQUENT, *EXAMPLE_FREQUENT], ids=lambda case: case.job)
def test_no_alert_of_a_frequent_job_is_false_or_late(jobs: dict[str, ObservedJob], case: Case, tmp_path: Path) -> None:
    days = DAYS[:2] if case.job == "every_minute" else DAYS
    found, slots = check(tmp_path, windows_of(case, jobs[case.job], () if WHOLE_YEAR else days))
    assert found == ""
    assert slots >= (365 if WHOLE_YEAR else 16) * 24
