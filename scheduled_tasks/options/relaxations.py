"""Relaxations: named parts of the sandbox that a job can give up; docs/reference/clock-files.md has their costs."""

from __future__ import annotations

from typing import NamedTuple


class Relaxation(NamedTuple):
    """What is lifted: the unit's lines, whom it is for, and what `systemd-analyze security` adds for it at most."""

    lines: tuple[str, ...]
    purpose: str
    cost: float


RELAXATIONS = {
    "jit": Relaxation(
        ("MemoryDenyWriteExecute=no",), "code made at run time: PyPy, numba, a browser's JavaScript", 0.1
    ),
    "processes": Relaxation(
        ("ProtectProc=default", "ProcSubset=all"), "looks at other processes and /proc: psutil", 0.2
    ),
    "devices": Relaxation(("PrivateDevices=no", "DevicePolicy=auto"), "uses a device: a printer, a GPU", 0.3),
    "namespaces": Relaxation(("RestrictNamespaces=no",), "makes a sandbox of its own: a headless browser", 0.7),
    "netlink": Relaxation(("RestrictAddressFamilies=AF_NETLINK",), "lists network interfaces", 0.1),
}
# Two options lift something as well, and are named in the clock file too.
COSTS = {name: relaxation.cost for name, relaxation in RELAXATIONS.items()} | {"allow_network": 0.3, "concurrency": 0.2}
