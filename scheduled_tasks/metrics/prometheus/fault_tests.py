"""The tests of each fault: what results, runs and hosts look like then, and which alert fires when.

Jobs go in, tests for promtool come out. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from scheduled_tasks.metrics.prometheus.alerting_rules import (
    ALERT_AFTER,
    BAD,
    DEADLINE,
    EXPECTED,
    FORGET_AFTER,
    LOST,
    MAX_AGE,
    MISSED,
    PAUSED,
    PER_JOB,
    PREFIX,
    RUNNING_SINCE,
)
from scheduled_tasks.metrics.prometheus.observed import ObservedJob
from scheduled_tasks.metrics.prometheus.promtool_tests import (
    TARGET,
    Labels,
    RuleTest,
    Series,
    Values,
    constant,
    labels_of,
)

STREAK_STEP = 2  # minutes from one bad slot to the next
DEFAULT_EXPECTED, MAX_EXPECTED = 300, 6 * 3600  # seconds; a test of a longer run would take promtool too long
SHORT = 10  # minutes
OTHER_TARGET = {"instance": "app2:9100", "job": "node"}

Metrics = Callable[[ObservedJob], Mapping[str, Values]]


def job_tests(jobs: Sequence[ObservedJob]) -> Iterator[RuleTest]:
    """A test of each fault, of all jobs that are not paused in their clock file."""
    active = [job for job in jobs if not job.options.get("paused")]
    if active:
        yield _streak(active)
        yield _missed(active)
        yield _lost(active)
        yield _slow(active)
        yield _everything_wrong("is paused", active, is_paused=True)
        yield _dead_watch(active[0])
        yield _two_sources(active[0])
    if silent := [job for job in active if not job.is_told]:
        yield _everything_wrong("tells nobody", silent)


def host_tests() -> Iterator[RuleTest]:
    """A test of each fault that is not about a job."""
    yield from (_heartbeat(), _account(), _ledger_away(), _notices(), _target_down(), _no_exporter())


def _of_jobs(
    name: str, minutes: int, jobs: Sequence[ObservedJob], metrics: Metrics, first: Mapping[str, Mapping[Labels, int]]
) -> RuleTest:
    series = [*_exporter(minutes)]
    for job in jobs:
        series.append(constant(f"{PER_JOB}info", job.info, 1, minutes))
        series += [
            Series(PER_JOB + metric, {**job.labels, **TARGET}, values) for metric, values in metrics(job).items()
        ]
    return RuleTest(name, minutes, series, first)


def _told(jobs: Sequence[ObservedJob], second: Callable[[ObservedJob], int]) -> dict[Labels, int]:
    return {labels_of(job.alert_labels): second(job) for job in jobs if job.is_told}


def _streak(jobs: Sequence[ObservedJob]) -> RuleTest:
    minutes = (max(job.alert_after for job in jobs) + 1) * STREAK_STEP

    def metrics(job: ObservedJob) -> Mapping[str, Values]:
        bad = [n // STREAK_STEP for n in range(minutes + 1)]
        return {BAD: bad, ALERT_AFTER: [job.alert_after] * (minutes + 1)}

    first = _told(jobs, lambda job: job.alert_after * STREAK_STEP * 60)
    name = "a job whose runs fail alerts with the slot that its alert_after names"
    return _of_jobs(name, minutes, jobs, metrics, {f"{PREFIX}Failing": first})


def _missed(jobs: Sequence[ObservedJob]) -> RuleTest:
    def metrics(job: ObservedJob) -> Mapping[str, Values]:
        bad = _from_minute(3, 1)
        return {BAD: bad, MISSED: [n or None for n in bad], ALERT_AFTER: [job.alert_after] * (SHORT + 1)}

    name = "a missed slot alerts at once, whatever alert_after is"
    return _of_jobs(name, SHORT, jobs, metrics, {f"{PREFIX}Overdue": _told(jobs, lambda _: 180)})


def _lost(jobs: Sequence[ObservedJob]) -> RuleTest:
    def metrics(job: ObservedJob) -> Mapping[str, Values]:
        bad = _from_minute(3, job.alert_after)
        return {BAD: bad, LOST: [n or None for n in bad], ALERT_AFTER: [job.alert_after] * (SHORT + 1)}

    name = "a lost run alerts, and is not also called failed"
    return _of_jobs(name, SHORT, jobs, metrics, {f"{PREFIX}Lost": _told(jobs, lambda _: 180)})


def _slow(jobs: Sequence[ObservedJob]) -> RuleTest:
    minutes = (max(map(_expected, jobs)) + MAX_AGE) // 60 + SHORT

    def metrics(job: ObservedJob) -> Mapping[str, Values]:
        return {RUNNING_SINCE: [0] * (minutes + 1), EXPECTED: [_expected(job)] * (minutes + 1)}

    first = _told(jobs, lambda job: ((_expected(job) + MAX_AGE) // 60 + 1) * 60)
    name = "a run that takes longer than expected alerts while it runs"
    return _of_jobs(name, minutes, jobs, metrics, {f"{PREFIX}Slow": first})


def _expected(job: ObservedJob) -> int:
    return min(int(job.options.get("expected_duration") or DEFAULT_EXPECTED), MAX_EXPECTED)


def _everything_wrong(what: str, jobs: Sequence[ObservedJob], *, is_paused: bool = False) -> RuleTest:
    def metrics(job: ObservedJob) -> Mapping[str, Values]:
        one, long_ago = [1.0] * (SHORT + 1), [-86400.0] * (SHORT + 1)
        return {
            BAD: [job.alert_after + 2.0] * (SHORT + 1),
            ALERT_AFTER: [float(job.alert_after)] * (SHORT + 1),
            MISSED: one,
            LOST: one,
            DEADLINE: long_ago,
            RUNNING_SINCE: long_ago,
            EXPECTED: one,
            PAUSED: one if is_paused else [0.0] * (SHORT + 1),
        }

    return _of_jobs(f"a job that {what} does not alert, whatever is wrong", SHORT, jobs, metrics, {})


def _dead_watch(job: ObservedJob) -> RuleTest:
    """The textfile of a host with a dead watch stays as it was; another host has read the ledger since."""
    minutes, died = 30, -600.0
    series = [*_exporter(minutes, OTHER_TARGET), constant(f"{PER_JOB}info", job.info, 1, minutes)]
    series.append(constant("scheduled_tasks_read_timestamp_seconds", {}, died, minutes))
    seen: Mapping[str, tuple[float, float]] = {  # by the dead watch, and by the other one
        DEADLINE: (died + 60, 3600),
        BAD: (job.alert_after, 0),
        ALERT_AFTER: (job.alert_after, job.alert_after),
    }
    for metric, values in seen.items():
        for target, value in zip((TARGET, OTHER_TARGET), values, strict=True):
            series.append(Series(PER_JOB + metric, {**job.labels, **target}, [value] * (minutes + 1)))
    series.append(constant(HEARTBEAT, {"host": "app1"}, died, minutes))
    series.append(Series(HEARTBEAT, {"host": "app2", **OTHER_TARGET}, [60.0 * n for n in range(minutes + 1)]))
    name = "what the watch of a host wrote before it died is not believed; the host itself alerts"
    return RuleTest(name, minutes, series, {f"{PREFIX}WatchSilent": {(("host", "app1"),): 0}})


def _two_sources(job: ObservedJob) -> RuleTest:
    """One host has read the ledger a while ago, when the deadline had not passed; since then the slot was run."""
    read = [60.0 * n - FORGET_AFTER + 10 for n in range(SHORT + 1)]
    series = [*_exporter(SHORT, OTHER_TARGET), constant(f"{PER_JOB}info", job.info, 1, SHORT)]
    series.append(Series("scheduled_tasks_read_timestamp_seconds", TARGET, read))
    for target, deadline in ((TARGET, -MAX_AGE - 60), (OTHER_TARGET, 3600)):
        series.append(Series(PER_JOB + DEADLINE, {**job.labels, **target}, [deadline] * (SHORT + 1)))
    return RuleTest("of two hosts that read the ledger, the one that read it last is believed", SHORT, series)


HEARTBEAT = "scheduled_tasks_host_heartbeat_timestamp_seconds"


def _heartbeat() -> RuleTest:
    beats = [min(n, 5) * 60.0 for n in range(21)]
    series = [*_exporter(20), Series(HEARTBEAT, {"host": "app1", **TARGET}, beats)]
    name = "a host whose watch has been silent for more than five minutes alerts"
    return RuleTest(name, 20, series, {f"{PREFIX}WatchSilent": {(("host", "app1"),): 660}})


def _account() -> RuleTest:
    until = [min(n, 5) * 60.0 for n in range(21)]
    series = [*_exporter(20), Series("scheduled_tasks_accounted_until_timestamp_seconds", TARGET, until)]
    name = "slots that have not been accounted for in more than eight minutes alert"
    return RuleTest(name, 20, series, {f"{PREFIX}AccountStale": {(): 840}})


def _ledger_away() -> RuleTest:
    up = [1.0 if n < 5 else 0.0 for n in range(21)]  # noqa: PLR2004 - five minutes
    series = [*_exporter(20), Series("scheduled_tasks_ledger_up", TARGET, up)]
    name = "an exporter that has not reached the ledger for five minutes alerts"
    return RuleTest(name, 20, series, {f"{PREFIX}AccountStale": {(("instance", TARGET["instance"]),): 540}})


def _notices() -> RuleTest:
    unsent = [0.0 if n < 5 else 2.0 for n in range(21)]  # noqa: PLR2004 - five minutes
    series = [*_exporter(20), Series("scheduled_tasks_unsent_notices", TARGET, unsent)]
    name = "notices that have been due for five minutes alert"
    return RuleTest(name, 20, series, {f"{PREFIX}NoticesUnsent": {(): 300}})


def _target_down() -> RuleTest:
    up = [1.0 if n < 5 else 0.0 for n in range(31)]  # noqa: PLR2004 - five minutes
    gone = [1.0 if n < 5 else None for n in range(31)]  # noqa: PLR2004
    series = [
        *_exporter(30, OTHER_TARGET),
        Series("up", TARGET, up),
        Series("scheduled_tasks_build_info", TARGET, gone),
        Series("up", {"instance": "db1:9100", "job": "node"}, [0.0] * 31),  # never exported anything of ours
    ]
    name = "a target that exported jobs and can't be scraped alerts; another one does not"
    first: dict[Labels, int] = {(("instance", TARGET["instance"]),): 840}
    return RuleTest(name, 30, series, {f"{PREFIX}MetricsMissing": first}, is_pending_first=True)


def _no_exporter() -> RuleTest:
    first: dict[Labels, int] = {(): 300}
    return RuleTest("no exporter at all alerts", 30, [], {f"{PREFIX}MetricsMissing": first}, is_pending_first=True)


def _exporter(minutes: int, target: Mapping[str, str] = TARGET) -> list[Series]:
    """An exporter that reads the ledger as seldom as it may."""
    read = [60.0 * n - MAX_AGE for n in range(minutes + 1)]
    return [
        Series("scheduled_tasks_build_info", target, [1] * (minutes + 1)),
        Series("scheduled_tasks_read_timestamp_seconds", target, read),
    ]


def _from_minute(minute: int, value: float) -> Values:
    return [0.0] * minute + [value] * (SHORT + 1 - minute)
