"""What one job can do to another that runs at the same time: nothing, unless both are given the same user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.documented import PAGES
from tests.machine.rendered import OUT, Jobs, host, start, values
from tests.machine.sandbox_rows import BY_HAND, ROWS
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("isolation")  # one machine for all tests

HOME = "/var/lib/scheduled-tasks/home/clock-isolation-works"
WORKS = f"""echo well >$HOME/note
echo $$ >{OUT}/pid
while [ ! -e {OUT}/go ]; do sleep 0.1; done
echo well >{OUT}/ended"""
# Perl, which every Debian has, for calls that no command makes. x86-64's numbers: ptrace 101, process_vm_readv 310.
ATTACKS = f"""
use strict; use Errno;
open(my $file, '<', '{OUT}/pid') or die; chomp(my $pid = <$file>);
my %found = (uid => $>);
sub noted {{ my ($name, $worked) = @_; $found{{$name}} = $worked ? 'worked' : (grep {{ $!{{$_}} }} keys %!)[0]; }}
sub reads {{ open(my $read, '<', $_[0]) or return 0; defined sysread($read, my $bytes, 1); }}
noted(environ => reads("/proc/$pid/environ"));
noted(memory => reads("/proc/$pid/mem"));
noted(descriptors => opendir(my $folder, "/proc/$pid/fd"));
my $seized = syscall(101, 0x4206, $pid, 0, 0) == 0; noted(ptrace => $seized);
my $buffer = ' ' x 8; my $here = pack('PQ', $buffer, 8); my $there = pack('QQ', 4194304, 8);
noted(process_vm_readv => syscall(310, $pid, $here, 1, $there, 1, 0) >= 0);
system("systemctl kill --signal=KILL clock-isolation-works.service 2>/dev/null"); noted(systemctl => $? == 0);
noted(lock => open(my $lock, '<', '/run/scheduled-tasks/lock'));
noted(others_lock => open(my $door, '<', '/run/scheduled-tasks/other/door'));
noted(reads_home => reads('{HOME}/note'));
noted(writes_home => open(my $planted, '>', '{HOME}/planted'));
noted(kill => kill('KILL', $pid)); kill('KILL', -1);  # which succeeds even if it reaches nobody
open(my $out, '>', '{OUT}/found') or die;
print $out '{{' . join(',', map {{ "\\"$_\\":\\"$found{{$_}}\\"" }} sort keys %found) . '}}';
"""


def attacked(machine: Machine, folder: Path, options: str) -> tuple[dict[str, str], str, str]:
    """What a job found it can do to a running one, that one's user, and how its run ended."""
    out = machine.root / OUT.lstrip("/")
    jobs = Jobs("isolation", f'read_write_paths=["{OUT}"]{options}')
    jobs.add("works", WORKS)
    jobs.add("attacks", ATTACKS, shell="/usr/bin/perl")
    jobs.put_on(machine, folder, host())
    machine.run(
        "sh", "-ec", "cd /run; mkdir -p scheduled-tasks/other; touch scheduled-tasks/lock scheduled-tasks/other/door"
    )
    for name in ("pid", "go", "ended", "found"):
        (out / name).unlink(missing_ok=True)
    works, attacks = jobs.service("works"), jobs.service("attacks")
    machine.run("systemctl", "start", works)
    wait_for("the first job", lambda: (out / "pid").exists() and (out / "pid").read_text())
    [process] = values(machine, works, "MainPID")
    uid = machine.run("stat", "--format=%u", f"/proc/{process}").stdout.strip()
    start(machine, attacks)
    assert (out / "found").exists(), machine.journal(attacks)
    (out / "go").touch()
    over = ("inactive", "failed")
    wait_for("the first job's end", lambda: values(machine, works, "ActiveState")[0] in over)
    found = json.loads((out / "found").read_text())
    return found, uid, values(machine, works, "Result")[0]


def test_a_job_with_a_user_of_its_own_is_safe_from_others(either_machine: Machine, tmp_path: Path) -> None:
    found, uid, result = attacked(either_machine, tmp_path, "")
    assert found.pop("uid") != uid
    assert {name for name, error in found.items() if error == "worked"} == set()
    assert found["kill"] == "EPERM"
    assert result == "success"
    assert (either_machine.root / OUT.lstrip("/") / "ended").read_text() == "well\n"


def test_jobs_of_one_user_can_end_each_other_but_not_look_inside(either_machine: Machine, tmp_path: Path) -> None:
    either_machine.run("useradd", "--system", "shared")
    found, uid, result = attacked(either_machine, tmp_path, ', user="shared"')
    assert found.pop("uid") == uid
    assert {name for name, error in found.items() if error == "worked"} == {"kill", "reads_home"}
    assert result == "signal"


def has(machine: Machine, program: str) -> bool:
    """Whether a program is installed on the machine."""
    return machine.run("sh", "-c", f"command -v {program}", check=False).returncode == 0


def test_what_a_job_may_do_is_as_its_page_says(either_machine: Machine, tmp_path: Path) -> None:
    page = PAGES["reference/sandbox.md"].split("| a job that |")[1].split("\n\n")[0]
    assert {line.split(" | ")[0].removeprefix("| ") for line in page.splitlines()[2:]} == {*ROWS, *BY_HAND}
    machine, jobs, expected = either_machine, Jobs("tries", ""), {}
    for number, row in enumerate(ROWS.values()):
        for option, code in row.expected.items() if has(machine, row.program) else ():
            name = f"row_{number}_{len(jobs.scripts)}"
            jobs.add(name, row.script, option)
            expected[name] = row.script, option, code
    prepare = "id shared || useradd --system shared; groupadd --force docker; useradd --system --groups=docker docking"
    machine.run("sh", "-ec", f"{prepare}; install --directory --mode=777 /srv/free")
    socket = {"ListenStream": "/run/docker.sock", "SocketMode": "0660", "SocketGroup": "docker"}
    listen = [f"--socket-property={name}={value}" for name, value in socket.items()]
    machine.run("systemd-run", "--quiet", "--unit=dock", *listen, "sleep", "5")
    jobs.put_on(machine, tmp_path, host())
    start(machine, *map(jobs.service, expected))
    ended = {job: int(values(machine, jobs.service(job), "ExecMainStatus")[0]) for job in expected}
    assert {job: (*expected[job][:2], code) for job, code in ended.items()} == expected
