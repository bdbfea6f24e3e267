"""Random histories of runs and looks: no run that is slow or short is overlooked, however short it is.

The oracle keeps a list of runs and knows nothing of the ledger: at each look something is wrong if a run takes too long
now, or if one that has ended since the look before took too long (or not long enough) and nobody has seen it so yet.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.alert.judge import judge
from tests.integration.alert.simulation import MINUTE

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Simulation

HISTORIES, LOOKS = 10, 30
AT_MOST, AT_LEAST = 40, 10  # seconds that a run is expected to take


@dataclass
class Run:
    """A run, as the oracle knows it."""

    started_at: datetime
    seconds: int
    was_seen_slow: bool = False

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.seconds)


class Oracle:
    """What should be open after each look, of all runs so far."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.last_look: datetime | None = None

    def look(self, now: datetime) -> tuple[bool, bool]:
        """Whether a run is slow, and whether one was short."""
        ended = [run for run in self.runs if run.ended_at <= now]
        new = [run for run in ended if self.last_look is None or run.ended_at > self.last_look]
        running = [run for run in self.runs if run.started_at <= now < run.ended_at]
        too_long = [run for run in running if (now - run.started_at).total_seconds() > AT_MOST]
        is_slow = bool(too_long) or any(run.seconds > AT_MOST and not run.was_seen_slow for run in new)
        is_short = any(run.seconds < AT_LEAST for run in (*new, *ended[-1:]))
        for run in too_long:
            run.was_seen_slow = True
        self.last_look = now
        return is_slow, is_short


def run_in_the_ledger(ledger: Simulation, run: Run, until: datetime) -> None:
    """Write a run as far as it has come at an instant."""
    known = ledger.owner.execute("SELECT status FROM task_run WHERE started_at = %s", [run.started_at]).fetchone()
    if known is None:
        ledger.result("sell", "started", scheduled_at=run.started_at, started_at=run.started_at, ended_at=None)
    if run.ended_at <= until:
        ledger.owner.execute(
            "UPDATE task_run SET status = 'ended', ended_at = %s, duration = %s"
            " WHERE started_at = %s AND status = 'started'",
            [run.ended_at, run.seconds, run.started_at],
        )


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_each_slow_and_each_short_run_has_its_incident(ledger: Simulation, seed: int) -> None:
    chance = random.Random(seed)
    ledger.deploy("sell", expected_duration=AT_MOST, expected_at_least=AT_LEAST)
    oracle, opened = Oracle(), {"slow": 0, "short": 0}
    was = {"slow": False, "short": False}
    free_at = ledger.now
    for _ in range(LOOKS):
        now = ledger.wait(chance.choice([MINUTE, MINUTE, 2 * MINUTE, 8 * MINUTE]))
        while free_at < now:  # one run after another, with pauses
            oracle.runs.append(Run(free_at, chance.choice([1, 5, 15, 30, 39, 41, 45, 70, 150])))
            free_at = oracle.runs[-1].ended_at + timedelta(seconds=chance.choice([1, 20, 100]))
        for run in oracle.runs:
            if run.started_at <= now:
                run_in_the_ledger(ledger, run, now)
        judge(ledger.owner, now, has_routes=True)
        expected = dict(zip(("slow", "short"), oracle.look(now), strict=True))
        for kind, is_wrong in expected.items():
            opened[kind] += is_wrong and not was[kind]
        was = expected
        is_open = {kind for kind, *_ in ledger.open_incidents()} & {"slow", "short"}
        assert is_open == {kind for kind, is_wrong in expected.items() if is_wrong}, now
    counted = "SELECT kind, count(*) FROM incident WHERE kind IN ('slow', 'short') GROUP BY kind"
    assert dict(ledger.owner.execute(counted).fetchall()) == {kind: number for kind, number in opened.items() if number}
