"""Many jobs are due in the same second on two hosts: every slot runs once, whatever happens to PostgreSQL meanwhile.

The round in which nothing happens has 100 jobs, and no slot is ever called missed while systemd still starts it.
`HERD=200 bin/test tests/machine/test_herd.py -s` runs a large herd in all rounds. Effects of runs are kept in a file in
each unit's folder, not in the database, which the tests disturb.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.machine.fleet import FOLDER, Fleet, two_machines
from tests.machine.project import sleep_until
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.own_postgresql import Server

pytestmark = pytest.mark.xdist_group("herd")

HERD = int(os.environ.get("HERD", "12"))
CALM_HERD = max(HERD, 100)
ROUND_SECONDS = 240 + 3 * CALM_HERD
FAULT_SECONDS = 4.0
TASK = '''
import os
from pathlib import Path

def leave() -> None:
    """Write a line."""
    with Path(os.environ["HOME"], "effects").open("a") as file:
        file.write("done\\n")
'''


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with two_machines("app1", "app2", connections=100 + 2 * CALM_HERD) as both:
        for machine in both.machines.values():
            (machine.root / f"{FOLDER}/fleet/tasks/herd.py".lstrip("/")).write_text(TASK)
        yield both


def calm(_server: Server) -> None:
    """Nothing is disturbed."""


def restarted(server: Server) -> None:
    """PostgreSQL crashes and restarts."""
    server.crash_and_restart()


def suspended(server: Server) -> None:
    """PostgreSQL is suspended for a while."""
    with server.suspended():
        time.sleep(FAULT_SECONDS)  # the length of the fault: there is no event to wait for


def full(server: Server) -> None:
    """PostgreSQL has no free connection for a while."""
    with server.without_free_connections():
        before = server.refused_connections
        wait_for("a rejected connection", lambda: server.refused_connections > before)
        time.sleep(FAULT_SECONDS)


def effects(fleet: Fleet, clock: str) -> Counter[str]:
    """How often the task of each job was called, on all hosts together."""
    done: Counter[str] = Counter()
    for machine in fleet.machines.values():
        for file in (machine.root / "var/lib/scheduled-tasks/home").glob(f"clock-{clock}-*/effects"):
            done[file.parent.name] += len(file.read_text().splitlines())
    return done


def is_over(fleet: Fleet, clock: str, herd: int) -> bool:
    """Whether all services of the clock have run on all hosts, and none is running."""
    # With a large herd PID 1 answers slowly, or not within systemctl's timeout.
    ask = (
        "systemctl",
        "show",
        "--all",
        "--property=ActiveState,ExecMainExitTimestampMonotonic",
        f"clock-{clock}-*.service",
    )
    for machine in fleet.machines.values():
        services = machine.run(*ask, check=False, seconds=ROUND_SECONDS).stdout.strip().split("\n\n")
        if len(services) != herd or any("State=inactive" not in service or "=0" in service for service in services):
            return False
    return True


def deploy(fleet: Fleet, clock: str, at: datetime, herd: int) -> None:
    """Let both hosts have a herd that is due at an instant.

    A fourth of its jobs are intervals that no calendar line has: their timers elapse every minute, and run-task decides
    whether the slot is one of theirs, however late it starts.
    """
    cron = f'"cron", hour={at.hour}, minute={at.minute}, second={at.second}'
    interval = f'"interval", minutes=1441, start_date="{at:%Y-%m-%d %H:%M:%S}"'
    jobs = [f'scheduler.add_job(leave, {cron if n % 4 else interval}, id="job_{n}")' for n in range(herd)]
    fleet.write(**{clock: "\n".join(["from fleet.tasks.herd import leave", *jobs])})
    with ThreadPoolExecutor() as pool:
        assert all(done["changed"] for done in pool.map(lambda host: fleet.ask(host, "apply"), fleet.machines))


@pytest.mark.parametrize("happens", [calm, restarted, suspended, full], ids=lambda happens: happens.__name__)
def test_every_slot_of_a_herd_has_one_row_and_one_effect(fleet: Fleet, happens: Callable[[Server], None]) -> None:
    clock, herd = happens.__name__, CALM_HERD if happens is calm else HERD
    began = time.time()
    deploy(fleet, clock, datetime.now(UTC) + timedelta(days=1), herd)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10 + 3 * (time.time() - began))
    deploy(fleet, clock, at, herd)
    due = at.timestamp()
    assert time.time() < due, "the second apply took much longer than the first"
    sleep_until(due)

    def count(status: str) -> int:
        try:
            [(rows,)] = fleet.query("SELECT count(*) FROM task_run WHERE clock = %s AND status = %s", clock, status)
        except psycopg.OperationalError:
            return 0
        return int(rows)

    if happens is not full:  # a run that has its connection would not notice
        wait_for("the first runs", lambda: count("ended") >= herd // 4, seconds=ROUND_SECONDS)
    happens(fleet.server)
    wait_for("the others", lambda: is_over(fleet, clock, herd), seconds=ROUND_SECONDS)
    for host in fleet.machines:
        fleet.clocks(host, "reconcile")  # the watch would record the spooled results within a minute
    took = time.time() - due
    print(f"{happens.__doc__} {herd} jobs on 2 hosts: done {took:.0f} s after they were due")  # noqa: T201 - with -s
    assert fleet.query(
        "SELECT status, count(*), count(DISTINCT (job, scheduled_at)), max(attempt) FROM task_run WHERE clock = %s"
        " GROUP BY status",
        clock,
    ) == [("ended", herd, herd, 1)]
    if happens is calm:
        assert fleet.query("SELECT reason FROM past_attempt WHERE clock = %s", clock) == []
    assert effects(fleet, clock) == {f"clock-{clock}-job_{n}": 1 for n in range(herd)}
    for machine in fleet.machines.values():
        failed = machine.run("systemctl", "list-units", "--state=failed", "--no-legend", f"clock-{clock}-*").stdout
        assert failed == ""
