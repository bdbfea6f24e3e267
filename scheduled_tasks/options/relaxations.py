"""Relaxations: what a job may have of the hardening lifted, by name; docs/clocks.md says what each one costs."""

from __future__ import annotations

from typing import NamedTuple


class Relaxation(NamedTuple):
    """What is lifted: the unit's lines, and whom it is for."""

    lines: tuple[str, ...]
    purpose: str


RELAXATIONS = {
    "jit": Relaxation(("MemoryDenyWriteExecute=no",), "code made at run time: PyPy, numba, a browser's JavaScript"),
    "processes": Relaxation(("ProtectProc=default", "ProcSubset=all"), "looks at other processes and /proc: psutil"),
    "devices": Relaxation(("PrivateDevices=no", "DevicePolicy=auto"), "uses a device: a printer, a GPU"),
    "namespaces": Relaxation(("RestrictNamespaces=no",), "makes a sandbox of its own: a headless browser"),
    "netlink": Relaxation(("RestrictAddressFamilies=AF_NETLINK",), "lists network interfaces"),
}
