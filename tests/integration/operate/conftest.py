"""A shop whose jobs are deployed on one host, and simulated hosts that work on requests for its jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from tests.integration.operate.shop import HOURLY
from tests.integration.operate.simulated_services import host_with

if TYPE_CHECKING:
    from collections.abc import Mapping

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
