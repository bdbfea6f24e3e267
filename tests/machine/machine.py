"""A throwaway machine: a real systemd as PID 1 over the files of this host or another system, removed after the test.

systemd-nspawn boots an overlay with the host's root as its lower layer and a tmpfs as its upper one: the machine has
what the host has installed, and changes none of it. Network and clock are the host's: never set the time in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.machine.removal import MACHINES, has_ended, kill, leader_of, remove, remove_abandoned, remove_group
from tests.machine.waiting import wait_for
from tests.roots import BOOTING, lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
BOOT_SECONDS = 120.0  # a boot takes one or two; after this it has failed
# The control group hierarchies that systemd inside writes to.
HIERARCHIES = {"", "unified", "systemd", "memory", "pids", "cpu", "cpuacct", "cpu,cpuacct"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


_restarted: list[tuple[Path, subprocess.Popen[bytes]]] = []  # each machine's systemd-nspawn processes after its first


@dataclass(frozen=True)
class Machine:
    """A booted machine.

    Attributes:
        name: its hostname.
        root: its root directory, as the host sees it.
        leader: its PID 1, as the host numbers it.
    """

    name: str
    root: Path
    leader: int

    def run(
        self, *command: str, check: bool = True, stdin: str = "", folder: str = "/", seconds: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the machine's root, in a clean environment, and return its output.

        Raises:
            AssertionError: it failed and `check` is set; with its output.
        """
        clean = ["env", "--ignore-environment", f"--chdir={folder}", *environment()]
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), "--all", *clean, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if check:
            assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file or folder of the host to a path in the machine."""
        inside = self.root / target.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, inside, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, inside, follow_symlinks=False)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """The journal entries of a unit, oldest first."""
        printed = self.run("journalctl", "--unit", unit, "--output=json", "--no-pager").stdout
        return [json.loads(line) for line in printed.splitlines()]

    def log_lines(self, unit: str) -> list[dict[str, Any]]:
        """The standard output of a unit's processes: one JSON object per line."""
        printed = [entry["MESSAGE"] for entry in self.journal(unit) if entry.get("_TRANSPORT") == "stdout"]
        return [json.loads(message) for message in printed]


def rebooted(machine: Machine) -> Machine:
    """The same machine after a power cut: its disk is unchanged, its memory is lost."""
    folder = machine.root.parent
    kill(folder)
    for group in cgroups(folder):
        remove_group(group)
    nspawn = _nspawn(machine.name, folder)
    _restarted.append((folder, nspawn))
    return _wait_for_boot(machine.name, folder, nspawn)


def restarted(machine: Machine) -> Machine:
    """The same machine after a shutdown, which stops its services, and a boot."""
    nspawn = int((machine.root.parent / "nspawn.pid").read_text())
    machine.run("systemctl", "--no-block", "poweroff")
    wait_for("the machine's shutdown", lambda: has_ended(nspawn), seconds=BOOT_SECONDS)
    return rebooted(machine)


@contextmanager
def booted(name: str, base: Path = Path("/")) -> Iterator[Machine]:
    """A machine, until the end of the block.

    Args:
        name: its hostname.
        base: the root directory with its files, this host's or another system's.

    Raises:
        AssertionError: it doesn't boot; with the output on its console.
    """
    require(lacking("booting machines", BOOTING))
    MACHINES.mkdir(exist_ok=True)
    remove_abandoned()
    folder = MACHINES / f"{name}-{os.getpid()}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _make_root(name, folder, base)
            with _nspawn(name, folder) as nspawn:
                try:
                    yield _wait_for_boot(name, folder, nspawn)
                finally:
                    kill(folder)
        finally:
            remove(folder)
            for other, restarted in _restarted:
                if other == folder:
                    restarted.wait()


def _make_root(name: str, folder: Path, base: Path) -> None:
    folder.mkdir()
    _mount("-t", "tmpfs", "tmpfs", str(folder))
    for layer in ("upper", "work", "root"):
        (folder / layer).mkdir()
    layers = f"lowerdir={base},upperdir={folder}/upper,workdir={folder}/work"
    _mount("-t", "overlay", "overlay", "-o", layers, str(folder / "root"))
    (folder / "root/etc/hostname").write_text(f"{name}\n")
    # Container images forbid packages to start services; a machine with an init allows it.
    (folder / "root/usr/sbin/policy-rc.d").unlink(missing_ok=True)
    machine_id = folder / "root/etc/machine-id"
    machine_id.unlink(missing_ok=True)  # it may be a dangling link
    machine_id.write_text(f"{uuid.uuid4().hex}\n")
    # A reload runs all generators, a dozen programs; none has anything to generate in a container.
    masks = folder / "root/etc/systemd/system-generators"
    masks.mkdir(exist_ok=True)
    for generator in (folder / "root/usr/lib/systemd/system-generators").glob("systemd-*"):
        (masks / generator.name).symlink_to("/dev/null")
    (folder / "root/etc/systemd/system/systemd-udevd.service").symlink_to("/dev/null")


