"""The sentences of messages: subjects, and instants and durations as people read them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduled_tasks.alert.incidents import OF_RESULTS, Incident, Kind, What
from scheduled_tasks.quantities import counted, duration, relative

if TYPE_CHECKING:
    from datetime import tzinfo

_OPENED = {
    Kind.FAILING: "{name} failed",
    Kind.MISSED: "{name} missed its slot",
    Kind.LATE: "{name} started late",
    Kind.SHORT: "{name} ended sooner than expected",
    Kind.SLOW: "{name} takes longer than expected",
    Kind.SILENT: "{name} has no heartbeat",
    Kind.STALE: "the slots of {name} are not accounted for",
    Kind.UNSENT: "notices are not sent",
}
_STILL = {
    Kind.FAILING: "{name} still fails",
    Kind.MISSED: "{name} still misses its slots",
    Kind.LATE: "{name} still starts late",
    Kind.SHORT: "{name} still ends sooner than expected",
    Kind.SLOW: "{name} still takes longer than expected",
    Kind.SILENT: "{name} still has no heartbeat",
    Kind.STALE: "the slots of {name} are still not accounted for",
    Kind.UNSENT: "notices are still not sent",
}
_CLOSED = {
    Kind.FAILING: "{name} works again",
    Kind.MISSED: "{name} works again",
    Kind.LATE: "{name} starts on time again",
    Kind.SHORT: "{name} runs as long as expected again",
    Kind.SLOW: "{name} no longer runs",
    Kind.SILENT: "{name} is no longer silent",
    Kind.STALE: "the slots of {name} are accounted for again",
    Kind.UNSENT: "notices are sent again",
}
_JOBS = (Kind.FAILING, Kind.MISSED, Kind.LATE, Kind.SHORT)  # of these, slots are counted


@dataclass(frozen=True)
class Times:
    """Instants in the zone of a job, relative to `now`."""

    now: datetime
    zone_name: str = "UTC"

    def both(self, at: datetime) -> str:
        """In the zone and in UTC: Tue 2026-11-24 03:00:00 Europe/Paris (2026-11-24 02:00:00 UTC)."""
        utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{at.astimezone(UTC):%a} {utc}" if self.zone_name == "UTC" else f"{self.local(at)} ({utc})"

    def local(self, at: datetime) -> str:
        """In the zone: Tue 2026-11-24 03:00:00 Europe/Paris."""
        return f"{at.astimezone(self._zone):%a %Y-%m-%d %H:%M:%S} {self.zone_name}"

    def relative(self, at: datetime) -> str:
        """In the zone, and how far away it is: Tue 2026-11-24 03:00:00 Europe/Paris, 2 h ago."""
        return f"{self.local(at)}, {relative((at - self.now).total_seconds())}"

    @property
    def _zone(self) -> tzinfo:
        return UTC if self.zone_name == "UTC" else ZoneInfo(self.zone_name)


def ordinal(number: int) -> str:
    """A number as a rank: 1st, 2nd, 3rd, 11th."""
    teens = range(11, 14)
    ending = "th" if number % 100 in teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def sentence(incident: Incident, what: What, now: datetime, *, is_lost: bool = False) -> str:
    """What is wrong, or that it is over, in one line: shop/export failed, 3rd in a row."""
    if not incident.is_open:
        return _closed(incident, now)
    if what == What.STILL:
        parts = [_STILL[incident.kind], *_in_a_row(incident, lambda bad: f"{counted(bad, 'slot')} in a row")]
        parts.append(f"for {duration(round(incident.duration(now).total_seconds()))}")
    else:
        first = "{name} was lost" if is_lost and incident.kind == Kind.FAILING else _OPENED[incident.kind]
        parts = [first, *_in_a_row(incident, lambda bad: f"{ordinal(bad)} in a row")]
    return ", ".join(parts).format(name=incident.name)


def _in_a_row(incident: Incident, shown: Callable[[int], str]) -> list[str]:
    return [shown(incident.bad)] if incident.kind in _JOBS and incident.bad > 1 else []


def _closed(incident: Incident, now: datetime) -> str:
    if incident.kind in OF_RESULTS and incident.close_reason:
        return f"{incident.name} is no longer bad: {incident.close_reason}"
    parts = [_CLOSED[incident.kind], f"after {duration(round(incident.duration(now).total_seconds()))}"]
    if incident.kind in OF_RESULTS:
        failed = incident.bad - incident.missed
        parts += [f"{counted(failed, 'slot')} failed"] if failed > 0 else []
        parts += [f"{counted(incident.missed, 'slot')} missed"] if incident.missed else []
    return ", ".join(parts).format(name=incident.name)


def subject(incidents: Sequence[Incident], what: What, now: datetime, *, is_lost: bool = False) -> str:
    """The subject of a message."""
    last = incidents[-1]
    if what == What.DIGEST:
        still_open = sum(incident.is_open for incident in incidents)
        return f"digest: {counted(len(incidents), 'incident')}, {still_open} still open"
    if what == What.FLAPPING:
        return f"{last.name} goes bad and good again and again"
    if len(incidents) == 1:
        return sentence(last, what, now, is_lost=is_lost)
    clocks, hosts = ({getattr(incident, name) for incident in incidents} for name in ("clock", "run_host"))
    jobs = counted(len(incidents), "job") if last.job else counted(len(incidents), "incident")
    where = f" of {last.clock}" if len(clocks) == 1 and last.clock else ""
    where += f" on {last.run_host}" if len(hosts) == 1 and last.run_host else ""
    if what == What.CLOSED:
        return f"{jobs}{where}: no longer bad"
    kinds = {incident.kind for incident in incidents}
    done = {Kind.FAILING: "failed", Kind.MISSED: "missed their slots", Kind.LATE: "started late"}
    verb = done.get(last.kind, "bad") if len(kinds) == 1 else "bad"
    return f"{jobs}{where} still bad" if what == What.STILL else f"{jobs}{where} {verb}"
