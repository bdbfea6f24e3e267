"""What a run has taken of the machine, as the kernel counts it.

Memory is that of its service, from the files of its own cgroup: the sandbox leaves them readable
(ProtectControlGroups= forbids writing, ProcSubset=pid keeps /proc/self). By hand it isn't known: there the cgroup is
the shell's too.
"""

from __future__ import annotations

import os

# By the controllers that /proc/self/cgroup names: of the unified hierarchy none. The latter are on older systems.
PEAKS = {"": "/sys/fs/cgroup{}/memory.peak", "memory": "/sys/fs/cgroup/memory{}/memory.max_usage_in_bytes"}


def memory_and_cpu() -> tuple[int | None, float]:
    """The most bytes of memory that the service took so far, and the seconds of processors that the run did."""
    user, system, children_user, children_system, _ = os.times()
    return _memory(), round(user + system + children_user + children_system, 3)


def _memory() -> int | None:
    if "INVOCATION_ID" not in os.environ:
        return None
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers in PEAKS and own.endswith(".service"):
            peak = _read(PEAKS[controllers].format(own)).strip()
            if peak.isdecimal():
                return int(peak)
    return None


def _read(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123 - pathlib costs more than the reading
            return file.read()
    except OSError:
        return ""
