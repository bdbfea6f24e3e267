"""A shop whose jobs are deployed on one host, hosts that work on requests for its jobs, and roles with privileges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from tests.integration.operate.roles import granted
from tests.integration.operate.shop import HOURLY
from tests.integration.operate.simulated_services import host_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.operate.shop import Database
    from tests.integration.operate.simulated_services import SimulatedHost


@pytest.fixture
def hour(connection: Database) -> datetime:
    """The last full hour; three jobs are deployed on app1, whose heartbeat is recent."""
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    options: Mapping[str, Any] = {"catch_up": True, "timeout": 600}
    jobs = [
        {"clock": clock, "job": job, "task": f"sales.{job}", "schedule": HOURLY, "options": options}
        for clock, job in (("shop", "count"), ("shop", "sell"), ("till", "close"))
    ]
    deployments.report(connection, "app1", deployments.JobsReport(jobs, "one", now, now))
    account(connection, "app1", now)
    return hour


@pytest.fixture
def app1(connection: Database) -> SimulatedHost:
    """A host with two jobs."""
    return host_with(connection, "app1", "shop/sell", "shop/count")


@pytest.fixture
def app2(connection: Database) -> SimulatedHost:
    """A host with one of them."""
    return host_with(connection, "app2", "shop/sell")


@pytest.fixture
def roles(connection: Database) -> Iterator[Database]:
    """The owner's connection, with all roles granted; a flag, and a table with a sequence that no key names."""
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('SELL', true, 'test')")
    connection.execute("CREATE TABLE own_number (id serial)")
    with granted(connection):
        yield connection
