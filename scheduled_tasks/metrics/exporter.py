"""The text of a scrape, which costs the database one small question while nothing has changed.

An `Exporter` keeps the text of the jobs, and reads it again only if one of the tables that it comes from was written,
or time has made it wrong. The heartbeats, the account and the notices are a few rows, and read each time. For a process
that answers many scrapes: `clocks metrics --listen`, and the page's /metrics.

Whether a table was written, PostgreSQL's own statistics say: rows that were inserted, updated and deleted, counted
after the commit. A session counts when it ends, or a second after it last did, and an idle one after ten seconds
(pgstat.c). So a change can be seen that late, but none is overlooked: what was not counted yet when the rows were read
is counted later, and they are read once more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.metrics import exposition, samples
from scheduled_tasks.metrics.reading import one_state, read, read_fleet

if TYPE_CHECKING:
    from scheduled_tasks.metrics.samples import Which
    from scheduled_tasks.run.database import Connection

MAX_AGE = timedelta(minutes=5)  # of the text, whatever the statistics say: an administrator can reset them
_MIN_SERVER = 150_000  # before, statistics are sent to a process that can lose them

# Of clock_total, new clocks only: the watch adds to it what slot_change had, which changes no sum.
_WRITTEN = """
SELECT clock_timestamp(), pg_is_in_recovery(), (
    SELECT sum(pg_stat_get_tuples_inserted(oid)
               + CASE relname WHEN 'clock_total' THEN 0
                 ELSE pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid) END)::bigint
      FROM pg_class WHERE oid IN ('task_run'::regclass, 'past_attempt'::regclass, 'deployed_job'::regclass,
                                  'pause'::regclass, 'feature'::regclass, 'clock_total'::regclass))
"""


class _Kept(NamedTuple):
    """The text of the jobs, and how long it holds."""

    text: str
    read_at: datetime
    good_until: datetime
    written: int


class Exporter:
    """Answers scrapes of one process, from several threads.

    Args:
        which: of which jobs there are series.
    """

    def __init__(self, which: Which) -> None:
        self._which = which
        self._kept: _Kept | None = None
        self._lock = Lock()
        self.reads = 0  # how often the jobs were read

    def text(self, connection: Connection) -> str:
        """All metrics.

        Args:
            connection: that may read, on which each statement is a transaction of its own.
        """
        with self._lock:
            [(now, in_recovery, written)] = connection.execute(_WRITTEN).fetchall()
            kept = self._kept
            # A standby counts nothing: what it has was written elsewhere.
            is_known = kept and kept.written == written and connection.info.server_version >= _MIN_SERVER
            if not (kept and is_known and not in_recovery and kept.read_at <= now < kept.good_until):
                kept = self._kept = self._read(connection, now, written)
            with one_state(connection):
                fleet = read_fleet(connection, now)
        return kept.text + exposition.text(samples.of_fleet(fleet, now))

    def forget(self) -> None:
        """Read everything at the next scrape: the connection was lost, and perhaps PostgreSQL's statistics with it."""
        self._kept = None

    def _read(self, connection: Connection, now: datetime, written: int) -> _Kept:
        with one_state(connection):
            reading = read(connection, now)
        self.reads += 1
        until = min(filter(None, (now + MAX_AGE, reading.good_until)))
        return _Kept(exposition.text(samples.of_jobs(reading, self._which)), now, until, written)


def text_once(connection: Connection, now: datetime, which: Which, host: str | None = None) -> str:
    """All metrics as text, read now; with `host`, those of this host and of the jobs that are deployed there."""
    with one_state(connection):
        reading, fleet = read(connection, now, host), read_fleet(connection, now)
    return exposition.text({**samples.of_jobs(reading, which), **samples.of_fleet(fleet, now, host)})


def text_without_ledger(now: datetime) -> str:
    """What can be said while the ledger can't be read: that it can't."""
    return exposition.text(samples.always(now, is_up=False))
