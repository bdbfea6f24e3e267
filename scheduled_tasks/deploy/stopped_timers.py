"""Stop and restart timers around an apply without firing or losing a run.

Decision 0005 has the facts about systemd. In short: once a timer is stopped, its new schedule counts. The stamp of a
persistent timer is set to that moment, and systemd itself starts what fell due since. For a plain timer it would also
start earlier runs; so the service is blocked while the timer starts, and what fell due is started afterwards.

Everything that needs space on a disk is written before the timers are stopped: no full disk keeps them from starting.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduled_tasks.deploy import start_requests, systemd
from scheduled_tasks.deploy.analyze import next_runs
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import stopped_timers_path
from scheduled_tasks.deploy.plan import MachineState, Plan, StoppedTimers
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.instants import from_epoch
from scheduled_tasks.render.names import Places, service_of, timer_name
from scheduled_tasks.render.unit_file import UnitFile
from scheduled_tasks.render.unit_set import UnitSet
from scheduled_tasks.schedule.evaluator import latest_occurrence
from scheduled_tasks.schedule.trigger import Trigger

STARTED = "Id,NextElapseUSecRealtime,InactiveExitTimestamp"
SETTLE_TIMEOUT = 30.0  # seconds; a timer with a past run elapses as soon as it starts, or systemd is stuck


@dataclass(frozen=True)
class Restart:
    """How timers are started again after the switch.

    Attributes:
        stopped: the stopped timers, as recorded on disk.
        nominal_times: for the timers with a pending run, its nominal time by the old schedule.
        start: the units to start.
        blocked: the timers whose services must not start just because the timer does.
        stamps: for the persistent timers, the instant to set their stamp to, in seconds since the epoch.
    """

    stopped: StoppedTimers
    nominal_times: Mapping[str, datetime]
    start: tuple[str, ...]
    blocked: tuple[str, ...]
    stamps: Mapping[str, float]


def before_stop(state: MachineState, todo: Plan, units: UnitSet, places: Places, effects: Effects) -> Restart:
    """Record which timers are about to be stopped, for the next apply if this one is killed; plan their restart."""
    for link in places.blocked.glob("*"):  # left by a killed apply
        effects.remove(link)
    now = time.time()
    earlier = todo.unfinished or StoppedTimers({})
    since = {timer: at for timer, at in earlier.timers.items() if timer in units}
    removed = [unit for unit in todo.stop if unit in state.units]  # started again only if the apply fails
    stopping = (*todo.restart, *(unit for unit in removed if unit.endswith(".timer")))
    since = dict.fromkeys(stopping, now) | since
    start = tuple(dict.fromkeys((*todo.start, *todo.restart, *removed)))
    timers = [unit for unit in start if unit.endswith(".timer")]
    # Read now, not when the apply began: a run that jitter delayed may have started since, and must not start twice.
    known = [timer for timer in timers if timer in state.loaded]
    shown = systemd.show(STARTED, *known, manager=places.manager) if known else ()
    due = {
        timer["Id"]: systemd.timestamp(timer.get("NextElapseUSecRealtime", ""))
        for timer in shown
        if timer["Id"] in todo.restart
    }
    stopped = StoppedTimers(since, tuple(dict.fromkeys((*earlier.pending, *_pending(due, state.units, now)))))
    both = state.units | units
    before = {timer["Id"] for timer in shown if timer["InactiveExitTimestamp"]}  # active once since they were loaded
    persistent = {timer: since.get(timer, now) for timer in timers if _is_persistent(timer, both)}
    plan = Restart(
        stopped=stopped,
        nominal_times=_nominal_times({timer: due[timer] for timer in stopped.pending if timer in due}, state.units),
        start=start,
        blocked=tuple(timer for timer in timers if timer in before and timer not in persistent),
        stamps={
            timer: at
            for timer, at in persistent.items()
            if _needs_stamp(places.stamps / f"stamp-{timer}", both.file(timer), at, was_started=timer in before)
        },
    )
    _prepare(plan, places, effects)
    if since or todo.reload:
        record = json.dumps({"timers": since, "pending": stopped.pending})
        effects.replace(stopped_timers_path(places), record)
    return plan


def _prepare(plan: Restart, places: Places, effects: Effects) -> None:
    """Make the files that the restart needs, none of which has an effect yet."""
    for timer, since in plan.stamps.items():
        if not (stamp := places.stamps / f"stamp-{timer}").exists():
            effects.write(stamp, "")
            effects.set_time(stamp, since)
    if plan.blocked:
        effects.folder(places.blocked)
    for timer in plan.blocked:
        effects.link(_block(timer, places), effects.path_of_this_process)


def _pending(due: Mapping[str, float], units: UnitSet, now: float) -> list[str]:
    """The timers with a past run still to start: delayed by jitter, or by less than AccuracySec=."""
    following = next_runs({timer: units.file(timer).values("OnCalendar") for timer in due}, now)
    return [
        timer
        for timer, at in due.items()
        if at and (at <= now or ((later := following[timer]) is not None and at < later.timestamp()))
    ]


def _needs_stamp(stamp: Path, timer: UnitFile, since: float, *, was_started: bool) -> bool:
    """Whether systemd would start a run from before `since`, by the timer's stamp or, without one, from memory."""
    try:
        last = stamp.stat().st_mtime
    except FileNotFoundError:
        return was_started
    run = next_runs({"": timer.values("OnCalendar")}, last)[""] if last < since else None
    return run is not None and run.timestamp() <= since


