"""Memory and CPU time of a run, as the kernel counts them.

Memory is the whole service's, from the files of its own cgroup, which the sandbox leaves readable
(ProtectControlGroups= forbids writing, ProcSubset=pid keeps /proc/self). For a run by hand it is unknown, because its
cgroup is the shell's as well.
"""

from __future__ import annotations

import os

# By the controllers in /proc/self/cgroup: the unified hierarchy has none; "memory" is that of older systems.
PEAKS = {"": "/sys/fs/cgroup{}/memory.peak", "memory": "/sys/fs/cgroup/memory{}/memory.max_usage_in_bytes"}


def memory_and_cpu() -> tuple[int | None, float]:
    """Peak memory of the service in bytes, and CPU seconds used by this run."""
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
        with open(path) as file:  # noqa: PTH123 - importing pathlib costs more than reading
            return file.read()
    except OSError:
        return ""
