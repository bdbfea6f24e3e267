"""What an apply would do: pure, from the files wanted and the facts of the machine to a Plan.

The machine may stand between two sets, where an earlier apply was killed. So files alone don't decide: what systemd
has loaded and whether it is active is asked for, and the plan is what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from scheduled_tasks.deploy.limits import Comparison
from scheduled_tasks.render import names

# systemd starts the clocks' targets with its own timers.
WANTED_BY = "timers.target.wants"


@dataclass(frozen=True)
class Loaded:
    """A unit as systemd has it in memory.

    Attributes:
        active: whether it is started.
        outdated: whether its files changed since systemd read them.
        started_before: whether it was active once, since it was loaded.
        next_run: when a timer elapses next, in seconds since the epoch; 0 for never.
        without_file: whether systemd finds no file for it any more.
    """

    active: bool = False
    outdated: bool = False
    started_before: bool = False
    next_run: float = 0
    without_file: bool = False


@dataclass(frozen=True)
class StoppedTimers:
    """The time in which an apply has timers stopped, as it noted it before it stopped them.

    Attributes:
        timers: the timers that it stops, each with the instant from which its new schedule counts, in seconds since
            the epoch.
        pending: those of them that had a run due already, not yet started (jitter, AccuracySec=).
    """

    timers: Mapping[str, float]
    pending: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Something in the way that isn't ours, or that somebody edited by hand; `command` does what `instead` says."""

    path: str
    found: str
    instead: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.found}; {self.instead}"


@dataclass(frozen=True)
class Facts:
    """The machine as it was found.

    Attributes:
        files: the set in force; empty where there is none.
        links: our links below systemd's folder, each with whether it points where it should.
        refusals: what stands in the way of the links that are wanted.
        loaded: the clocks' timers and targets as systemd has them.
        running: the services that run now.
        overrides: what runs keep of units that changed while they ran: service → its file below /run.
        unfinished: what an earlier apply left undone.
        is_running: whether there is a systemd at all; an image has none, and nothing is started or stopped there.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, bool] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    loaded: Mapping[str, Loaded] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    overrides: Mapping[str, str] = field(default_factory=dict)
    unfinished: StoppedTimers | None = None
    is_running: bool = True


@dataclass(frozen=True)
class Plan:
    """What is to be done, in words of files and units; empty where the machine has the set already.

    `stale_overrides` are the services with an override although their run is over. `on_running` says what the plan
    means for each running job that it touches.
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
        """Whether another set comes into force."""
        return bool(self.created or self.changed or self.removed)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        acts = self.missing_links or self.stale_links or self.stop or self.restart or self.start or self.stale_overrides
        return not (self.flips or acts or self.reload or self.unfinished)


def plan(files: Mapping[str, str], facts: Facts) -> Plan:
    """What brings the machine from what was found to a set of files."""
    old = facts.files
    wanted_links = links_of(files)
    timers = {path for path in files if path.endswith(".timer")}
    started = {path for path in files if facts.is_running and path.endswith((".timer", ".target"))}
    ours = {link.rpartition("/")[2] for link in facts.links} | old.keys()
    changed = tuple(sorted(path for path in files.keys() & old.keys() if files[path] != old[path]))
    restart = {
        path
        for path in timers & set(changed)
        if is_active(facts, path) and directives(files[path]) != directives(old[path])
    }
    outdated = any(unit.outdated for unit in facts.loaded.values())
    missing = tuple(sorted(link for link in wanted_links if not facts.links.get(link)))
    stale = tuple(sorted(facts.overrides.keys() - facts.running))
    return Plan(
        created=tuple(sorted(files.keys() - old.keys())),
        changed=changed,
        removed=tuple(sorted(old.keys() - files.keys())),
        missing_links=missing,
        stale_links=tuple(sorted(facts.links.keys() - wanted_links)),
        stop=tuple(sorted(unit for unit in ours - files.keys() if is_active(facts, unit))),
        restart=tuple(sorted(restart)),
        start=tuple(sorted(unit for unit in started if not is_active(facts, unit))),
        # A unit that is masked by hand and unmasked again has lost its link, and systemd doesn't know it by now.
        reload=_units(files) != _units(old) or bool(missing or stale) or outdated,
        unfinished=facts.unfinished,
        stale_overrides=stale,
        on_running=dict(_effects_on_running(files, facts, restart)),
    )


def _effects_on_running(files: Mapping[str, str], facts: Facts, restart: set[str]) -> Iterator[tuple[str, str]]:
    compared = Comparison(facts.files, files, facts.overrides)
    for service in sorted(facts.running):
        if compared.touches(service):
            yield service, compared.effect(service)
        elif f"{service.removesuffix('.service')}.timer" in restart:
            yield service, "goes on; only when it is due next has changed"


def _units(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path != names.JOBS}


def is_active(facts: Facts, unit: str) -> bool:
    """Whether a timer or target is active; services are none of an apply's business."""
    return facts.loaded.get(unit, Loaded()).active


def links_of(files: Iterable[str]) -> dict[str, str]:
    """Every link of a set, below systemd's folder → the set's file that it leads to."""
    paths = [path for path in files if path != names.JOBS]
    wanted = [path for path in paths if path.endswith(".target") or path == names.WATCH_TIMER]
    return {path: path for path in paths} | {f"{WANTED_BY}/{path}": path for path in wanted}


def directives(timer: str) -> list[str]:
    """What a timer's [Timer] section says: a comment or a description that changed is no reason to restart it."""
    section = timer.partition("\n[Timer]\n")[2].splitlines()
    return [line for line in section if line and not line.startswith("#")]


def calendar(timer: str) -> tuple[str, ...]:
    """The values of a timer's OnCalendar= lines."""
    return tuple(line.removeprefix("OnCalendar=") for line in directives(timer) if line.startswith("OnCalendar="))


def is_persistent(timer: str) -> bool:
    """Whether systemd keeps a stamp of the timer's last run."""
    return "Persistent=true" in directives(timer)


def sums(files: Mapping[str, str]) -> str:
    """A set's SHA256SUMS, as sha256sum(1) reads it: an operator can check a set by hand."""
    return "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n" for path, text in sorted(files.items()))


def set_name(files: Mapping[str, str]) -> str:
    """The name of a set: the hash of its SHA256SUMS."""
    return hashlib.sha256(sums(files).encode()).hexdigest()
