"""What a host knows by itself while its watch can't use the ledger, in a file that the sender of notices sees.

The watch writes it; it is root, and reaches no service outside. `fallback` tells somebody of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks import files
from scheduled_tasks.masking import mask
from scheduled_tasks.operate import reconcile

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places

PATIENCE = timedelta(minutes=5)  # before somebody is told
AFTERWARDS = timedelta(minutes=15)  # for which the end of an outage is kept, so that it is told too


@dataclass(frozen=True)
class Outage:
    """A time in which a host's watch can't use the ledger.

    Attributes:
        host: its name.
        since, until: seconds since the epoch, by its own clock; `until` is None while it lasts.
        error: why, in one line.
        results: how many results of runs are kept on its disk.
        failed: services of jobs that failed, and whose failures are not recorded.
    """

    host: str
    since: float
    error: str
    results: int = 0
    failed: tuple[str, ...] = ()
    until: float | None = None

    def is_long(self, now: datetime) -> bool:
        """Whether it lasts, or lasted, long enough to be told."""
        return (self.until or now.timestamp()) - self.since >= PATIENCE.total_seconds()


def record(places: Places, host: str, now: datetime, error: Exception) -> None:
    """Record that the watch could not use the ledger."""
    known = read(places)
    since = known.since if known and known.until is None else now.timestamp()
    results, notes = (sorted(places.state.glob(pattern)) for pattern in reconcile.PENDING)
    failed = dict.fromkeys(f"{note.name.partition('.service.')[0]}.service" for note in notes)
    _write(places, Outage(host, since, mask(" ".join(str(error).split())), len(results), tuple(failed)))


def end(places: Places, now: datetime) -> None:
    """Record that the watch has used the ledger again; a while later, forget the outage."""
    known = read(places)
    if known is None:
        places.database_away.unlink(missing_ok=True)
    elif known.until is None and known.is_long(now):
        _write(places, replace(known, until=now.timestamp()))
    elif known.until is None or now.timestamp() - known.until > AFTERWARDS.total_seconds():
        places.database_away.unlink()


def is_due(places: Places, now: datetime) -> bool:
    """Whether there is something to tell; the sender knows what it has told already."""
    known = read(places)
    return known is not None and known.is_long(now)


def read(places: Places) -> Outage | None:
    """The outage that the watch has recorded; None if there is none."""
    try:
        values = json.loads(places.database_away.read_text(encoding="utf-8"))
        return Outage(**{**values, "failed": tuple(values["failed"])})
    except FileNotFoundError:
        return None
    except files.CORRUPT:  # of another release; the watch writes it again
        return None


def _write(places: Places, outage: Outage) -> None:
    places.runtime.mkdir(mode=0o755, parents=True, exist_ok=True)
    files.write(places.database_away, json.dumps(asdict(outage)), mode=0o644)
