"""Relaxations: named parts of the hardening that a job can give up; docs/reference/clock-files.md has their costs."""

from __future__ import annotations

from typing import NamedTuple


class Relaxation(NamedTuple):
    """The unit's lines, the purpose, and the most that it adds to the score of `systemd-analyze security`."""

    lines: tuple[str, ...]
    purpose: str
    cost: float


RELAXATIONS = {
    "jit": Relaxation(
        ("MemoryDenyWriteExecute=no",),
        "code made at run time: PyPy, numba, node, java, a browser's JavaScript",
        0.1,
    ),
    "processes": Relaxation(
        ("ProtectProc=default", "ProcSubset=all"), "looks at other processes and /proc: psutil", 0.2
    ),
    "devices": Relaxation(("PrivateDevices=no", "DevicePolicy=auto"), "uses a device: a printer, a GPU", 0.3),
    "namespaces": Relaxation(("RestrictNamespaces=no",), "makes its own sandbox: a headless browser", 0.7),
    "netlink": Relaxation(("RestrictAddressFamilies=AF_NETLINK",), "lists network interfaces", 0.1),
}
# Two more options reduce the hardening.
COSTS = {name: relaxation.cost for name, relaxation in RELAXATIONS.items()} | {"allow_network": 0.3, "concurrency": 0.2}
