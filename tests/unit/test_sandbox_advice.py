"""What a failed run says about the sandbox: the likely directive, and what to write."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from typing import NoReturn

import pytest

from scheduled_tasks import sandbox_advice
from scheduled_tasks.bundled.command import CommandFailedError


def raised(error: OSError) -> OSError:
    """The error, raised by a call of its own."""
    try:
        raise error
    except OSError as caught:
        return caught


def denied(number: int = errno.EPERM, path: str | None = None) -> OSError:
    """An error of the kernel's."""
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


def from_a_line_that_says_chown() -> OSError:
    def chown() -> NoReturn:
        raise denied()

    try:
        chown()
    except OSError as error:
        return error


def from_a_library_that_wraps_it() -> Exception:
    def connect() -> NoReturn:
        raise denied()

    try:
        try:
            connect()
        except OSError:
            raise RuntimeError("the service does not answer") from None
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "directive", "instead"),
    [
        pytest.param(denied(errno.EROFS, "/srv/a/b"), "ProtectSystem=", "read_write_paths=['/srv/a']", id="EROFS"),
        pytest.param(denied(errno.ENOENT, "/proc/meminfo"), "ProcSubset=pid", "relax=['processes']", id="/proc"),
        pytest.param(denied(errno.ENOENT, "/dev/usb/lp0"), "PrivateDevices=yes", "relax=['devices']", id="/dev"),
        pytest.param(denied(errno.EACCES, "/run/docker.sock"), "DynamicUser=", "user= that has it", id="EACCES"),
        pytest.param(from_a_line_that_says_chown(), "@privileged", "the user that the files need", id="chown"),
        pytest.param(raised(denied()), "SystemCallFilter=", "sandbox.md", id="EPERM"),
        pytest.param(
            OSError(errno.EPERM, "cannot allocate executable memory"), "MemoryDenyWriteExecute", "jit", id="numba"
        ),
        pytest.param(denied(errno.ENOSYS), "SystemCallFilter=", "sandbox.md", id="ENOSYS"),
        pytest.param(denied(errno.EAFNOSUPPORT), "RestrictAddressFamilies", "relax=['netlink']", id="netlink"),
        pytest.param(from_a_library_that_wraps_it(), "IPAddressDeny=any", "allow_network=[…]", id="wrapped"),
        pytest.param(
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "IPAddressDeny", "resolver",
            id="DNS",
        ),
        pytest.param(subprocess.CalledProcessError(-signal.SIGTRAP, "node"), "MemoryDeny", "jit", id="node"),
        pytest.param(
            subprocess.CalledProcessError(1, "java", stderr=b"Failed to mark memory page as executable"),
            "MemoryDenyWriteExecute", "jit",
            id="java",
        ),
        pytest.param(CommandFailedError("x", 128 + signal.SIGSYS), "SystemCallFilter=", "sandbox.md", id="SIGSYS"),
        pytest.param(
            CommandFailedError("sudo", 1, 'sudo: The "no new privileges" flag is set'), "NoNewPrivileges", "user=",
            id="sudo",
        ),
    ],
)  # fmt: skip
def test_a_failure_names_the_likely_directive_and_what_to_write(error: Exception, directive: str, instead: str) -> None:
    advice = sandbox_advice.of_error(error)
    assert advice.startswith("likely the sandbox, ")
    assert directive in advice
    assert instead in advice


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no luck"),
        denied(errno.ENOENT, "/srv/a"),
        denied(errno.ECONNREFUSED),
        denied(errno.ENOSPC, "/srv/a"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        subprocess.CalledProcessError(1, "false"),
        subprocess.CalledProcessError(-signal.SIGKILL, "sleep"),
        CommandFailedError("sh", 5, "no such customer"),
    ],
)
def test_other_failures_say_nothing_about_the_sandbox(error: Exception) -> None:
    assert sandbox_advice.of_error(error) == ""


def test_errors_that_were_raised_from_each_other_in_a_circle_are_followed_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert sandbox_advice.of_error(first) == ""


def test_a_run_by_hand_is_in_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    assert not sandbox_advice.is_confined()
