"""Tests that need a virtual machine: limits on control groups v2, and a power cut in the middle of an apply.

One virtual machine with systemd 257 runs them all; its power is cut during an apply, right after the switch. It reports
on a serial line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.project import FOLDER, furnish, write_clocks
from tests.machine.rendered import OUT, Jobs, host, write_below
from tests.machine.test_killed import NEW, OLD, TIMES, loaded
from tests.machine.test_options import BUSY, share
from tests.machine.vm import OVER, REPORT, VirtualMachine, virtual_machine
from tests.machine.vm_python import PYTHON, give_python

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.emulated

BOOT_SECONDS = 900.0  # seconds of the host for a boot and its work; a minute is usual
# A machine whose clock counts instructions measures the same share of its processor however busy the host is.
FIRST_BOOT, SECOND_BOOT = (datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (8, 9))
# Applies, and reports each operation before it happens.
DRIVER = """
import sys
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

class Reporting(Effects):
    def step(self, operation, what):
        with open(sys.argv[1], "w") as report:
            print("step", operation, what, file=report)

apply(render(enabled_clocks(), configured_host()), effects=Reporting())
"""
# Shell functions: report what is on the disk and what systemd has loaded; choose a set; apply it with a report.
LOOK = f"""look() {{
    {{
        echo "looks: $1"
        cd /etc/scheduled-tasks/units/current && sha256sum --check --quiet SHA256SUMS && echo sound
        systemctl show 'clock-*.timer' --all --property=Id,LoadState,ActiveState,TimersCalendar
        echo looked
    }} >{REPORT} 2>&1
}}
use() {{ rm -rf {FOLDER}/small/clocks; cp -r {FOLDER}/$1 {FOLDER}/small/clocks; }}
apply_with_report() {{ use $1; sync; {PYTHON} /srv/driver.py {REPORT} >{REPORT} 2>&1; }}
"""
LIMITED = ("greedy", "modest", "forks", "hangs", "busy")
# The first boot: the limits; then the old set; the power is cut on the way to the new one.
FIRST = f"""#!/bin/sh
. /srv/look.sh
mkdir -p -m 777 {OUT}
for job in {" ".join(LIMITED)}; do
    systemctl start --wait clock-limits-$job.service
    systemctl show clock-limits-$job.service --property=Id,Result --property=ControlGroup >{REPORT}
    echo >{REPORT}
done
cat {OUT}/busy >{REPORT}
echo "cgroups: $(stat --file-system --format=%T /sys/fs/cgroup)" >{REPORT}
cd /etc/systemd/system && rm -r clock-limits* clock.slice clock-.service.d/10-every-job.conf && systemctl daemon-reload
rm /etc/systemd/system/probe.sh && ln -s /srv/second.sh /etc/systemd/system/probe.sh
use old; {PYTHON} -m scheduled_tasks.cli apply >{REPORT} 2>&1
look applied
apply_with_report new
"""
# The second boot: what the power cut left, and the next apply.
SECOND = f"""#!/bin/sh
. /srv/look.sh
look booted
use new; {PYTHON} -m scheduled_tasks.cli apply >{REPORT} 2>&1
look converged
{PYTHON} -m scheduled_tasks.cli apply >{REPORT} 2>&1
echo {OVER.strip()} >{REPORT}
systemctl poweroff
"""
PROBE = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/etc/systemd/system/probe.sh
"""


def put_in(root: Path, folder: Path) -> None:
    """Put all that the machine needs into its root directory."""
    give_python(root)
    furnish(root)
    for name, clocks in (("old", OLD), ("new", NEW)):
        (root / FOLDER.lstrip("/") / name).mkdir()
        write_clocks(root / FOLDER.lstrip("/") / name, clocks)
    jobs = Jobs("limits", f'timeout="30s", tasks_max=8, memory_max="60M", read_write_paths=["{OUT}"]')
    jobs.add("greedy", "exec tail /dev/zero")
    jobs.add("modest", "head --bytes=10M /dev/zero | tail >/dev/null")
    jobs.add("forks", "for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait")
    jobs.add("hangs", "sleep 60", "timeout=1")
    jobs.add("busy", BUSY, "cpu_quota='20%'")
    jobs.write_into(root, folder, host(systemd_version=257))
    write_below(root, "/srv/look.sh", LOOK)
    write_below(root, "/srv/driver.py", DRIVER)
    for name, text in (("first", FIRST), ("second", SECOND)):
        write_below(root, f"/srv/{name}.sh", text, mode=0o755)
    units = root / "etc/systemd/system"
    (units / "probe.sh").symlink_to("/srv/first.sh")
    (units / "probe.service").write_text(PROBE)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/probe.service").symlink_to("../probe.service")


def cut_power(machine: VirtualMachine, at: str) -> str:
    """Boot the machine and cut its power at the first reported operation that contains `at`; return the report."""
    machine.cut(at, lambda: at in machine.report or "Traceback" in machine.report, seconds=BOOT_SECONDS, at=FIRST_BOOT)
    assert at in machine.report, machine.report[-3000:]
    return machine.report


@pytest.fixture(scope="module")
def boots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The reports of the machine's two boots."""
    folder = tmp_path_factory.mktemp("clock")
    with virtual_machine(lambda root: put_in(root, folder)) as machine:
        # `current` points to the new set by now, and nothing has flushed that to the disk.
        yield [cut_power(machine, "step systemctl daemon-reload"), machine.live(SECOND_BOOT)]


def results(report: str) -> dict[str, str]:
    units = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in report.split("\n\n")]
    return {
        unit["Id"].removeprefix("clock-limits-").removesuffix(".service"): unit["Result"]
        for unit in units
        if unit.get("Id", "").startswith("clock-limits-")
    }


def looks(report: str, when: str) -> tuple[bool, dict[str, str]]:
    """Whether the current set is complete, and which timers systemd has loaded, with their hours."""
    section = report.replace("\r", "").partition(f"looks: {when}\n")[2].partition("looked\n")[0]
    return section.startswith("sound\n"), loaded(section)


def test_limits_are_enforced_on_control_groups_v2(boots: list[str]) -> None:
    report = boots[0].replace("\r", "")
    assert "cgroups: cgroup2fs\n" in report
    assert results(report) == {
        "greedy": "oom-kill", "modest": "success", "forks": "exit-code", "hangs": "timeout", "busy": "success",
    }  # fmt: skip
    assert 0.1 < share(report) < 0.3


def test_a_power_cut_leaves_the_old_set_or_the_new_and_the_next_apply_completes_it(boots: list[str]) -> None:
    first, second = boots
    assert looks(first, "applied") == (True, TIMES["old"])
    operations = first.rpartition("looked\n")[2]
    assert "/etc/scheduled-tasks/units/current" in operations  # the switch
    sound, timers = looks(second, "booted")
    assert sound
    assert timers in TIMES.values()
    assert looks(second, "converged") == (True, TIMES["new"])
    assert "already up to date" in second
