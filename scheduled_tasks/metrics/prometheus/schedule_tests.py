"""The tests of a user's own schedules: around the next slot of each job, and through the next nights of change.

Each window is lived through twice: every run begins as late as it may, and no alert fires; nobody runs anything, and
every alert fires in time. Jobs go in, tests for promtool come out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduled_tasks.metrics.deadlines import next_due
from scheduled_tasks.metrics.prometheus.alerting_rules import DEADLINE, MAX_AGE, PER_JOB, PREFIX
from scheduled_tasks.metrics.prometheus.observed import (
    AGE,
    MINUTE,
    ObservedJob,
    Shown,
    first_alert,
    next_deadline,
    shown_deadlines,
)
from scheduled_tasks.metrics.prometheus.promtool_tests import TARGET, RuleTest, Series, constant, labels_of
from scheduled_tasks.schedule.zone import Shift, shifts

BEFORE, AFTER = timedelta(minutes=2), timedelta(seconds=MAX_AGE) + 3 * MINUTE  # around a slot and its deadline
# Slots near each other share a window, until it is so long. Of a job with a longer grace, its end is tested.
LONGEST, GRACE_TESTED = timedelta(minutes=30), timedelta(hours=3)
# Around the instant of a shift: what it skips or repeats, and the hours beside it. Silence begins with the repeated
# hour, so that a job that is due in it is tested.
NIGHT_BEFORE, NIGHT_AFTER, SILENT_BEFORE = timedelta(minutes=90), timedelta(minutes=150), timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """A time in which the rules are tested.

    Attributes:
        name: what happens in it.
        start, end: whole minutes.
        silent_from: when nobody runs anything any more, in the second life.
        jobs: those that have a slot in it.
    """

    name: str
    start: datetime
    end: datetime
    silent_from: datetime
    jobs: tuple[ObservedJob, ...]

    @property
    def minutes(self) -> list[datetime]:
        """Its minutes, with the first and the last."""
        return [self.start + n * MINUTE for n in range((self.end - self.start) // MINUTE + 1)]


def window_tests(windows: Iterable[Window], shown: Shown = next_deadline) -> Iterator[RuleTest]:
    """Both lives of each window; `shown` is the deadline that the exporter shows."""
    for window in windows:
        yield _test(window, f"{window.name}: each run begins as late as it may", shown)
        yield _test(window, f"{window.name}: nothing runs", shown, window.silent_from)


def _test(window: Window, name: str, shown: Shown, silent_from: datetime | None = None) -> RuleTest:
    minutes, length = window.minutes, len(window.minutes) - 1
    ages = [n * 60 - AGE.total_seconds() for n in range(length + 1)]
    series = [
        constant("scheduled_tasks_build_info", {}, 1, length),
        Series("scheduled_tasks_read_timestamp_seconds", TARGET, ages),
    ]
    first = {}
    for job in window.jobs:
        deadlines = shown_deadlines(job.deployed, minutes, silent_from=silent_from, shown=shown)
        values = [None if at is None else (at - window.start).total_seconds() for at in deadlines]
        series += [
            constant(f"{PER_JOB}info", job.info, 1, length),
            Series(f"{PER_JOB}{DEADLINE}", {**job.labels, **TARGET}, values),
        ]
        if silent_from and job.is_told and (at := first_alert(job.deployed, minutes, silent_from)):
            first[labels_of(job.alert_labels)] = int((at - window.start).total_seconds())
    return RuleTest(name, length, series, {f"{PREFIX}Overdue": first} if silent_from else {}, window.start)


def windows(jobs: Sequence[ObservedJob], start: datetime) -> list[Window]:
    """The next slot of each job after an instant, and the next two shifts of each zone in which they are due."""
    active = [job for job in jobs if not job.options.get("paused")]
    return [*_next_slots(active, start), *_nights(active, start)]


def _next_slots(jobs: Iterable[ObservedJob], start: datetime) -> Iterator[Window]:
    """The time from each job's next slot to its deadline; of jobs with a long grace, the last hours of it."""
    spans = sorted(
        (max(slot - BEFORE, slot + job.deployed.overdue_after - GRACE_TESTED), slot, n, job)
        for n, job in enumerate(jobs)
        if (slot := next_due(job.deployed, start))
    )
    group: list[tuple[datetime, datetime, int, ObservedJob]] = []
    end = start
    for span in spans:
        begin, slot, _, job = span
        until = slot + job.deployed.overdue_after + AFTER
        if group and (begin > end or max(end, until) - group[0][0] > LONGEST):
            yield _window_of_slots(group, end)
            group = []
        end = max(end, until) if group else until
        group.append(span)
    if group:
        yield _window_of_slots(group, end)


def _window_of_slots(group: Sequence[tuple[datetime, datetime, int, ObservedJob]], end: datetime) -> Window:
    start = _minute(group[0][0])
    jobs = tuple(job for *_, job in sorted(group, key=lambda span: span[2]))
    names = ", ".join(f"{job.deployed.clock}/{job.deployed.job}" for job in jobs[:3])
    more = f" and {len(jobs) - 3} more" if len(jobs) > 3 else ""  # noqa: PLR2004 - three are named
    first = min(slot for _, slot, *_ in group)
    return Window(f"the next slot of {names}{more}", start, _minute(end) + MINUTE, first, jobs)


def _nights(jobs: Sequence[ObservedJob], start: datetime) -> Iterator[Window]:
    for zone in sorted({job.deployed.trigger.zone for job in jobs}):
        for shift in _next_shifts(zone, start):
            begin, end = _minute(shift.at - NIGHT_BEFORE), _minute(shift.at + NIGHT_AFTER)
            silent_from = shift.at - SILENT_BEFORE
            due = tuple(
                job
                for job in jobs
                if job.deployed.trigger.zone == zone
                and next(job.deployed.due(silent_from, end - job.deployed.overdue_after - AFTER), None)
            )
            what = f"the clock of {zone} {'skips' if shift.is_gap else 'repeats'} {shift.first:%Y-%m-%d %H:%M}"
            if due:
                yield Window(f"{what} to {shift.end:%H:%M}", begin, end, silent_from, due)


def _next_shifts(zone: str, start: datetime) -> Sequence[Shift]:
    later = [shift for shift in shifts(zone, start.year, start.year + 2) if shift.at > start]
    return later[:2]


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
