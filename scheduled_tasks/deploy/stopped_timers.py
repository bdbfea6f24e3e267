"""The time in which an apply has timers stopped: that nothing fires because of it, and nothing is lost in it.

Decision 0005 has the facts about systemd. In short: from the moment that a timer is stopped its new schedule counts.
A persistent timer's stamp is set to that moment, and systemd itself starts what fell due since. A plain timer would
be given runs that lie before it; so its service is held while it starts, and what fell due is started afterwards.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scheduled_tasks.deploy import machine_state, start_requests
from scheduled_tasks.deploy.analyze import next_runs
from scheduled_tasks.deploy.effects import System, SystemdError
from scheduled_tasks.deploy.plan import Facts, Plan, Window, calendar, is_persistent
from scheduled_tasks.render.jobs_manifest import NO_JOBS
from scheduled_tasks.render.names import JOBS, Places, service_of, timer_name
from scheduled_tasks.schedule.evaluator import latest_occurrence
from scheduled_tasks.schedule.trigger import Trigger

SETTLED_SECONDS = 30.0  # a timer that elapses at its start does so at once; more than this, and systemd is stuck


@dataclass(frozen=True)
class Opened:
    """A window that is open.

    Attributes:
        noted: since when each timer doesn't count on its own, and what was pending then.
        owed: the timers that had a run due already, each with the nominal time that the old calendar had for it.
        start: the units that are to be started at its end.
        held: those whose services must not start by the start alone.
        stamps: the persistent timers, each with the instant that its stamp gets.
    """

    noted: Window
    owed: Mapping[str, datetime]
    start: tuple[str, ...]
    held: tuple[str, ...]
    stamps: Mapping[str, float]


def opened(facts: Facts, todo: Plan, files: Mapping[str, str], places: Places, system: System) -> Opened:
    """Notes what is about to be stopped, so that an apply after a killed one knows since when."""
    for left in places.held.glob("*"):  # by an apply that was killed
        system.remove(left)
    now = time.time()
    earlier = todo.unfinished or Window({})
    kept = {timer: since for timer, since in earlier.timers.items() if timer in files}
    gone = [unit for unit in todo.stop if unit in facts.files]  # started again only if the apply fails
    timers = dict.fromkeys((*todo.restart, *(unit for unit in gone if unit.endswith(".timer"))), now) | kept
    coming = tuple(dict.fromkeys((*todo.start, *todo.restart, *gone)))
    texts = {**facts.files, **files}
    # Asked now, not when the apply began: what jitter held back may have started since, and is not to start twice.
    shown = machine_state.show(places, "Id,NextElapseUSecRealtime", *todo.restart) if todo.restart else ()
    due = {timer["Id"]: machine_state.instant(timer.get("NextElapseUSecRealtime", "")) for timer in shown}
    noted = Window(timers, tuple(dict.fromkeys((*earlier.pending, *_pending(due, facts.files, now)))))
    before = {unit for unit, loaded in facts.loaded.items() if loaded.started_before}
    starting = [unit for unit in coming if unit.endswith(".timer")]
    persistent = {timer: timers.get(timer, now) for timer in starting if is_persistent(texts[timer])}
    window = Opened(
        noted=noted,
        owed=_nominal_times({timer: due[timer] for timer in noted.pending if timer in due}, facts.files),
        start=coming,
        held=tuple(timer for timer in starting if timer in before and timer not in persistent),
        stamps={
            timer: since
            for timer, since in persistent.items()
            if _needs_a_stamp(places.stamps / f"stamp-{timer}", texts[timer], since, known=timer in before)
        },
    )
    if timers:
        text = json.dumps({"timers": timers, "pending": noted.pending})
        path = machine_state.window_path(places)
        system.write(path.with_suffix(".new"), text)
        system.rename(path.with_suffix(".new"), path)
    return window


def _pending(due: Mapping[str, float], files: Mapping[str, str], now: float) -> list[str]:
    """The timers that have a run of the past still to start: delayed by jitter, or by less than AccuracySec=."""
    following = next_runs({timer: calendar(files[timer]) for timer in due}, now)
    return [
        timer
        for timer, at in due.items()
        if at and (at <= now or ((later := following[timer]) is not None and at < later.timestamp()))
    ]


def _needs_a_stamp(stamp: Path, text: str, since: float, *, known: bool) -> bool:
    """Whether systemd would start a run of the time before `since`, by the stamp or, without one, by its memory."""
    try:
        last = stamp.stat().st_mtime
    except FileNotFoundError:
        return known
    run = next_runs({"": calendar(text)}, last)[""] if last < since else None
    return run is not None and run.timestamp() <= since


def close(window: Opened, files: Mapping[str, str], places: Places, system: System) -> tuple[str, ...]:
    """Starts what is to be started, and what fell due meanwhile; returns the services of the latter."""
    for timer, since in window.stamps.items():
        if timer not in files:
            continue
        stamp = places.stamps / f"stamp-{timer}"
        if not stamp.exists():
            system.write(stamp, "")
        elif stamp.stat().st_mtime >= since:  # it elapsed at the last moment
            continue
        system.set_time(stamp, since)
    units = [unit for unit in window.start if unit in files]
    held = [timer for timer in window.held if timer in files]
    with _held(held, places, system):
        system.systemctl("start", units)
        settled = _settle(held, places)
    owed = _owed(window.noted, files, settled, places)
    for timer in owed:  # so that it is a timer's run to the ledger, of the slot that is owed
        system.folder(places.asked)
        text = start_requests.text(at=window.owed.get(timer), trigger="timer")
        system.write(places.asked / timer.removesuffix(".timer"), text)
    services = [service_of(timer) for timer in owed]
    system.systemctl("start", services, "--no-block")
    return tuple(services)


def forget_window(places: Places, system: System) -> None:
    """The last act of an apply: nothing is left undone."""
    if machine_state.window_path(places).exists():
        system.remove(machine_state.window_path(places))


def _nominal_times(due: Mapping[str, float], files: Mapping[str, str]) -> dict[str, datetime]:
    """What timers that elapse at some instants are due for, by the schedules of their set."""
    jobs = json.loads(files.get(JOBS, NO_JOBS))["jobs"] if due else []
    schedules = {timer_name(each["clock"], each["job"]): each["schedule"] for each in jobs}
    found = {}
    for timer, at in due.items():
        if timer in schedules:
            trigger = Trigger.from_json(schedules[timer])
            if run := latest_occurrence(trigger, at_or_before=datetime.fromtimestamp(at, UTC)):
                found[timer] = run.at
    return found


@contextmanager
def _held(timers: list[str], places: Places, system: System) -> Iterator[None]:
    """Keeps the timers' services from starting; a killed apply keeps nothing, since the links lead to this process."""
    if not timers:
        yield
        return
    links = [places.held / timer.removesuffix(".timer") for timer in timers]
    system.folder(places.held)
    with Path("/dev/null").open() as alive:
        # A process that gets this one's number after it was killed has no file open at such a place.
        number = fcntl.fcntl(alive, fcntl.F_DUPFD_CLOEXEC, 900)
    try:
        for link in links:
            system.link(link, f"/proc/{os.getpid()}/fd/{number}")
        yield
    finally:
        os.close(number)  # which releases them all
        for link in links:
            system.remove(link)


