"""Two hosts with one ledger, through all modules of this folder.

The last tests of `test_3_hosts.py` kill one of the hosts, so its number is the highest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.fleet import Fleet, two_machines
from tests.machine.project import FAR_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every test has its own jobs; `beat` is due all the time.
BEAT = 'scheduler.add_job(work, "cron", ["tick"], id="tick", second="*/5", misfire_grace_time=1)'
BY_HAND = f"""
scheduler.add_job(work, "cron", ["by hand"], id="works", year=2100)
scheduler.add_job(fail, "cron", id="fails", year=2100)
scheduler.add_job(die, "cron", id="dies", year=2100)
scheduler.add_job(spill, "cron", id="spills", year=2100, log_namespace="aside")
scheduler.add_job(work, "cron", ["day"], id="daily", hour={FAR_HOUR})
scheduler.add_job(work, "cron", ["caught up"], id="caught_up", hour={FAR_HOUR}, catch_up_after_pause=True)
scheduler.add_job(work, "cron", ["left out"], id="left_out", hour={FAR_HOUR})
"""
EACH = 'scheduler.add_job(work, "cron", ["each"], id="each", second="*/10", misfire_grace_time=1, per_host=True)'
LASTS = 'scheduler.add_job(last, "cron", ["lasts"], id="lasts", year=2100, timeout=60)'


@pytest.fixture(scope="package")
def fleet() -> Iterator[Fleet]:
    """Both machines, with three clocks."""
    with two_machines("app1", "app2") as both:
        both.write(beat=BEAT, by_hand=BY_HAND, each=f"{EACH}\n{LASTS}")
        for host in both.machines:
            assert both.ask(host, "apply")["changed"]
        yield both
