"""Who started a run is never mistaken: its timer, somebody who asked for a slot, or `systemctl start`.

systemd tells a service of its timer in every start after the timer's first one; see docs/decisions/0007.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.run.slot import PROMPT
from tests.machine.conftest import COMMANDS
from tests.machine.fleet import Fleet, two_machines
from tests.machine.machine import wait_for
from tests.machine.project import sleep_until
from tests.roots import debian_13, lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("asked")  # a boot of each for all of them

UNIT = "clock-asked-tick.service"
# Twice within some seconds, and once more, when what is done by hand is over.
FIRST, SECOND, THIRD = (timedelta(seconds=seconds) for seconds in (0, 3, 20))
JITTER = 9


@pytest.fixture(scope="module", params=["this machine's", "Debian 13's"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """One host whose timer has elapsed twice."""
    require(lacking("booting machines", COMMANDS))
    with two_machines("app1", base=debian_13() if request.param == "Debian 13's" else Path("/")) as one:
        start = datetime.now(UTC) + timedelta(seconds=8)
        ticks = ",".join(f"{start + after:%-S}" for after in (FIRST, SECOND, THIRD))
        delayed = ",".join(f"{start + after:%-S}" for after in (FIRST, timedelta(seconds=JITTER + 1)))
        one.write(
            asked=f'scheduler.add_job(work, "cron", ["tick"], id="tick", second="{ticks}")\n'
            f'scheduler.add_job(work, "cron", ["late"], id="late", second="{delayed}", jitter={JITTER})\n'
        )
        assert one.ask("app1", "apply")["changed"]
        one.machines["app1"].run("systemctl", "stop", "clock-watch.timer")  # nobody else starts anything
        wait_for("two runs", lambda: len(rows(one, "tick")) > 1, seconds=90)
        yield one


def rows(fleet: Fleet, job: str) -> list[tuple[Any, ...]]:
    return fleet.query(
        "SELECT trigger, scheduled_at, status, attempt FROM task_run WHERE job = %s AND status <> 'started'"
        " ORDER BY started_at",
        job,
    )


@pytest.fixture
def slot(fleet: Fleet) -> datetime:
    """The timer's last slot, which is not just now: in a slot's first seconds a start is taken for its timer's."""
    last: datetime = max(slot for trigger, slot, _, _ in rows(fleet, "tick") if trigger == "timer")
    sleep_until(last.timestamp() + PROMPT)
    return last


def shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_a_timers_runs_are_of_one_slot_after_the_other(fleet: Fleet) -> None:
    (first, *_), (second, *_) = found = rows(fleet, "tick")
    assert (first, second) == ("timer", "timer")
    assert found[1][1] - found[0][1] == SECOND


def test_a_start_by_hand_has_no_slot_and_runs_although_the_slot_has_run(fleet: Fleet, slot: datetime) -> None:
    fleet.machines["app1"].run("systemctl", "start", "--wait", UNIT)
    assert rows(fleet, "tick")[-1] == ("manual", None, "ended", 1)
    assert len([row for row in rows(fleet, "tick") if row[1] == slot]) == 1


def test_a_backfill_runs_the_slot_that_it_names(fleet: Fleet, slot: datetime) -> None:
    slot -= timedelta(days=3)
    assert fleet.ask("app1", "backfill", "asked/tick", "--from", shown(slot), "--to", shown(slot))["ran"] == 1
    assert rows(fleet, "tick")[-1] == ("backfill", slot, "ended", 1)


def test_a_run_for_a_named_slot_is_that_slots_and_the_timers_next_run_is_the_timers(
    fleet: Fleet, slot: datetime
) -> None:
    yesterday = slot - timedelta(days=1)
    done = fleet.clocks("app1", "run", "asked/tick", "--wait", "--at", shown(yesterday), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(fleet, "tick")[-1] == ("manual", yesterday, "ended", 1)
    # Not waited for, what is asked stands there until the watch looks.
    yesterday -= timedelta(days=1)
    fleet.clocks("app1", "run", "asked/tick", "--at", shown(yesterday))
    wait_for("its end", lambda: rows(fleet, "tick")[-1] == ("manual", yesterday, "ended", 1), seconds=10)
    fleet.machines["app1"].run("test", "-e", "/run/scheduled-tasks/start-requests/clock-asked-tick")
    wait_for("the timer's run", lambda: rows(fleet, "tick")[-1][0] == "timer", seconds=40)
    assert rows(fleet, "tick")[-1] == ("timer", slot + THIRD - SECOND, "ended", 1)


def test_a_jittered_timers_runs_are_of_the_slots_that_it_elapsed_for(fleet: Fleet) -> None:
    wait_for("two runs", lambda: len(rows(fleet, "late")) > 1, seconds=40)
    found = fleet.query(
        "SELECT trigger, scheduled_at, lag FROM task_run WHERE job = 'late' ORDER BY started_at LIMIT 2"
    )
    assert [trigger for trigger, _, _ in found] == ["timer", "timer"]
    assert found[1][1] - found[0][1] == timedelta(seconds=JITTER + 1)
    assert all(0 < lag < JITTER + 5 for _, _, lag in found)
