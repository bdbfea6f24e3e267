"""The two nights of change for real: a virtual machine runs through each shift, and its journal shows what fired.

It boots forty minutes before the shift and stops forty minutes after it, which includes a fixed time in the skipped or
repeated hour, and every quarter. Twenty seconds after the shift systemd is reloaded and the timers are restarted, as by
a deploy.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.deploy.switch import write_set
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.unit_set import UnitSet
from scheduled_tasks.render.units import render
from tests.machine.vm import OVER, REPORT, virtual_machine

pytestmark = pytest.mark.emulated

BEFORE = AFTER = timedelta(minutes=40)
TIME = "%Y-%m-%d %H:%M:%S UTC"

Jobs = tuple[tuple[str, dict[str, object], str, list[str]], ...]

# The shift is at 01:00 UTC in both nights. A job, its fields, its zone, and when it fires between 00:25 and 01:40 UTC.
SPRING: Jobs = (
    ("in_the_gap", {"hour": 2, "minute": 30}, "Europe/Paris", ["01:30"]),
    ("before_the_gap", {"hour": 1, "minute": 45}, "Europe/Paris", ["00:45"]),
    ("behind_the_gap", {"hour": 3, "minute": 1}, "Europe/Paris", ["01:01"]),
    ("two_on_one_instant", {"hour": "2,3", "minute": 30}, "Europe/Paris", ["01:30"]),
    ("hourly", {"minute": 35}, "Europe/Paris", ["00:35", "01:35"]),
    ("every_quarter", {"minute": "*/15"}, "Europe/Paris", ["00:30", "00:45", "01:00", "01:15", "01:30"]),
    ("hourly_on_sundays", {"day_of_week": "sun", "minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("in_dublins_gap", {"hour": "1,2", "minute": 1}, "Europe/Dublin", ["01:01"]),
    ("another_hour", {"hour": 4, "minute": 1}, "Europe/Paris", []),
)
AUTUMN: Jobs = (
    ("first_pass", {"hour": 2, "minute": 30}, "Europe/Paris", ["00:30"]),
    ("not_in_the_second_pass", {"hour": 2, "minute": 1}, "Europe/Paris", []),
    ("in_neither", {"hour": 3, "minute": 1}, "Europe/Paris", []),
    ("hourly", {"minute": 35}, "Europe/Paris", ["00:35", "01:35"]),
    ("every_quarter", {"minute": "*/15"}, "Europe/Paris", ["00:30", "00:45", "01:00", "01:15", "01:30"]),
    ("hourly_on_sundays", {"day_of_week": "sun", "minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("window", {"hour": "0-4", "minute": 30}, "Europe/Paris", ["00:30", "01:30"]),
    ("dublins_first_pass", {"hour": 1, "minute": 59}, "Europe/Dublin", ["00:59"]),
    ("not_in_dublins_second", {"hour": "1,6", "minute": 1}, "Europe/Dublin", []),
)

NIGHTS = {
    "spring": (SPRING, datetime(2027, 3, 28, 1, tzinfo=UTC)),
    "autumn": (AUTUMN, datetime(2027, 10, 31, 1, tzinfo=UTC)),
}

TIMER = "[Timer]\nOnCalendar={at}\nAccuracySec=1s\n"
RELOAD = """[Service]
Type=oneshot
ExecStart=/bin/systemctl daemon-reload
ExecStart=/bin/systemctl restart clock-night-*.timer
"""
END = f"""[Service]
Type=oneshot
ExecStart=/bin/sh -c 'journalctl --output=json --output-fields=_SYSTEMD_UNIT SYSLOG_IDENTIFIER=echo > {REPORT}'
ExecStart=/bin/sh -c 'echo {OVER.strip()} > {REPORT}'
ExecStart=/bin/systemctl poweroff
"""


def rendered(jobs: Jobs, shift: datetime) -> UnitSet:
    """The units of a clock with these jobs, each of which echoes its own name."""
    lines = [
        "from shop.tasks.booking import count",
        "from scheduled_tasks import Clock",
        "scheduler = Clock(timezone='UTC')",
        *(
            f"scheduler.add_job(count, 'cron', id={name!r}, timezone={zone!r}, **{fields!r})"
            for name, fields, zone, _ in jobs
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.py"
        path.write_text("\n".join(lines))
        clock = read_clock(path, "night", ReadingContext("shop.tasks", "UTC", shift - timedelta(days=90)))
    return render([clock], Host(run_task="/bin/echo", configuration=Path("/etc/scheduled-tasks/config.toml")))


def live_through(jobs: Jobs, shift: datetime) -> str:
    """The journal of a machine that runs through a shift."""

    def furnish(root: Path) -> None:
        units = root / "etc/systemd/system"
        write_set(rendered(jobs, shift), units)
        for name, at, service in (("look-again", timedelta(seconds=20), RELOAD), ("the-end", AFTER, END)):
            (units / f"{name}.timer").write_text(TIMER.format(at=(shift + at).strftime(TIME)))
            (units / f"{name}.service").write_text(service)
        wants = units / "timers.target.wants"
        wants.mkdir(exist_ok=True)
        for unit in ("clock-night.target", "look-again.timer", "the-end.timer"):
            (wants / unit).symlink_to(f"../{unit}")

    with virtual_machine(furnish) as machine:
        return machine.live(shift - BEFORE)


def fired(journal: str) -> dict[str, list[str]]:
    times = defaultdict(list)
    for line in journal.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
            times[entry["_SYSTEMD_UNIT"].removeprefix("clock-night-").removesuffix(".service")].append(f"{at:%H:%M}")
    return times


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, list[str]]]:
    """What fired in each night; both machines run at the same time."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "golden"))
        journals = pool.map(lambda night: live_through(*night), NIGHTS.values())
        return {name: fired(journal) for name, journal in zip(NIGHTS, journals, strict=True)}


@pytest.mark.parametrize("night", NIGHTS)
def test_each_timer_fires_as_promised(runs: dict[str, dict[str, list[str]]], night: str) -> None:
    jobs, _ = NIGHTS[night]
    assert {name: runs[night].get(name, []) for name, *_ in jobs} == {name: expected for name, _, _, expected in jobs}
