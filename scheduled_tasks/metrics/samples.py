"""Turn a reading of the ledger into samples. Pure.

`metrics_jobs` bounds how many series of jobs there are: of all jobs, of those that need somebody's attention, or of the
jobs of some clocks. The series of clocks, hosts and the fleet are always there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from scheduled_tasks import __version__
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.metrics import families
from scheduled_tasks.metrics.exposition import Sample, histogram
from scheduled_tasks.metrics.job_rows import Streak
from scheduled_tasks.operate.watch.slot_counts import BOUNDS, RESULTS
from scheduled_tasks.schedule.description import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.metrics.deadlines import Subject
    from scheduled_tasks.metrics.families import Family
    from scheduled_tasks.metrics.job_rows import JobRows
    from scheduled_tasks.metrics.reading import FleetReading, Reading
    from scheduled_tasks.operate.slots import DeployedJob, Pause

describe_once = cache(describe)


class Some(Enum):
    """Of which jobs there are series, unless clocks are listed."""

    ALL = "all"
    BAD = "bad"


Which = Some | frozenset[str]  # or of which clocks


def which_jobs(configured: object) -> Which:
    """Read `metrics_jobs` of the configuration.

    Raises:
        ConfigurationError: it is something else.
    """
    if configured is None or configured == "":
        return Some.ALL
    if isinstance(configured, str) and configured in {some.value for some in Some}:
        return Some(configured)
    if isinstance(configured, list) and all(isinstance(name, str) and name for name in configured):
        return frozenset(configured)
    raise ConfigurationError(f'metrics_jobs = {configured!r}: write "all", "bad", or a list of clocks, ["booking"]')


def of_jobs(reading: Reading, which: Which) -> dict[Family, list[Sample]]:
    """The series of clocks, jobs and flags."""
    samples: dict[Family, list[Sample]] = defaultdict(list)
    clocks = set()
    for subject, on_hosts in reading.deployed.items():
        clocks.add(subject[0])
        is_paused = _is_paused(reading.paused, on_hosts)
        if _is_wanted(reading.rows, which, subject, is_paused=is_paused):
            for family, value in _values(reading, subject, on_hosts, is_paused=is_paused):
                samples[family].append(Sample(subject, value))
            samples[families.INFO].append(Sample((*subject, *_info(_newest(on_hosts))), 1))
    _add_clocks(samples, reading, clocks)
    for name, is_active in reading.features.items():
        samples[families.FEATURE_ACTIVE].append(Sample((name,), is_active))
    return samples


def _is_wanted(rows: JobRows, which: Which, subject: Subject, *, is_paused: bool) -> bool:
    if isinstance(which, frozenset):
        return subject[0] in which
    return which is Some.ALL or subject in rows.bad or subject in rows.running or is_paused


def _is_paused(pauses: Iterable[Pause], on_hosts: Iterable[DeployedJob]) -> bool:
    """Whether it is paused on each of its hosts, in its clock file or by somebody."""
    return all(
        job.options.get("paused") or any(pause.covers(job.clock, job.job, job.host) for pause in pauses)
        for job in on_hosts
    )


def _values(
    reading: Reading, subject: Subject, on_hosts: Sequence[DeployedJob], *, is_paused: bool
) -> Iterator[tuple[Family, float | datetime]]:
    rows, options = reading.rows, _newest(on_hosts).options
    flags = {rows.off.get(subject, ""), options.get("flag") or ""}
    is_off = not all(reading.features.get(flag, True) for flag in flags)
    if at := rows.last_success.get(subject):
        yield families.LAST_SUCCESS, at
    streak = rows.bad.get(subject, Streak(0, 0, 0))
    if is_off and streak.missed == streak.slots:  # that nobody began a slot is of no importance while its flag is off
        streak = Streak(0, 0, 0)
    yield families.LAST_SLOT_BAD, subject in rows.bad
    yield families.BAD_IN_A_ROW, streak.slots
    if streak.missed:
        yield families.MISSED_IN_A_ROW, streak.missed
    if streak.lost:
        yield families.LOST_IN_A_ROW, streak.lost
    yield families.ALERT_AFTER, options.get("alert_after") or 1
    if (at := rows.deadlines.get(subject)) and not (is_paused or is_off):
        yield families.NEXT_DEADLINE, at
    running = rows.running.get(subject)
    if running:
        yield families.RUNNING_SINCE, running.since
    if expected := options.get("expected_duration") or (running and running.usual_limit):
        yield families.EXPECTED_DURATION, float(expected)
    yield families.PAUSED, is_paused


def _newest(on_hosts: Sequence[DeployedJob]) -> DeployedJob:
    """The deployment whose options count while hosts have different ones."""
    return max(on_hosts, key=lambda job: job.valid_from)


def _info(job: DeployedJob) -> tuple[str, ...]:
    """The labels of `job_info` after those that name the job."""
    owner, flag, runbook = (str(job.options.get(name) or "") for name in ("owner", "flag", "runbook"))
    told = "no" if job.options.get("notify") == [] else ""
    return owner, flag, job.trigger.zone, describe_once(job.trigger), runbook, told


def _add_clocks(samples: dict[Family, list[Sample]], reading: Reading, clocks: Collection[str]) -> None:
    for clock, totals in reading.clocks.items():
        if clock in clocks:
            samples[families.SLOTS] += [Sample((clock, status), totals.slots[status]) for status in RESULTS]
            samples[families.RUN_DURATION] += histogram((clock,), totals.durations, BOUNDS, totals.seconds)


def of_fleet(fleet: FleetReading, now: datetime, host: str | None = None) -> dict[Family, list[Sample]]:
    """The series of the hosts, or of one, and of the fleet."""
    samples: dict[Family, list[Sample]] = {
        families.HEARTBEAT: [
            Sample((name,), at) for name, at in fleet.heartbeats.items() if host is None or name == host
        ],
        families.UNSENT_NOTICES: [Sample((), fleet.unsent)],
        **always(now, is_up=True),
    }
    if fleet.accounted_until:
        samples[families.ACCOUNTED_UNTIL] = [Sample((), fleet.accounted_until)]
    return samples


def always(now: datetime, *, is_up: bool) -> dict[Family, list[Sample]]:
    """The series that are there even if the ledger can't be read."""
    return {
        families.BUILD_INFO: [Sample((__version__,), 1)],
        families.LEDGER_UP: [Sample((), is_up)],
        families.READ_AT: [Sample((), now)],
    }


def pending(host: str, number: int) -> Mapping[Family, list[Sample]]:
    """The series of what is on a host's disk."""
    return {families.PENDING_RESULTS: [Sample((host,), number)]}
