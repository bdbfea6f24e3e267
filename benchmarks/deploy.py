"""Measure a deploy of many jobs on a booted machine: `python -m benchmarks.deploy [JOBS]`, as root.

The first apply and a change of one job are compared with the minimum: the same units as plain files, daemon-reload,
start; the first apply also with what people usually write, an Ansible role that copies and enables each unit in a loop.
"""

from __future__ import annotations

import compileall
import resource
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import scheduled_tasks
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.units import render
from tests.machine.machine import Machine, booted
from tests.machine.project import FOLDER, SmallProject, set_up

UNITS = "/etc/systemd/system"


def measured(what: str, act: Callable[[], object]) -> float:
    """Do something; print and return how many seconds it took."""
    begun = time.perf_counter()
    act()
    taken = time.perf_counter() - begun
    print(f"{what:<52} {taken:8.2f} s", flush=True)
    return taken


def write_clocks(project: SmallProject, jobs: int, *, first_hour: int = 3) -> None:
    """Write ten clocks with a tenth of the jobs each."""
    project.write(
        **{
            f"clock{clock}": {
                f"job{job}": (f"hour={first_hour if clock == job == 0 else 3}, minute={job % 60}", True)
                for job in range(jobs // 10)
            }
            for clock in range(10)
        }
    )


# A role as people write it: a loop that copies, a loop that enables and starts.
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Copy the units
      ansible.builtin.copy:
        src: "/srv/role/{{ item }}"
        dest: "/etc/systemd/system/{{ item }}"
        mode: "0644"
      loop: "{{ lookup('file', '/srv/role/units').splitlines() }}"
    - name: Enable and start the timers
      ansible.builtin.systemd_service:
        name: "{{ item }}"
        enabled: true
        state: started
        daemon_reload: true
      loop: "{{ lookup('file', '/srv/role/units').splitlines() | select('search', 'timer$') }}"
"""
ROLES_JOBS = 50


def by_a_role(plain: Mapping[str, str]) -> float:
    """Deploy some of the jobs to a fresh machine with a role; return the seconds per job."""
    stems = sorted(path.removesuffix(".timer") for path in plain if path.endswith(".timer"))[:ROLES_JOBS]
    units = [f"{stem}{suffix}" for stem in stems for suffix in (".service", ".timer")]
    with booted("role") as machine:
        role = machine.root / "srv/role"
        role.mkdir()
        (role / "site.yml").write_text(PLAYBOOK)
        for unit in units:
            install = "\n[Install]\nWantedBy=timers.target\n" if unit.endswith(".timer") else ""
            (role / unit).write_text(plain[unit] + install)
        (role / "units").write_text("\n".join(units))
        set_up(machine)  # has the command that the services call
        command = (f"{sys.prefix}/bin/ansible-playbook", "-i", "localhost,", "/srv/role/site.yml")
        taken = measured(f"an Ansible role, {len(stems)} jobs", lambda: machine.run(*command, seconds=900))
    return taken / len(stems)


def settled(machine: Machine) -> float:
    """Measure for how many seconds systemd 252 is busy after many timers changed, however they were changed."""
    ask = ("systemctl", "show", "--property=Id", "clock-*.timer")
    return measured("  until systemd answers again", lambda: machine.run(*ask))


def on_a_machine(jobs: int) -> None:
    """Measure applies of many jobs, then the same units by hand and by a role."""
    compileall.compile_dir(Path(scheduled_tasks.__path__[0]), quiet=1)  # as in a release
    with booted("bench") as machine:
        project = set_up(machine)
        write_clocks(project, jobs)
        first = measured(f"first apply of {jobs} jobs", lambda: project.clocks("apply"))
        first_settled = first + settled(machine)
        measured("nothing changed", lambda: project.clocks("apply"))
        write_clocks(project, jobs, first_hour=5)
        changed = measured(f"one of {jobs} changed", lambda: project.clocks("apply"))
        settled(machine)
        measured("plan, nothing to do", lambda: project.clocks("plan"))
        machine.run("cp", "-rL", "/etc/scheduled-tasks/units/current", f"{FOLDER}/plain")
        folder = machine.root / f"{FOLDER}/plain".lstrip("/")
        plain = {path.name: path.read_text() for path in folder.glob("*.*") if path.is_file()}
        measured("remove --all", lambda: project.clocks("remove", "--all"))
        settled(machine)
        by_hand = (
            f"rm {FOLDER}/plain/SHA256SUMS; cp -r {FOLDER}/plain/. {UNITS}/ && systemctl daemon-reload && "
            f"cd {FOLDER}/plain && systemctl start *.target"
        )
        raw = measured("the same units by cp, daemon-reload, start", lambda: machine.run("sh", "-c", by_hand))
        raw_settled = raw + settled(machine)
        one_by_hand = (
            f"sed -i 's/^OnCalendar=.*/OnCalendar=*-*-* 05:00:00/' {UNITS}/clock-clock0-job0.timer && "
            "systemctl daemon-reload && systemctl restart clock-clock0-job0.timer"
        )
        raw_changed = measured(f"one of {jobs} changed by hand", lambda: machine.run("sh", "-c", one_by_hand))
        settled(machine)
        print(f"the first apply, with all its checks, takes {first / raw:.1f} times as long;")
        print(f"until systemd has its timers, {first_settled / raw_settled:.1f} times;")
        print(f"an apply of one change takes {changed / raw_changed:.1f} times as long as by hand")
    of_each = by_a_role(plain)
    print(f"a job takes {1000 * of_each:.0f} ms by the role, {1000 * first / jobs:.1f} ms by a first apply of {jobs}:")
    print(f"{of_each / (first / jobs):.0f} times as long")


def rendering(jobs: int) -> None:
    """Measure how long this process takes to render one clock file with many jobs."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "many.py")
        lines = [
            "from scheduled_tasks import Clock",
            "from scheduled_tasks.domains.booking import cancel_expired_bookings",
            "scheduler = Clock()",
            "for number in range(" + str(jobs) + "):",
            "    scheduler.add_job(cancel_expired_bookings, 'cron', [1], id=f'job{number}', hour=number % 24)",
        ]
        path.write_text("\n".join(lines) + "\n")
        project = ReadingContext(domains="scheduled_tasks.domains", timezone="Europe/Paris", now=datetime.now(UTC))
        clocks = [read_clock(path, "many", project)]
    host = Host(run_task="/bin/true", configuration=Path("/etc/scheduled-tasks/config.toml"))
    measured(f"render of {jobs} jobs", lambda: render(clocks, host))


def main() -> None:
    """Print all figures."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for count in (100, 1000, 10_000):
        rendering(count)
    on_a_machine(jobs)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