def _wait_for_boot(name: str, folder: Path, nspawn: subprocess.Popen[bytes]) -> Machine:
    def booted_machine() -> Machine | None:
        assert nspawn.poll() is None, "systemd-nspawn ended"
        leader = leader_of(nspawn.pid)
        machine = Machine(name, folder / "root", leader)
        if not leader:
            return None
        state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
        return machine if state in {"running", "degraded"} else None

    try:
        machine = wait_for("the machine's boot", booted_machine, seconds=BOOT_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(folder / 'console.log').read_text()}") from None
    assert machine is not None  # wait_for returns no false answer
    if not _has_unified_cgroups():
        # nspawn mounts these read-only; without them MemoryMax= and TasksMax= would have no effect.
        for controller in ("memory", "pids", "cpu", "cpuacct"):
            machine.run("mount", "-o", "remount,bind,rw", f"/sys/fs/cgroup/{controller}")
        machine.run("systemctl", "daemon-reexec")
    return machine


def _nspawn(name: str, folder: Path) -> subprocess.Popen[bytes]:
    groups = cgroups(folder)
    for group in groups:
        group.mkdir()
    # In control groups of its own from the start: otherwise two machines would share theirs, and neither would boot.
    enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
    command = [
        "sh", "-ec", enter, "sh", *map(str, groups), "--",
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe", f"--machine={name}",
        "--drop-capability=CAP_SYS_TIME",  # the clock is the host's
        f"--directory={folder}/root",
        # The tests' Python and its tools, which may be on another file system than the root.
        f"--bind-ro={sys.prefix}",
        # And the repository, which may be in /tmp: a machine has its own /tmp.
        f"--bind-ro={REPOSITORY}",
    ]  # fmt: skip
    # And Python's standard library if the base lacks it (see inside.py).
    library = sysconfig.get_path("stdlib")
    if not (folder / "root" / library.lstrip("/")).exists():
        command += [f"--bind-ro={library}"]
    # None of the host's services, only what systemd itself needs. In the environment, not as arguments: if the
    # variable is set, systemd reads nothing else.
    boot = ["systemd.unit=basic.target"]
    if not _has_unified_cgroups():
        boot += ["systemd.unified_cgroup_hierarchy=0"]
        # systemd 256 and newer boot on such a host only with this variable; older ones don't know the variable.
        command += ["--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
    command += [f"--setenv=SYSTEMD_PROC_CMDLINE={' '.join(boot)}"]
    with (folder / "console.log").open("w") as console:
        nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    (folder / "nspawn.pid").write_text(str(nspawn.pid))
    return nspawn


def _has_unified_cgroups() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def environment() -> list[str]:
    """A plain environment for root, with the host's variables for reaching a package index."""
    kept = {
        name: value for name, value in os.environ.items() if re.match("PIP_|(https?|no)_proxy", name, re.IGNORECASE)
    }
    plain = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    return [f"{name}={value}" for name, value in (kept | plain).items()]


def cgroups(folder: Path) -> list[Path]:
    """The machine's control groups, below this process's in each hierarchy that systemd inside writes to."""
    groups = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        hierarchy = controllers.removeprefix("name=") or ("" if _has_unified_cgroups() else "unified")
        mounted = Path("/sys/fs/cgroup", hierarchy)
        if hierarchy in HIERARCHIES and mounted.is_dir():
            groups.append(mounted / path.lstrip("/") / f"scheduled-tasks-{folder.name}")
    return groups


def cpu_seconds(machine: Machine) -> float:
    """The processor time that the machine has used since it booted."""
    groups = cgroups(machine.root.parent)
    for group in groups:
        if (usage := group / "cpuacct.usage").exists():  # control groups v1
            return int(usage.read_text()) / 1e9
    return int((groups[0] / "cpu.stat").read_text().split()[1]) / 1e6


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
