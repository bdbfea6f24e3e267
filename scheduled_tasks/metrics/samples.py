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
from scheduled_tasks.operate.watch.slot_counts import BOUNDS, RESULTS
from scheduled_tasks.schedule.description import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduled_tasks.metrics.families import Family
    from scheduled_tasks.metrics.job_rows import Job
    from scheduled_tasks.metrics.reading import FleetReading, Reading
    from scheduled_tasks.operate.slots import DeployedJob

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
    if configured in {"", None}:
        return Some.ALL
    if isinstance(configured, str) and configured in {some.value for some in Some}:
        return Some(configured)
    if isinstance(configured, list) and all(isinstance(name, str) and name for name in configured):
        return frozenset(configured)
    raise ConfigurationError(f'metrics_jobs = {configured!r}: write "all", "bad", or a list of clocks, ["booking"]')


def of_jobs(reading: Reading, which: Which, host: str | None = None) -> dict[Family, list[Sample]]:
    """The series of clocks, jobs and flags; with `host`, only of what is deployed there."""
    samples: dict[Family, list[Sample]] = defaultdict(list)
    jobs = {
        job: on_hosts
        for job, on_hosts in reading.deployed.items()
        if host is None or any(deployed.host == host for deployed in on_hosts)
    }
    _add_clocks(samples, reading, {clock for clock, _ in jobs})
    for job, on_hosts in jobs.items():
        if _is_wanted(reading, which, job):
            for family, value in _values(reading, job, on_hosts):
                samples[family].append(Sample(job, value))
            samples[families.INFO].append(Sample((*job, *_info(on_hosts[0])), 1))
    for name, is_active in reading.features.items():
        samples[families.FEATURE_ACTIVE].append(Sample((name,), is_active))
    return samples


def _is_wanted(reading: Reading, which: Which, job: Job) -> bool:
    if isinstance(which, frozenset):
        return job[0] in which
    rows = reading.rows
    return which is Some.ALL or job in rows.bad or job in rows.running or _is_paused(reading, job)


def _is_paused(reading: Reading, job: Job) -> bool:
    """Whether it is paused on each of its hosts, in its clock file or by somebody."""
    return all(
        deployed.options.get("paused") or any(pause.covers(*job, deployed.host) for pause in reading.paused)
        for deployed in reading.deployed[job]
    )


def _values(reading: Reading, job: Job, on_hosts: Sequence[DeployedJob]) -> Iterable[tuple[Family, float | datetime]]:
    rows, options = reading.rows, on_hosts[0].options
    if at := rows.last_success.get(job):
        yield families.LAST_SUCCESS, at
    streak = rows.bad.get(job)
    yield families.LAST_SLOT_BAD, streak is not None
    yield families.BAD_IN_A_ROW, streak.slots if streak else 0
    yield families.MISSED_IN_A_ROW, streak.missed if streak else 0
    yield families.ALERT_AFTER, options.get("alert_after") or 1
    if at := rows.deadlines.get(job):
        yield families.NEXT_DEADLINE, at
    running = rows.running.get(job)
    if running:
        yield families.RUNNING_SINCE, running.since
    expected = options.get("expected_duration") or (running.usual_limit if running else None)
    if expected:
        yield families.EXPECTED_DURATION, float(expected)
    yield families.PAUSED, _is_paused(reading, job)


def _info(deployed: DeployedJob) -> tuple[str, str, str, str]:
    options, trigger = deployed.options, deployed.trigger
    return options.get("owner") or "", options.get("flag") or "", trigger.zone, describe_once(trigger)


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
