"""Compute what a running job would lose if another set were applied: its limits, or its whole unit. Pure.

A reload applies these directives to running services too (decision 0005 has what was measured). `running_jobs` writes
the limits overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from scheduled_tasks.options import seconds_of
from scheduled_tasks.render.unit_file import UnitFile, merge
from scheduled_tasks.render.unit_set import UnitSet

# Directive → its values in their order, see `unit_file.merge`.
Limits = Mapping[str, tuple[str, ...]]

# With their defaults in seconds (the second's is really 90, unless system.conf has another). A longer one does no harm:
# it gives a run that is about to be ended more time at once.
SPANS = {"RuntimeMaxSec": inf, "TimeoutStartSec": 0}
LISTS = ("IPAddressAllow", "IPAddressDeny")
# With their defaults; "" as systemd's manual has it.
OTHERS = {
    **dict.fromkeys(("MemoryMax", "MemoryHigh", "TasksMax"), "infinity"),
    **dict.fromkeys(("CPUQuota", "CPUWeight", "IOWeight"), ""),
    # If a service that waits for a concurrency lock changed from notify to exec, it would be ended: it hasn't notified.
    "Type": "",
    "NotifyAccess": "none",
}
RELEVANT = frozenset((*SPANS, *LISTS, *OTHERS, "Restart"))


def limits_of(unit_files: Iterable[UnitFile]) -> dict[str, tuple[str, ...]]:
    """The limits that some unit files give a service."""
    merged = merge(unit_files)
    return {name: values if name in LISTS else values[-1:] for name, values in merged.items() if name in RELEVANT}


def lost(old: Limits, new: Limits) -> dict[str, tuple[str, ...]]:
    """The limits that a run would lose by a change of limits, with their old values."""
    shorter = (name for name in SPANS if name in old and _seconds(name, new) < _seconds(name, old))
    kept = {name: old[name] for name in shorter}
    for name in LISTS:
        before, after = (tuple(value for value in limits.get(name, ()) if value) for limits in (old, new))
        if before != after:
            kept[name] = ("", *before)
    for name, default in OTHERS.items():
        before, after = old.get(name, (default,)), new.get(name, (default,))
        if before != after and (name != "Type" or before != ("",)):
            kept[name] = before
    return kept


def _seconds(name: str, limits: Limits) -> float:
    if name not in limits:
        return SPANS[name]
    [value] = limits[name]
    return inf if value == "infinity" else seconds_of(value)


class Comparison:
    """What happens to running jobs when one set replaces another.

    Args:
        old: the current set.
        new: the next one.
        overrides: the limits overrides of earlier applies: service → text.
    """

    def __init__(self, old: UnitSet, new: UnitSet, overrides: Mapping[str, str]) -> None:
        self._old, self._new, self._overrides = old, new, overrides
        self._differing = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}

    def touched(self) -> list[str]:
        """The services of either set of which a file differs, their own or an inherited one."""
        services = dict.fromkeys((*self._old.services, *self._new.services)) if self._differing else ()
        return [service for service in services if self.touches(service)]

    def touches(self, service: str) -> bool:
        """Whether a file of a service differs."""
        paths = (service, *self._old.drop_ins(service), *self._new.drop_ins(service))
        return not self._differing.isdisjoint(paths)

    def lost(self, service: str) -> dict[str, tuple[str, ...]] | None:
        """The limits that a run of a service would lose; None if it would lose its whole unit."""
        if service in self._old and service not in self._new:
            return None
        return lost(self._before(service), limits_of(self._new.files_of(service)))

    def old_files(self, service: str) -> list[UnitFile]:
        """What systemd has read for a service of the current set."""
        return self._old.files_of(service)

    def effect(self, service: str) -> str:
        """Describe in a sentence what happens to a run of a touched service."""
        losses = self.lost(service)
        if losses is None:
            return "goes on to its end with its limits, and is not started again"
        before, after = self._before(service), limits_of(self._new.files_of(service))
        keeps = [f"{name}={' '.join(filter(None, values))}" for name, values in sorted(losses.items())]
        longer = [name for name in SPANS if name not in losses and before.get(name) != after.get(name)]
        gets = [f"{name}={after.get(name, ('infinity',))[0]}" for name in longer if service in self._old]
        effects = ["goes on to its end as it was started"]
        effects += [f"keeps {', '.join(keeps)}"] if keeps else []
        effects += [f"has {', '.join(gets)} from now on"] if gets else []
        effects += ["its next run is the new one"]
        if before.get("Restart", ("no",)) != after.get("Restart", ("no",)):
            effects.append("the new unit decides whether this run is retried")
        return "; ".join(effects)

    def _before(self, service: str) -> dict[str, tuple[str, ...]]:
        files = self.old_files(service)
        files += [UnitFile(self._overrides[service])] if service in self._overrides else []
        # A unit that was removed and comes back has no limits in the meantime.
        return limits_of(files or [UnitFile("RuntimeMaxSec=infinity")])
