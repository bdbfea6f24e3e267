"""A simulated ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.alert.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.alert.simulation import Database


@pytest.fixture
def ledger(connection: Database) -> Iterator[Simulation]:
    """A ledger in which the job `sell` is deployed on one host."""
    simulation = Simulation(connection)
    simulation.deploy("sell")
    yield simulation
    simulation.close()
