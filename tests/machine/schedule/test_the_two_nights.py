"""The two nights for real: a virtual machine whose clock stands minutes before a shift, and what its journal shows.

The machine is Debian 13 under qemu without KVM, with a clock of its own: the clock of the machine that runs the
tests is never set. Both nights run at once, which takes about five minutes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.deploy.apply import write_set
from scheduled_tasks.deploy.render import Host, render
from scheduled_tasks.job_call import Project
from tests.roots import debian_13, lacking, require

pytestmark = pytest.mark.xdist_group("nights")  # one fixture for both

LEAD, TAIL = timedelta(minutes=3), timedelta(seconds=100)
TIME = "%Y-%m-%d %H:%M:%S UTC"

Jobs = tuple[tuple[str, dict[str, object], str, list[str]], ...]

# Around 01:00 UTC on both nights: a job, its fields, its zone, and when it fires between 00:58 and 01:02 UTC.
SPRING: Jobs = (
    ("in_the_gap", {"hour": 2, "minute": 1}, "Europe/Paris", ["01:01"]),
    ("behind_the_gap", {"hour": 3, "minute": 1}, "Europe/Paris", ["01:01"]),
    ("two_on_one_instant", {"hour": "2,3", "minute": 1}, "Europe/Paris", ["01:01"]),
    ("hourly", {"minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("hourly_on_sundays", {"day_of_week": "sun", "minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("in_dublins_gap", {"hour": "1,2", "minute": 1}, "Europe/Dublin", ["01:01"]),
    ("another_hour", {"hour": 4, "minute": 1}, "Europe/Paris", []),
)
AUTUMN: Jobs = (
    ("first_pass", {"hour": 2, "minute": 59}, "Europe/Paris", ["00:59"]),
    ("not_in_the_second_pass", {"hour": 2, "minute": 1}, "Europe/Paris", []),
    ("in_neither", {"hour": 3, "minute": 1}, "Europe/Paris", []),
    ("hourly", {"minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("hourly_on_sundays", {"day_of_week": "sun", "minute": "1,59"}, "Europe/Paris", ["00:59", "01:01"]),
    ("window", {"hour": "0-4", "minute": 1}, "Europe/Paris", ["01:01"]),
    ("dublins_first_pass", {"hour": 1, "minute": 59}, "Europe/Dublin", ["00:59"]),
    ("not_in_dublins_second", {"hour": "1,6", "minute": 1}, "Europe/Dublin", []),
)

NIGHTS = {
    "spring": (SPRING, datetime(2027, 3, 28, 1, tzinfo=UTC)),
    "autumn": (AUTUMN, datetime(2027, 10, 31, 1, tzinfo=UTC)),
}

TIMER = "[Timer]\nOnCalendar={at}\nAccuracySec=1s\n"
# In the midst of the night systemd is made to look again, as a deploy or a reboot would.
RELOAD = """[Service]
Type=oneshot
ExecStart=/bin/systemctl daemon-reload
ExecStart=/bin/systemctl restart clock-night-*.timer
"""
END = """[Service]
Type=oneshot
ExecStart=/bin/sh -c 'journalctl --output=json --output-fields=_SYSTEMD_UNIT SYSLOG_IDENTIFIER=echo > /dev/ttyS1'
ExecStart=/bin/sh -c 'echo over > /dev/ttyS1'
ExecStart=/bin/systemctl poweroff
"""


@pytest.fixture(scope="module")
def root() -> Path:
    """A Debian 13 root with a kernel."""
    require(lacking("a virtual machine", {"mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}))
    return debian_13()


def rendered(jobs: Jobs, shift: datetime, folder: Path) -> dict[str, str]:
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
    path = folder / "night.py"
    path.write_text("\n".join(lines))
    clock = read_clock(path, "night", Project("shop.tasks", "UTC", shift - timedelta(days=90)))
    return render([clock], Host(run_task="/bin/echo", configuration=Path("/etc/scheduled-tasks/config.toml")))


def lived_through(root: Path, jobs: Jobs, shift: datetime) -> str:
    """The journal of a machine that lives from LEAD before the shift to TAIL behind it."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "root"
        subprocess.run(["cp", "-a", str(root), str(own)], check=True)
        units = own / "etc/systemd/system"
        write_set(rendered(jobs, shift, Path(folder)), units)
        for name, at, service in (("look-again", timedelta(seconds=20), RELOAD), ("the-end", TAIL, END)):
            (units / f"{name}.timer").write_text(TIMER.format(at=(shift + at).strftime(TIME)))
            (units / f"{name}.service").write_text(service)
        wants = units / "timers.target.wants"
        wants.mkdir(exist_ok=True)
        for unit in ("clock-night.target", "look-again.timer", "the-end.timer"):
            (wants / unit).symlink_to(f"../{unit}")
        image, journal = Path(folder) / "image", Path(folder) / "journal"
        with image.open("wb") as file:
            file.truncate(3 << 30)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(own), str(image)], check=True)
        kernel = max((own / "boot").glob("vmlinuz-*"))
        initrd = max((own / "boot").glob("initrd.img-*"))
        done = subprocess.run(
            [
                "qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-smp", "2", "-display", "none", "-nic", "none",
                # The journal has a serial line of its own, for the kernel writes on the first.
                "-serial", "stdio", "-serial", f"file:{journal}",
                "-kernel", str(kernel), "-initrd", str(initrd),
                "-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0",
                "-drive", f"file={image},if=virtio,format=raw", "-rtc", f"base={shift - LEAD:%Y-%m-%dT%H:%M:%S}",
            ],
            capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL, errors="replace",
        )  # fmt: skip
        assert journal.read_text().endswith("over\n"), done.stdout[-3000:]
        return journal.read_text()


def fired(journal: str) -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in journal.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
            found[entry["_SYSTEMD_UNIT"].removeprefix("clock-night-").removesuffix(".service")].append(f"{at:%H:%M}")
    return found


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[str, dict[str, list[str]]]:
    """What fired in each of the nights, which both are lived through at once: most of it is waiting."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "golden"))
        journals = pool.map(lambda night: lived_through(root, *night), NIGHTS.values())
        return {name: fired(journal) for name, journal in zip(NIGHTS, journals, strict=True)}


@pytest.mark.parametrize("night", NIGHTS)
def test_each_timer_fires_as_promised(runs: dict[str, dict[str, list[str]]], night: str) -> None:
    jobs, _ = NIGHTS[night]
    assert {name: runs[night].get(name, []) for name, *_ in jobs} == {name: expected for name, _, _, expected in jobs}
