"""A host goes down in the middle of a run: the slot's row records it, and only idempotent tasks run again.

The tests don't wait until the claim expires (the timeout, and 90 s): an UPDATE shortens that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.fleet import FOLDER, Fleet, two_machines
from tests.machine.machine import rebooted, restarted
from tests.machine.project import FAR_HOUR
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("lost_hosts")  # two machines for all of them, one after the other

TASKS = '''
import time

from fleet.tasks.jobs import leave
from scheduled_tasks import cron_idempotent, current_run

def once() -> None:
    """Takes ten minutes."""
    leave("once")
    time.sleep(600)

@cron_idempotent
def again() -> None:
    """Takes ten minutes at its first attempt."""
    run = current_run()
    leave(f"{run.job} {run.attempt}")
    if run.attempt == 1:
        time.sleep(600)
'''
CLOCK = f"""
from fleet.tasks import lasting
scheduler.add_job(lasting.once, "cron", id="stopped", hour={FAR_HOUR})
scheduler.add_job(lasting.once, "cron", id="gone", hour={FAR_HOUR})
scheduler.add_job(lasting.once, "cron", id="back", hour={FAR_HOUR})
scheduler.add_job(lasting.again, "cron", id="gone_again", hour={FAR_HOUR})
scheduler.add_job(lasting.again, "cron", id="back_again", hour={FAR_HOUR})
"""
SLOT = (datetime.now(UTC) - timedelta(days=2)).replace(hour=FAR_HOUR, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with two_machines("app1", "app2") as both:
        for machine in both.machines.values():
            (machine.root / f"{FOLDER}/fleet/tasks/lasting.py".lstrip("/")).write_text(TASKS)
        both.write(lost=CLOCK)
        for host in both.machines:
            assert both.ask(host, "apply")["changed"]
        yield both


def row(fleet: Fleet, job: str) -> tuple[Any, ...]:
    """The slot's only row."""
    [only] = fleet.query("SELECT status, host, attempt, reason FROM task_run WHERE job = %s", job)
    return only


def effects(fleet: Fleet, what: str) -> int:
    [(count,)] = fleet.query("SELECT count(*) FROM effect WHERE what = %s", what)
    return int(count)


def begin(fleet: Fleet, host: str, *jobs: str) -> None:
    """Start the slot of some jobs on a host, and return when their tasks have started."""
    before = fleet.query("SELECT count(*) FROM effect")[0][0]
    for job in jobs:
        fleet.clocks(host, "run", f"lost/{job}", "--at", f"{SLOT:%Y-%m-%dT%H:%M:%SZ}")
    wait_for("its task", lambda: fleet.query("SELECT count(*) FROM effect")[0][0] == before + len(jobs))


def watch_until(fleet: Fleet, host: str, holds: Callable[[], bool]) -> None:
    """Run a host's watch, which a timer does every minute, until a condition holds."""

    def run_watch() -> bool:
        fleet.clocks(host, "watch")
        return holds()

    wait_for("the watch", run_watch)


def test_a_run_stopped_by_a_reboot_is_recorded_and_not_repeated(fleet: Fleet) -> None:
    begin(fleet, "app1", "stopped")
    fleet.machines["app1"] = restarted(fleet.machines["app1"])
    [stopped] = fleet.query("SELECT status, error_type, exit_code, attempt FROM task_run WHERE job = 'stopped'")
    assert stopped == ("failed", "Stopped", 143, 1)
    for host in fleet.machines:
        fleet.clocks(host, "watch")
    assert row(fleet, "stopped") == ("failed", "app1", 1, None)
    assert effects(fleet, "once") == 1


def test_when_a_host_loses_power_another_takes_over_its_idempotent_run_once_the_claim_expires(
    fleet: Fleet,
) -> None:
    begin(fleet, "app1", "gone", "gone_again")
    fleet.kill("app1")
    fleet.clocks("app2", "watch")
    assert row(fleet, "gone") == ("started", "app1", 1, None)  # as far as anyone knows, it still runs
    assert row(fleet, "gone_again") == ("started", "app1", 1, None)
    fleet.query("UPDATE task_run SET expires_at = clock_timestamp() WHERE status = 'started'")
    watch_until(fleet, "app2", lambda: row(fleet, "gone_again")[0] == "ended")
    assert row(fleet, "gone_again") == ("ended", "app2", 2, "taken over from app1")
    assert row(fleet, "gone")[:3] == ("lost", "app1", 1)
    assert row(fleet, "gone")[3] == "it expired, and its host has not reported how it ended"
    assert (effects(fleet, "once"), effects(fleet, "gone_again 2")) == (2, 1)


def test_a_host_that_is_back_closes_its_rows_when_its_watch_first_runs(fleet: Fleet) -> None:
    begin(fleet, "app2", "back", "back_again")
    fleet.machines["app2"] = rebooted(fleet.machines["app2"])
    # Or it would wait for two minutes, because a clone of it could still be up.
    fleet.query("UPDATE host SET heartbeat_at = heartbeat_at - interval '2 minutes' WHERE name = 'app2'")
    watch_until(fleet, "app2", lambda: row(fleet, "back_again")[0] == "ended")
    assert row(fleet, "back_again") == ("ended", "app2", 2, "taken over from app2")
    assert row(fleet, "back") == ("lost", "app2", 1, "its process is gone, and how it ended is unknown")
    assert (effects(fleet, "once"), effects(fleet, "back_again 2")) == (3, 1)


def test_status_and_history_show_lost_runs(fleet: Fleet) -> None:
    status = fleet.clocks("app2", "status", "lost", "--json", check=False)
    assert status.returncode == 3
    jobs = {job["job"]: job for job in fleet.ask("app2", "status", "lost")["jobs"]}
    assert {name for name, job in jobs.items() if job["last"] == "lost"} == {"gone", "back"}
    assert {run["job"] for run in fleet.ask("app2", "history", "--status", "lost")} == {"gone", "back"}
