"""A run always knows what started it: its timer, a start request, or `systemctl start`.

After a timer's first start, systemd names the timer to the service in every later start, too; see docs/decisions/0007.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.run.slot import PROMPT_SECONDS
from tests.machine.fleet import Fleet, two_machines
from tests.machine.project import sleep_until
from tests.machine.waiting import wait_for
from tests.roots import debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("start_requests")  # one boot of each machine for all tests

UNIT = "clock-requests-tick.service"
# Two ticks within seconds, and a third after the manual starts.
FIRST, SECOND, THIRD = (timedelta(seconds=seconds) for seconds in (0, 3, 20))
JITTER = 9
BETWEEN = timedelta(seconds=JITTER + 1)  # a slot of the delayed job and the next


@pytest.fixture(scope="module", params=["this machine's", "Debian 13's"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A host whose timer has elapsed twice."""
    with two_machines("app1", base=debian_13() if request.param == "Debian 13's" else Path("/")) as hosts:
        start = datetime.now(UTC) + timedelta(seconds=8)
        ticks = ",".join(f"{start + after:%-S}" for after in (FIRST, SECOND, THIRD))
        delayed = ",".join(f"{start + after:%-S}" for after in (FIRST, BETWEEN))
        hosts.write(
            requests=f'scheduler.add_job(work, "cron", ["tick"], id="tick", second="{ticks}")\n'
            f'scheduler.add_job(work, "cron", ["late"], id="late", second="{delayed}", jitter={JITTER})\n'
        )
        assert hosts.ask("app1", "apply")["changed"]
        hosts.machines["app1"].run("systemctl", "stop", "clock-watch.timer")  # so that nothing else starts a job
        wait_for("two runs", lambda: len(rows(hosts, "tick")) > 1)
        yield hosts


def rows(fleet: Fleet, job: str) -> list[tuple[Any, ...]]:
    return fleet.query(
        "SELECT trigger, scheduled_at, status, attempt FROM task_run WHERE job = %s AND status <> 'started'"
        " ORDER BY started_at",
        job,
    )


def by_hand(fleet: Fleet, before: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The new rows but those of the timer, which goes on meanwhile."""
    return [row for row in rows(fleet, "tick")[len(before) :] if row[0] != "timer"]


def due_after(fleet: Fleet, at: datetime) -> datetime:
    """When the timer is due next: on a busy machine its first seconds can be over when the units are there."""
    [(seconds,)] = fleet.query("SELECT schedule -> 'seconds' FROM deployed_job WHERE job = 'tick'")
    return next(due for second in range(1, 61) if (due := at + timedelta(seconds=second)).second in seconds)


@pytest.fixture
def slot(fleet: Fleet) -> datetime:
    """The timer's last slot, some seconds ago: in a slot's first seconds any start counts as its timer's."""
    last: datetime = max(slot for trigger, slot, _, _ in rows(fleet, "tick") if trigger == "timer")
    sleep_until(last.timestamp() + PROMPT_SECONDS)
    return last


def shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_a_timers_runs_get_consecutive_slots(fleet: Fleet) -> None:
    (first, *_), (second, *_) = ticks = rows(fleet, "tick")
    assert (first, second) == ("timer", "timer")
    assert ticks[1][1] == due_after(fleet, ticks[0][1])


def test_a_manual_start_has_no_slot_and_runs_even_after_the_timers_run(fleet: Fleet, slot: datetime) -> None:
    before = rows(fleet, "tick")
    fleet.machines["app1"].run("systemctl", "start", "--wait", UNIT)
    assert by_hand(fleet, before) == [("manual", None, "ended", 1)]
    assert len([row for row in rows(fleet, "tick") if row[1] == slot]) == 1


def test_a_backfill_runs_the_requested_slot(fleet: Fleet, slot: datetime) -> None:
    slot -= timedelta(days=3)
    before = rows(fleet, "tick")
    assert fleet.ask("app1", "backfill", "requests/tick", "--from", shown(slot), "--to", shown(slot))["ran"] == 1
    assert by_hand(fleet, before) == [("backfill", slot, "ended", 1)]


def test_a_run_for_a_requested_slot_records_that_slot_and_the_timers_next_run_its_own(
    fleet: Fleet, slot: datetime
) -> None:
    yesterday = slot - timedelta(days=1)
    before = rows(fleet, "tick")
    done = fleet.clocks("app1", "run", "requests/tick", "--wait", "--at", shown(yesterday), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert by_hand(fleet, before) == [("manual", yesterday, "ended", 1)]
    # Without --wait, the request stays until the watch removes it.
    yesterday -= timedelta(days=1)
    before = rows(fleet, "tick")
    fleet.clocks("app1", "run", "requests/tick", "--at", shown(yesterday))
    wait_for("its end", lambda: by_hand(fleet, before) == [("manual", yesterday, "ended", 1)])
    known = rows(fleet, "tick")
    fleet.machines["app1"].run("test", "-e", "/run/scheduled-tasks/start-requests/clock-requests-tick")
    wait_for("the timer's run", lambda: rows(fleet, "tick")[-1] not in known)
    trigger, own, *end = rows(fleet, "tick")[-1]
    assert (trigger, *end) == ("timer", "ended", 1)
    assert own > slot
    assert own == due_after(fleet, own - timedelta(seconds=1))


def test_runs_delayed_by_jitter_get_the_slots_that_their_timer_elapsed_for(fleet: Fleet) -> None:
    wait_for("two runs", lambda: len(rows(fleet, "late")) > 1)
    late = fleet.query("SELECT trigger, scheduled_at, lag FROM task_run WHERE job = 'late' ORDER BY started_at LIMIT 2")
    assert [trigger for trigger, _, _ in late] == ["timer", "timer"]
    # Consecutive slots, which are due every minute at these two seconds.
    assert late[1][1] - late[0][1] in {BETWEEN, timedelta(minutes=1) - BETWEEN}
    assert all(lag > 0 for _, _, lag in late)
