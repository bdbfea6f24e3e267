"""Two hosts whose clocks differ: every slot runs once, on the host that reaches it first, and none is left out.

All test machines share this machine's clock, and PID 1 cannot have another. So libfaketime shifts the clock of the
services, the watch included, by whole intervals of the schedule: the timers elapse as they would by that clock. The
services cannot reach systemd, which would report the real time. `SKEW=60 bin/test …` has clocks two minutes apart.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.fleet import FOLDER, Fleet, two_machines
from tests.machine.waiting import wait_for
from tests.roots import lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator

# Not at the same time as the herd: a start that is late by an interval would run the next slot.
pytestmark = pytest.mark.xdist_group("herd")

EVERY = 10  # seconds from slot to slot
# Seconds, a multiple of EVERY: one host is ahead by that much, the other behind.
SKEW = int(os.environ.get("SKEW", "10"))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
CLOCK = f"""
from fleet.tasks.skewed import leave
scheduler.add_job(leave, "cron", id="tick", second="*/{EVERY}")
"""
TASK = '''
import os
from datetime import datetime
from pathlib import Path

def leave(scheduled_at: datetime) -> None:
    """Write its slot."""
    with Path(os.environ["HOME"], "effects").open("a") as file:
        file.write(f"{scheduled_at.isoformat()}\\n")
'''
DROP_IN = """[Service]
Environment=LD_PRELOAD={library} FAKETIME={skew:+d}s FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
Environment=DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    require(lacking("machines with clocks that differ", {"faketime": "faketime"}))
    with two_machines("ahead", "behind") as both:
        both.write(skewed=CLOCK)
        for machine, skew in zip(both.machines.values(), (SKEW, -SKEW), strict=True):
            (machine.root / f"{FOLDER}/fleet/tasks/skewed.py".lstrip("/")).write_text(TASK)
            drop_in = machine.root / "etc/systemd/system/clock-.service.d/90-skew.conf"
            drop_in.parent.mkdir(parents=True)
            drop_in.write_text(DROP_IN.format(library=LIBRARY, skew=skew))
        for host in both.machines:
            assert both.ask(host, "apply")["changed"]
        yield both


def effects(fleet: Fleet, host: str) -> list[datetime]:
    """The slots for which a host's tasks were called."""
    file = fleet.machines[host].root / "var/lib/scheduled-tasks/home/clock-skewed-tick/effects"
    return [datetime.fromisoformat(line) for line in file.read_text().splitlines()] if file.exists() else []


def lost_to(fleet: Fleet, host: str, winner: str) -> int:
    """How many slots a host reached after another."""
    reason = f"claimed by the host {winner}, status ended"
    return sum(line.get("reason") == reason for line in fleet.machines[host].log_lines("clock-skewed-tick.service"))


def test_the_second_host_to_reach_a_slot_leaves_it_and_no_slot_is_left_out(fleet: Fleet) -> None:
    # The host that is ahead runs some slots and stops; the other one, which is behind, continues where it stopped.
    wait_for("the first host's runs", lambda: len(effects(fleet, "ahead")) > 1)
    fleet.machines["ahead"].run("systemctl", "stop", "clock-skewed.target")

    def has_continued() -> bool:
        return max(effects(fleet, "behind"), default=LONG_AGO) > max(effects(fleet, "ahead"))

    wait_for("the second host's runs", has_continued, seconds=2 * SKEW + 60)

    def none_is_running() -> bool:
        return fleet.query("SELECT count(*) FROM task_run WHERE status = 'started'") == [(0,)]

    wait_for("their ends", none_is_running)
    done = Counter([*effects(fleet, "ahead"), *effects(fleet, "behind")])
    rows = fleet.query("SELECT scheduled_at, status FROM task_run WHERE job = 'tick' ORDER BY scheduled_at")
    first, final = max(effects(fleet, "ahead")[0], rows[0][0]), max(done)
    slots = [first + timedelta(seconds=n) for n in range(0, int((final - first).total_seconds()) + 1, EVERY)]
    assert [(at, status) for at, status in rows if first <= at <= final] == [(at, "ended") for at in slots]
    assert {at: count for at, count in done.items() if count != 1} == {}
    # The slots of the host that is ahead, all of which the other one reached too, and at least one more.
    assert lost_to(fleet, "behind", "ahead") == len(effects(fleet, "ahead")) == len(slots) - 1 >= 2
    [(early, late)] = fleet.query("SELECT min(lag), max(lag) FROM task_run WHERE job = 'tick'")
    assert 0 <= early <= late < EVERY