def restart(plan: Restart, units: UnitSet, places: Places, effects: Effects) -> tuple[str, ...]:
    """Start the timers, and the services that fell due while they were stopped; return these services."""
    for timer, since in plan.stamps.items():
        if timer not in units:
            continue
        stamp = places.stamps / f"stamp-{timer}"
        if not stamp.exists():  # `systemctl clean` just removed it
            effects.write(stamp, "")
        elif stamp.stat().st_mtime >= since:  # it elapsed at the last moment
            continue
        effects.set_time(stamp, since)
    with effects.with_path_of_this_process():  # the links of the blocked services lead to it
        effects.systemctl("start", [unit for unit in plan.start if unit in units])
        settled = _settle([timer for timer in plan.blocked if timer in units], places)
    for timer in plan.blocked:
        effects.remove(_block(timer, places))
    overdue = _overdue(plan.stopped, units, settled, places)
    services = [service_of(timer) for timer in overdue]
    for timer, service in zip(overdue, services, strict=True):  # the ledger counts it as the timer's run of that slot
        at = plan.nominal_times.get(timer)
        start_requests.write(places, service, at=at, trigger="timer", effects=effects)
    effects.systemctl("start", services, "--no-block")
    return tuple(services)


def _is_persistent(timer: str, units: UnitSet) -> bool:
    return "true" in units.file(timer).values("Persistent")


def _nominal_times(due: Mapping[str, float], units: UnitSet) -> dict[str, datetime]:
    """The nominal times of the runs that are due at some instants, by the schedules of the set."""
    times = {}
    for job in units.jobs if due else ():
        timer = timer_name(job["clock"], job["job"])
        if timer in due:
            trigger, at = Trigger.from_json(job["schedule"]), from_epoch(due[timer])
            if occurrence := latest_occurrence(trigger, at_or_before=at):
                times[timer] = occurrence.at
    return times


def _block(timer: str, places: Places) -> Path:
    """The link that keeps a timer's service from starting while its target exists."""
    return places.blocked / timer.removesuffix(".timer")


def _settle(timers: list[str], places: Places) -> float:
    """Wait until no timer has a past run to start; return an instant at which none had."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        now = time.time()
        if not timers:
            return now
        units = [*timers, *map(service_of, timers)]
        shown = systemd.show("Id,NextElapseUSecRealtime,Job", *units, manager=places.manager)
        due = [unit["Id"] for unit in shown if 0 < systemd.timestamp(unit.get("NextElapseUSecRealtime", "")) <= now]
        if not due and not any(map(systemd.has_job, shown)):
            return now
        if time.monotonic() > deadline:
            raise SystemdError(f"{', '.join(due) or 'the jobs'}: systemd did not settle within {SETTLE_TIMEOUT:.0f} s")
        time.sleep(0.02)


def _overdue(stopped: StoppedTimers, units: UnitSet, settled: float, places: Places) -> list[str]:
    """The timers with a run that fell due since they were stopped and did not start."""
    timers = {timer: since for timer, since in stopped.timers.items() if timer in units}
    if not timers:
        return []
    services = {service_of(timer): timer for timer in timers}
    started = {
        services[unit["Id"]]: systemd.timestamp(unit["ExecMainStartTimestamp"])
        for unit in systemd.show("Id,ExecMainStartTimestamp", *services, manager=places.manager)
    }
    waiting = {timer: since for timer, since in timers.items() if started.get(timer, 0) < since}
    overdue = [timer for timer in waiting if timer in stopped.pending]
    for since in sorted(set(waiting.values())):  # one per apply; several only after killed ones
        plain = [timer for timer, at in waiting.items() if at == since and not _is_persistent(timer, units)]
        runs = next_runs({timer: units.file(timer).values("OnCalendar") for timer in plain}, since)
        overdue += [timer for timer, run in runs.items() if run and run.timestamp() <= settled and timer not in overdue]
    return overdue


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer the signals of a lost connection or Ctrl-C until the timers run again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
