"""The linter of schedules: warn of runs that will surprise somebody, with exact dates.

The jobs (name, trigger, timeout in seconds or None) and the current instant go in; `ScheduleWarning`s come out. All
times come from the evaluator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from scheduled_tasks.instants import in_sentence
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.trigger import ALL, Cron, Interval, Trigger
from scheduled_tasks.schedule.trigger_lint import MAX_RUNS, ScheduleWarning, nights_of_change, trigger_warnings

Job = tuple[str, Trigger, float | None]
MIN_CROWD = 5  # starts in one second that are worth a warning
START_CPU = 0.25  # seconds of one processor for a start with its sandbox, by benchmarks/herd.py


def schedule_warnings(
    jobs: Iterable[Job], *, now: datetime, days: int = 366, processors: int = 1
) -> list[ScheduleWarning]:
    """All warnings about the next `days` days, most urgent kinds first.

    Args:
        jobs: name, trigger, and timeout in seconds of each.
        now: the beginning of these days.
        days: how many.
        processors: of the host that starts the jobs.
    """
    known = list(jobs)
    now = now.astimezone(UTC)
    until = now + timedelta(days=days)
    warnings: list[ScheduleWarning] = []
    for name, trigger, timeout in known:
        warnings += trigger_warnings(name, trigger, now, until)
        warnings += _overlap(name, trigger, timeout, now, until)
    warnings += _crowds(known, now, processors)
    crons = [(name, trigger) for name, trigger, _ in known if isinstance(trigger, Cron)]
    return warnings + _merged(warning for name, cron in crons for warning in nights_of_change(name, cron, now, until))


def _merged(warnings: Iterable[ScheduleWarning]) -> list[ScheduleWarning]:
    """Merge the warnings that are the same for several jobs, and sort by date."""
    jobs: dict[ScheduleWarning, list[str]] = defaultdict(list)
    for warning in warnings:
        jobs[replace(warning, jobs=())].extend(warning.jobs)
    merged = (replace(warning, jobs=tuple(names)) for warning, names in jobs.items())
    return sorted(merged, key=lambda warning: warning.at)


def _overlap(
    name: str, trigger: Trigger, timeout: float | None, now: datetime, until: datetime
) -> list[ScheduleWarning]:
    """Warn if two runs are closer together than a run can take: systemd then starts the second late or not at all."""
    if not timeout:
        return []
    runs = [run.at for run in islice(occurrences(trigger, after=now, until=until), MAX_RUNS)]
    near = [(late - early, early) for early, late in pairwise(runs) if (late - early).total_seconds() < timeout]
    if not near:
        return []
    distance, at = min(near)
    return [
        ScheduleWarning(
            "overlap", (name,),
            f"a run can take {timeout:g} s, and the next is due {distance.total_seconds():g} s after the one at "
            f"{in_sentence(at)}; a run that is due while the previous one still runs is not started",
            (at,),
            "a shorter timeout, or fewer runs",
        )
    ]  # fmt: skip


def _crowds(jobs: Sequence[Job], now: datetime, processors: int) -> list[ScheduleWarning]:
    """Warn of jobs that start in the same second of the next day, and suggest quieter minutes."""
    starts: dict[datetime, list[str]] = defaultdict(list)
    load: dict[int, int] = defaultdict(int)  # minute of the day, in UTC → starts
    end = now + timedelta(days=1)
    for name, trigger, _ in jobs:
        if isinstance(trigger, Cron) and len(trigger.seconds) == len(ALL["second"]):
            continue  # a "reading" warning reports it
        if isinstance(trigger, Interval) and trigger.every < 60:  # noqa: PLR2004 - less than a minute
            continue
        for run in occurrences(trigger, after=now, until=end):
            starts[run.at].append(name)
            load[run.at.hour * 60 + run.at.minute] += 1
    seen: set[tuple[str, ...]] = set()
    warnings = []
    for at, names in sorted(starts.items()):
        together = tuple(names)
        if len(names) < MIN_CROWD or together in seen:
            continue
        seen.add(together)
        seconds = max(1, round(len(names) * START_CPU / processors))
        late = f"about {seconds} s late on {processors} processor{'s' * (processors > 1)}"
        warnings.append(
            ScheduleWarning(
                "crowd", together,
                f"{len(names)} jobs start in the same second, next at {in_sentence(at)}, the last of them {late}",
                (at,), _spread(at, together, load),
            )
        )  # fmt: skip
    return warnings


def _spread(at: datetime, names: tuple[str, ...], load: dict[int, int]) -> str:
    """Suggest the quietest minutes of the next quarter of an hour, one for each job in turn."""
    start = at.hour * 60 + at.minute
    minutes = sorted(range(start, start + 15), key=lambda minute: (load[minute % 1440], minute))
    delays = [(name, minutes[n % len(minutes)] - start) for n, name in enumerate(names[1:6])]
    later = ", ".join(f"{name} by {delay} min" for name, delay in delays if delay)
    more = f", and so on for the other {len(names) - 6}" if len(names) > 6 else ""  # noqa: PLR2004
    return f"keep {names[0]}; delay {later}{more}; or write jitter=60 for each"
