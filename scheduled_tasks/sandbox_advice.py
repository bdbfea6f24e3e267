"""Name the part of the sandbox that a failure is likely due to, and the option that helps. Pure; runs that fail use it.

The kernel answers with an error number or a signal and never says which directive was behind it. In comes the error
that a task raised, or how a command ended; out goes one sentence, or "" if the sandbox is not a likely cause.
docs/reference/sandbox.md has the same causes in a table.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAX_CHAIN = 10  # errors that were raised from one another
EXIT_CODE_OF_SIGNAL = 128  # a shell exits with this and the number of the signal that killed its command


class Cause(NamedTuple):
    """A directive of the sandbox, and what to write instead."""

    directive: str
    instead: str

    def __str__(self) -> str:
        return f"likely the sandbox, {self.directive}: {self.instead}"


JIT = Cause("MemoryDenyWriteExecute=yes", "write relax=['jit'] if it generates code at run time")
PROCESSES = Cause("ProcSubset=pid and ProtectProc=invisible", "write relax=['processes'] if it reads this")
DEVICES = Cause("PrivateDevices=yes", "write relax=['devices'] if it needs the device")
NETLINK = Cause("RestrictAddressFamilies=", "write relax=['netlink'] if it lists network interfaces")
NAMESPACES = Cause("RestrictNamespaces=yes", "write relax=['namespaces'] if it makes a sandbox of its own")
NETWORK = Cause("IPAddressDeny=any", "name the address in allow_network=[…]")
RESOLVER = Cause("IPAddressDeny=any", "name the resolver's address in allow_network=[…] if it is on another machine")
OWNER = Cause("CapabilityBoundingSet= and SystemCallFilter=~@privileged", "give the job the user that the files need")
PRIVILEGES = Cause("NoNewPrivileges=yes", "no program gains rights in a job: give it a user= that has them")
PRIORITY = Cause("SystemCallFilter=~@resources", "write nice=, cpu_weight= or io_weight= in place of the call")
CALLS = Cause("SystemCallFilter= or CapabilityBoundingSet=", "find out which call it is, see docs/reference/sandbox.md")
READ_ONLY = "ProtectSystem=strict"

# V8 (node, a browser) ends by SIGTRAP if it gets no executable memory.
_SIGNALS = {signal.SIGSYS.value: CALLS, signal.SIGTRAP.value: JIT}
# What a failing line of Python calls, for EPERM and EACCES, which have no path.
_CALLS = (
    (r"\bl?f?chown\b", OWNER),
    (r"nice\b|setpriority|sched_set|setrlimit|ioprio|cpu_affinity", PRIORITY),
    (r"\b(set(re|res|e)?[ug]id|initgroups|setgroups)\b|sudo", PRIVILEGES),
    (r"unshare|setns|CLONE_NEW", NAMESPACES),
    (r"mmap|mprotect|executable memory|llvm|numba|cffi|ctypes", JIT),
    (r"connect|send(to|msg)?\b|create_connection", NETWORK),
)
# What programs print, if they don't only print an error's text.
_PRINTED = (
    (r"executable memory|memory page as executable|Check failed: .*SetPermissions|mprotect", JIT),
    (r"No usable sandbox|unshare failed|Failed to move to new namespace", NAMESPACES),
    (r"no new privileges", PRIVILEGES),
    (r"Address family not supported", NETLINK),
    (r"/proc/\S+.*No such file", PROCESSES),
    (r"niceness|affinity|scheduling", PRIORITY),
    (r"changing (ownership|group)|chown|lchown", OWNER),
    (r"Read-only file system", Cause(READ_ONLY, "name the folder in read_write_paths=[…]")),
    (r"Operation not permitted|Function not implemented|Bad system call", CALLS),
)


def of_error(error: BaseException) -> str:
    """The advice for what a task raised, or for an error that led to it."""
    for one in _chain(error):
        if cause := _of_one(one):
            return str(cause)
    return ""


def of_signal(number: int) -> str:
    """The advice for a process that a signal killed."""
    return str(_SIGNALS.get(number, ""))


def is_confined() -> bool:
    """Whether systemd runs this process in a sandbox like ours; by hand, an error is not the sandbox's."""
    if "INVOCATION_ID" not in os.environ:
        return False
    try:
        return re.search(r"(?m)^NoNewPrivs:\s*1$", Path("/proc/self/status").read_text(errors="replace")) is not None
    except OSError:
        return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if following is None:
            return
        yield following
        following = following.__cause__ or following.__context__


def _of_one(error: BaseException) -> Cause | str:
    if isinstance(error, socket.gaierror):
        return RESOLVER if error.errno == socket.EAI_AGAIN else ""
    if isinstance(error, OSError):
        return _of_errno(error)
    # What subprocess and the bundled command raise for a command that failed.
    status = getattr(error, "returncode", None) or getattr(error, "status", None)
    if not isinstance(status, int) or not status:
        return ""
    number = -status if status < 0 else status - EXIT_CODE_OF_SIGNAL
    return _SIGNALS.get(number) or _of_printed(getattr(error, "stderr", None) or "")


def _of_printed(printed: object) -> Cause | str:
    text = printed.decode(errors="replace") if isinstance(printed, bytes) else str(printed)
    return next((cause for pattern, cause in _PRINTED if re.search(pattern, text)), "")


def _of_errno(error: OSError) -> Cause | str:
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    simple = {errno.EAFNOSUPPORT: NETLINK, errno.ENOSYS: CALLS}
    if error.errno in simple:
        return simple[error.errno]
    if error.errno == errno.EROFS:
        folder = repr(os.path.dirname(os.path.abspath(path))) if path else "…"  # noqa: PTH100, PTH120 - any text
        return Cause(READ_ONLY, f"write read_write_paths=[{folder}], or write into its home ($HOME)")
    if error.errno in {errno.ENOENT, errno.EACCES, errno.EPERM} and path.startswith(("/proc/", "/dev/")):
        return PROCESSES if path.startswith("/proc/") else DEVICES
    if error.errno == errno.EACCES and path:
        who = f"its user (uid {os.geteuid()}) has no right to {path}"
        return Cause("DynamicUser=yes or User=", f"{who}: grant it, or write a user= that has it")
    if error.errno in {errno.EPERM, errno.EACCES}:
        text = f"{_failing_line(error)} {error}"
        return next((cause for pattern, cause in _CALLS if re.search(pattern, text)), CALLS)
    return ""


def _failing_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name} {frames[-1].line}" if frames else ""
