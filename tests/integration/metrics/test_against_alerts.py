"""Bad slots in a row: what metrics say of a job is what its incidents are judged by, in random histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.metrics.job_rows import Streak
from scheduled_tasks.metrics.reading import read
from tests.integration.alert.conftest import ledger
from tests.integration.alert.test_histories import HISTORIES, SEED, History

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Database, Simulation

__all__ = ["ledger"]
pytestmark = pytest.mark.thorough
NONE = Streak(0, 0, 0)


class Measured(History):
    """A history in which metrics are read after each judgement."""

    compared = 0

    def judge(self, connection: Database) -> None:
        """Judge, and compare with the oracle and with the open incidents."""
        super().judge(connection)
        bad = read(connection, self.ledger.now).rows.bad
        rows = connection.execute(
            "SELECT job, host FROM incident WHERE closed_at IS NULL AND clock = %s AND kind IN ('failing', 'missed')",
            [self.clock],
        ).fetchall()
        for (job, host), subject in self.subjects.items():
            results = subject.results
            good = max((result.at for result in results if result.status == "ended"), default=None)
            after = [result for result in results if result.status != "ended" and (not good or result.at > good)]
            counted = [result.status for result in after if result.counts]
            streak = bad.get((self.clock, job, host), NONE)
            if not subject.running_again:
                assert streak == (len(counted), counted.count("missed"), counted.count("lost"), None)
                assert ((self.clock, job, host) in bad) == bool(after)
            alerts = streak.missed or streak.slots >= subject.alert_after
            assert not alerts or subject.is_paused or (job, host) in rows
            assert (job, host) not in rows or subject.running_again or (self.clock, job, host) in bad
            self.compared += 1


def test_metrics_count_bad_slots_as_incidents_do(ledger: Simulation) -> None:
    compared = 0
    for number in range(HISTORIES):
        history = Measured(ledger, f"clock{number}", SEED + number)
        history.live()
        compared += history.compared
    assert compared > 50 * HISTORIES
