"""The shop whose spans are exported, in a fresh database and with a receiver of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduled_tasks.metrics.traces import export
from tests.integration.alert.outside.shop import Runs, configuration
from tests.integration.metrics.traces.shop import Database, Shop
from tests.outside.otlp import otlp_receiver


@pytest.fixture
def shop(connection: Database, tmp_path: Path) -> Iterator[Shop]:
    with otlp_receiver() as receiver:
        [(hour,)] = connection.execute("SELECT date_trunc('hour', clock_timestamp())").fetchall()
        shop = Shop(connection, configuration(tmp_path), receiver, Runs(connection, "sell"), hour)
        export.record_wanted(connection, shop.now)
        yield shop
