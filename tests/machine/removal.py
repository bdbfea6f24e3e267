"""End test machines, and remove all that they leave on the host, even those whose owner was killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.machine.waiting import wait_for

MACHINES = Path("/run/scheduled-tasks-machines")  # a folder per machine, and a lock file that its owner has locked


def leader_of(nspawn: int) -> int:
    """The machine's PID 1, as the host numbers it; 0 before there is one.

    It is the child of systemd-nspawn with the number 1 inside: the first child is a helper that is partly still in
    the host's namespaces, so that a command run there would run on the host.
    """
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
            if len(inside := status["NSpid"].split()) > 1 and inside[-1] == "1":
                return int(child)
    return 0


def remove_abandoned() -> None:
    """Remove the machines whose owner was killed: their lock is free."""
    for path in MACHINES.glob("*.lock"):
        with path.open("w") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path.with_suffix(""))


def kill(folder: Path) -> None:
    """End a machine as a power cut does: systemd-nspawn ends with its child."""
    with suppress(FileNotFoundError):
        nspawn = int((folder / "nspawn.pid").read_text())
        # By now the number may belong to another process.
        if str(folder) in Path(f"/proc/{nspawn}/cmdline").read_text():
            with suppress(ProcessLookupError):
                os.kill(leader_of(nspawn) or nspawn, signal.SIGKILL)
            wait_for("systemd-nspawn to end", lambda: has_ended(nspawn))


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def remove(folder: Path) -> None:
    """End a machine and remove all that it wrote."""
    kill(folder)
    for mount in (folder / "root", folder):
        if mount.is_mount():
            subprocess.run(["umount", "--lazy", str(mount)], check=True)
    # os.walk, because other machines' groups vanish meanwhile, which pathlib takes for an error.
    name = f"scheduled-tasks-{folder.name}"
    groups = [Path(parent, name) for parent, names, _ in os.walk("/sys/fs/cgroup") if name in names]
    # If systemd-nspawn was killed before its child, the machine is still up.
    for process in _processes(groups):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for("the machine's processes to end", lambda: not _processes(groups))
    for group in groups:
        remove_group(group)
    with suppress(FileNotFoundError):
        folder.rmdir()
    folder.with_suffix(".lock").unlink(missing_ok=True)


def _processes(groups: list[Path]) -> set[int]:
    """The processes in control groups and all groups below them."""
    processes: set[int] = set()
    for group in groups:
        for parent, _, _ in os.walk(group):
            with suppress(OSError):  # the group is gone by now
                processes.update(map(int, Path(parent, "cgroup.procs").read_text().split()))
    return processes


def remove_group(group: Path) -> None:
    for parent, _, _ in os.walk(group, topdown=False):
        with suppress(FileNotFoundError):
            Path(parent).rmdir()