def _settle(timers: list[str], places: Places) -> float:
    """Waits until none of some timers has a run of the past to start; returns an instant at which that was so."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        now = time.time()
        if not timers:
            return now
        units = [*timers, *map(service_of, timers)]
        shown = machine_state.show(places, "Id,NextElapseUSecRealtime,Job", *units)
        due = [unit["Id"] for unit in shown if 0 < machine_state.instant(unit.get("NextElapseUSecRealtime", "")) <= now]
        if not due and not any(unit.get("Job", "0") not in {"", "0"} for unit in shown):
            return now
        if time.monotonic() > deadline:
            raise SystemdError(f"{', '.join(due) or 'the jobs'}: systemd did not settle within {SETTLED_SECONDS:.0f} s")
        time.sleep(0.02)


def _owed(noted: Window, files: Mapping[str, str], settled: float, places: Places) -> list[str]:
    """The timers with a run since they were stopped that nobody started."""
    timers = {timer: since for timer, since in noted.timers.items() if timer in files}
    if not timers:
        return []
    services = {service_of(timer): timer for timer in timers}
    started = {
        services[unit["Id"]]: machine_state.instant(unit["ExecMainStartTimestamp"])
        for unit in machine_state.show(places, "Id,ExecMainStartTimestamp", *services)
    }
    waiting = {timer: since for timer, since in timers.items() if started.get(timer, 0) < since}
    owed = [timer for timer in waiting if timer in noted.pending]
    for since in sorted(set(waiting.values())):  # one for an apply; more only after killed ones
        plain = [each for each, at in waiting.items() if at == since and not is_persistent(files[each])]
        runs = next_runs({timer: calendar(files[timer]) for timer in plain}, since)
        owed += [timer for timer, run in runs.items() if run and run.timestamp() <= settled and timer not in owed]
    return owed


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A lost connection or Ctrl-C waits until the timers run again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
