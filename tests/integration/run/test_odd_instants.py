"""Instants that Python can't read or compute with don't stop a reader of all rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduled_tasks.run.database import connect

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("infinity", LATEST),
        ("-infinity", EARLIEST),
        ("294276-12-31T00:00:00Z", LATEST),
        ("9999-12-31T23:59:59-14", LATEST),
        ("4713-01-01 00:00:00+00 BC", EARLIEST),
        ("0001-01-01T00:00:00+14", EARLIEST),
        ("2026-11-24T06:00:00.123456+01:00", datetime(2026, 11, 24, 5, 0, 0, 123456, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_an_odd_instant_is_read_as_the_nearest_that_the_ledger_can_have(
    database_url: str, zone: str, stored: str, read: datetime
) -> None:
    with connect(database_url, name="test") as connection:
        connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
        [(at,)] = connection.execute("SELECT %s::timestamptz", [stored]).fetchall()
    assert at == read
    assert at + timedelta(days=400) > at
