"""A shop whose spans are exported to a receiver, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.metrics.traces import export
from scheduled_tasks.metrics.traces.export import Exported
from scheduled_tasks.metrics.traces.trace_settings import TraceSettings
from scheduled_tasks.run.settings import Settings
from tests.integration.alert.outside.shop import Runs
from tests.outside.otlp import Receiver

Database = psycopg.Connection[Any]
LATER = timedelta(seconds=11)  # when a span that is queued now is exported


@dataclass
class Shop:
    """A ledger, its exporter, and the receiver."""

    connection: Database
    settings: Settings
    receiver: Receiver
    sell: Runs
    slot: datetime

    @property
    def traces(self) -> TraceSettings:
        return TraceSettings(Endpoint(self.receiver.url), service="shop")

    @property
    def now(self) -> datetime:
        [(now,)] = self.connection.execute("SELECT clock_timestamp()").fetchall()
        assert isinstance(now, datetime)
        return now

    def export(self, after: timedelta = LATER, connection: Database | None = None) -> Exported:
        return export.export_spans(connection or self.connection, self.settings, self.traces, self.now + after)

    def queued(self) -> int:
        return self.connection.execute("SELECT FROM span_outbox").rowcount

    def row(self) -> tuple[Any, ...]:
        columns = "exported, dropped, dropped_at IS NOT NULL, tries, coalesce(error, '')"
        [row] = self.connection.execute(f"SELECT {columns} FROM trace_export").fetchall()
        return tuple(row)


def ids(run_id: object, attempt: int = 1) -> tuple[str, str]:
    octets = str(run_id).replace("-", "")
    return octets, f"{int(octets[:8], 16) ^ (attempt - 1):08x}{octets[8:16]}"
