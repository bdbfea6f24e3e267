"""The text of a scrape: read from the ledger only what has changed since the last one.

`Exporter` is for a process that answers many scrapes (`clocks metrics --listen`, the page); `text_once` for one text.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scheduled_tasks.metrics import exposition, samples
from scheduled_tasks.metrics.reading import one_state, read, read_fleet

if TYPE_CHECKING:
    from scheduled_tasks.metrics.samples import Which
    from scheduled_tasks.run.database import Connection


def text_once(connection: Connection, now: datetime, which: Which) -> str:
    """All metrics as text, read now."""
    with one_state(connection):
        reading, fleet = read(connection, now), read_fleet(connection, now)
    return exposition.text({**samples.of_jobs(reading, which), **samples.of_fleet(fleet, now)})


def text_without_ledger(now: datetime) -> str:
    """What can be said while the ledger can't be read: that it can't."""
    return exposition.text(samples.always(now, is_up=False))
