"""What a run has taken of the machine, as the kernel counts it for its service.

It reads the files of its own cgroup: the sandbox leaves them readable (ProtectControlGroups= forbids writing,
ProcSubset=pid keeps /proc/self). By hand a process shares its cgroup with the shell, and nothing is known.
"""

from __future__ import annotations

import os


def memory_and_cpu() -> tuple[int | None, float | None]:
    """The most bytes of memory, and the seconds of processors, that the service took so far; None where unknown."""
    try:
        with open("/proc/self/cgroup") as file:  # noqa: PTH123 - pathlib costs more than the reading
            _, _, own = file.read().rstrip("\n").rpartition("::")
    except OSError:
        return None, None
    if "INVOCATION_ID" not in os.environ or not own.endswith(".service"):
        return None, None
    peak = _read(f"/sys/fs/cgroup{own}/memory.peak").strip()
    microseconds = _read(f"/sys/fs/cgroup{own}/cpu.stat").partition("usage_usec ")[2].partition("\n")[0]
    return int(peak) if peak.isdecimal() else None, int(microseconds) / 1_000_000 if microseconds.isdecimal() else None


def _read(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return ""
