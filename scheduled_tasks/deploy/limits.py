"""What a running job would lose by another set's units: its limits, or its unit. Pure, from the texts of two sets.

systemd holds a running service to what a reload brings (decision 0005 has what was measured): these directives are
what it takes from there. kept_runs writes down what is to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf

from scheduled_tasks.deploy.service_groups import drop_ins, folders_of
from scheduled_tasks.options import seconds_of

# A directive's values in their order; of most the last one counts.
Limits = Mapping[str, tuple[str, ...]]

# Each with what it is where no line says it, in seconds (the second is a minute and a half, or as system.conf has it).
# A longer one only helps: a run that is about to be ended is given the time at once.
SPANS = {"RuntimeMaxSec": inf, "TimeoutStartSec": 0}
# One empty value among theirs forgets those before.
LISTS = ("IPAddressAllow", "IPAddressDeny")
# Each with what it is where no line says it; "" where systemd's manual has it so.
OTHERS = {
    "MemoryMax": "infinity",
    "MemoryHigh": "infinity",
    "TasksMax": "infinity",
    "CPUQuota": "",
    "CPUWeight": "",
    "IOWeight": "",
    # While it waits for its turn: a service that was notify and is exec would be ended for having said nothing.
    "Type": "",
    "NotifyAccess": "none",
}
READ = frozenset((*SPANS, *LISTS, *OTHERS, "Restart"))


def read_by(service: str, files: Mapping[str, str], folders: Mapping[str, list[str]]) -> list[str]:
    """What systemd reads of a set for a service, in its order: its unit, then all that it inherits and overrides."""
    return [files[path] for path in (service, *drop_ins(service, folders)) if path in files]


def limits_of(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What unit files say of a service's limits, as one: a later one's line counts."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name in LISTS:
                found[name] = (*found.get(name, ()), value) if value else ("",)
            elif name in READ:
                found[name] = (value,)
    return found


def lost(old: Limits, new: Limits) -> dict[str, tuple[str, ...]]:
    """What a run that was started with some limits would lose by others, with the values that it has."""
    shorter = (name for name in SPANS if name in old and _seconds(name, new) < _seconds(name, old))
    kept = {name: old[name] for name in shorter}
    for name in LISTS:
        before, after = (tuple(value for value in each.get(name, ()) if value) for each in (old, new))
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
    """Two sets, as what becomes of the jobs that run while one follows the other.

    Args:
        old: the set in force.
        new: the one that comes.
        kept: what runs keep already, by an earlier apply: service → text.
    """

    def __init__(self, old: Mapping[str, str], new: Mapping[str, str], kept: Mapping[str, str]) -> None:
        self._old, self._new, self._kept = old, new, kept
        self._folders = folders_of(old), folders_of(new)
        self._differing = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}

    def touched(self) -> Iterator[str]:
        """The services of either set of which a file differs, their own or one that they inherit."""
        if not self._differing:
            return
        for service in dict.fromkeys((*self._old, *self._new)):
            if service.endswith(".service") and self.touches(service):
                yield service

    def touches(self, service: str) -> bool:
        """Whether a service is one of these."""
        read = (service, *(path for folders in self._folders for path in drop_ins(service, folders)))
        return not self._differing.isdisjoint(read)

    def lost(self, service: str) -> dict[str, tuple[str, ...]] | None:
        """What a run of a service would lose; None where it would lose its unit."""
        if service in self._old and service not in self._new:
            return None
        return lost(self._before(service), limits_of(read_by(service, self._new, self._folders[1])))

    def unit(self, service: str) -> list[str]:
        """The texts that a service of the set in force is made of."""
        return read_by(service, self._old, self._folders[0])

    def effect(self, service: str) -> str:
        """What becomes of a run of a service that is touched, in words."""
        loses = self.lost(service)
        if loses is None:
            return "goes on to its end with its limits, and is not started again"
        before, after = self._before(service), limits_of(read_by(service, self._new, self._folders[1]))
        keeps = [f"{name}={' '.join(filter(None, values))}" for name, values in sorted(loses.items())]
        longer = [name for name in SPANS if name not in loses and before.get(name) != after.get(name)]
        gets = [f"{name}={after.get(name, ('infinity',))[0]}" for name in longer if service in self._old]
        said = ["goes on to its end as it was started"]
        said += [f"keeps {', '.join(keeps)}"] if keeps else []
        said += [f"has {', '.join(gets)} from now on"] if gets else []
        said += ["its next run is the new one"]
        if before.get("Restart", ("no",)) != after.get("Restart", ("no",)):
            said.append("the new unit says whether this one is tried again")
        return "; ".join(said)

    def _before(self, service: str) -> dict[str, tuple[str, ...]]:
        known = [*self.unit(service), self._kept.get(service, "")]
        # A unit that was taken away and comes back is held to nothing meanwhile.
        return limits_of(known if any(known) else ["RuntimeMaxSec=infinity"])
