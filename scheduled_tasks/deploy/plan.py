"""Plan what an apply would do, from the wanted set and the state of the machine. Pure.

An apply that was killed may have left the machine between two sets. So the plan compares not files alone, but also what
systemd has loaded and started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scheduled_tasks.deploy.limits import Comparison
from scheduled_tasks.options.alert_words import changed_words
from scheduled_tasks.render import names
from scheduled_tasks.render.unit_set import UnitSet

# systemd evaluates a line in a time zone in a child process. Measured on 252: 1,000 such lines add 2 to 3 s to a
# daemon-reload, and 1,000 lines in UTC nothing.
LINE_SECONDS = 0.0025
SLOW_RELOAD = 1.0  # seconds that a plan mentions


@dataclass(frozen=True)
class Loaded:
    """A unit as systemd has it in memory.

    Attributes:
        active: whether it is started.
        outdated: whether its files changed since systemd read them.
        next_run: when a timer elapses next, in seconds since the epoch; 0 for never.
        without_file: whether its file is gone.
    """

    active: bool = False
    outdated: bool = False
    next_run: float = 0
    without_file: bool = False


@dataclass(frozen=True)
class StoppedTimers:
    """The timers that an apply stops, as it recorded them before.

    Attributes:
        timers: each with the instant from which its new schedule counts, in seconds since the epoch.
        pending: those that had a run due already, not yet started (jitter, AccuracySec=).
    """

    timers: Mapping[str, float]
    pending: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """A file in the way of an apply that isn't ours or was edited by hand.

    Attributes:
        path: the file.
        problem: what is wrong with it.
        instead: what to do about it.
        command: the command that does it, if there is one.
    """

    path: str
    problem: str
    instead: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.instead}"


@dataclass(frozen=True)
class MachineState:
    """The state of the machine.

    Attributes:
        units: the current set; empty before the first apply.
        links: our links below systemd's directory, each with whether it points where it should.
        conflicts: what is in the way of the wanted links.
        loaded: the clocks' timers and targets as systemd has them.
        running: the services that run now.
        overrides: the limits overrides: service → text of its file below /run.
        unfinished: the timers that an apply stopped before it was killed.
        is_running: whether there is a systemd at all; an image has none, and nothing is started or stopped there.
    """

    units: UnitSet = field(default_factory=UnitSet)
    links: Mapping[str, bool] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    loaded: Mapping[str, Loaded] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    overrides: Mapping[str, str] = field(default_factory=dict)
    unfinished: StoppedTimers | None = None
    is_running: bool = True

    def is_active(self, unit: str) -> bool:
        """Whether a timer or target is active."""
        return self.loaded.get(unit, Loaded()).active


@dataclass(frozen=True)
class Plan:
    """The steps to take, by the files, links and units that they concern; empty if the machine has the set already.

    Attributes:
        reload: whether systemd has to read its units again.
        stale_overrides: the services that have a limits override although the run is over.
        on_running: a sentence for each running job that the plan touches.
    """

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    missing_links: tuple[str, ...] = ()
    stale_links: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    reload: bool = False
    unfinished: StoppedTimers | None = None
    stale_overrides: tuple[str, ...] = ()
    on_running: Mapping[str, str] = field(default_factory=dict)

    @property
    def flips(self) -> bool:
        """Whether another set becomes current."""
        return bool(self.created or self.changed or self.removed)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        links, timers = self.missing_links or self.stale_links, self.stop or self.restart or self.start
        return not (self.flips or links or timers or self.reload or self.unfinished or self.stale_overrides)


def reload_seconds(units: UnitSet) -> float:
    """How much longer each daemon-reload of the host takes for these timers, in seconds, by LINE_SECONDS."""
    timers = (path for path in units if path.endswith(".timer"))
    lines = (line for timer in timers for line in units.file(timer).values("OnCalendar"))
    return LINE_SECONDS * sum(not line.endswith(" UTC") for line in lines)


def changed_meanings(old: UnitSet, new: UnitSet) -> list[tuple[str, str, str, str]]:
    """Changed options of jobs that no unit has: `CLOCK/JOB`, the option, and in words what it meant and means."""
    if old.get(names.JOBS) == new.get(names.JOBS):
        return []
    before = {(job["clock"], job["job"]): job["options"] for job in old.jobs}
    return [
        (f"{job['clock']}/{job['job']}", *changed)
        for job in new.jobs
        if (known := before.get((job["clock"], job["job"]))) is not None
        for changed in changed_words(known, job["options"])
    ]


def plan(units: UnitSet, state: MachineState) -> Plan:
    """Plan how to bring the machine to a set."""
    old = state.units
    started = {path for path in units if state.is_running and path.endswith((".timer", ".target"))}
    ours = {link.rpartition("/")[2] for link in state.links} | old.keys()
    changed = tuple(sorted(path for path in units.keys() & old.keys() if units[path] != old[path]))
    timers = (path for path in changed if path.endswith(".timer") and state.is_active(path))
    # A comment or a description that changed is no reason to restart a timer.
    restart = {timer for timer in timers if units.file(timer).section("Timer") != old.file(timer).section("Timer")}
    outdated = any(unit.outdated for unit in state.loaded.values())
    missing = tuple(sorted(link for link in units.links if not state.links.get(link)))
    stale_overrides = tuple(sorted(state.overrides.keys() - state.running))
    return Plan(
        created=tuple(sorted(units.keys() - old.keys())),
        changed=changed,
        removed=tuple(sorted(old.keys() - units.keys())),
        missing_links=missing,
        stale_links=tuple(sorted(state.links.keys() - units.links)),
        stop=tuple(sorted(unit for unit in ours - units.keys() if state.is_active(unit))),
        restart=tuple(sorted(restart)),
        start=tuple(sorted(unit for unit in started if not state.is_active(unit))),
        # A unit that was masked by hand and unmasked again lacks its link, and systemd has forgotten it.
        reload=units.units != old.units or bool(missing or stale_overrides or state.unfinished) or outdated,
        unfinished=state.unfinished,
        stale_overrides=stale_overrides,
        on_running=dict(_effects_on_running(units, state, restart)),
    )


def _effects_on_running(units: UnitSet, state: MachineState, restart: set[str]) -> Iterator[tuple[str, str]]:
    comparison = Comparison(state.units, units, state.overrides)
    for service in sorted(state.running):
        if comparison.touches(service):
            yield service, comparison.effect(service)
        elif f"{service.removesuffix('.service')}.timer" in restart:
            yield service, "goes on; only its next due time has changed"
