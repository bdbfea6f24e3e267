"""A Python process inside a machine with all of `clocks` loaded: each call is a fork of it, ready at once.

It is the tests' own Python, moved into the machine's namespaces after it has imported what it needs. So hundreds of
applies pay for no start of Python, a test can kill each at any moment, and a machine without a Python of its own
(Debian 13's, with systemd 257) can be deployed to like any other. The commands that it runs, systemctl and
systemd-analyze, are the machine's.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import subprocess
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.machine import Machine

NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt")  # the mounts last: then /proc is the machine's
READY = "ready\n"
PR_SET_DUMPABLE = 4
ANSWERS_WITHIN = 300.0  # seconds; a call that takes longer hangs


@dataclass(frozen=True)
class Done:
    """A finished call; a negative return code is the signal that ended it."""

    returncode: int
    stdout: str
    stderr: str


class Inside:
    """The test's connection to that process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def clocks(self, *arguments: str, environment: dict[str, str], uid: int = 0) -> Done:
        """Run `clocks` as a user."""
        return self._call({"clocks": arguments, "environment": environment, "uid": uid})

    def code(self, source: str, *arguments: str, environment: dict[str, str]) -> Done:
        """Run a program, as `python -c` does."""
        return self._call({"code": source, "arguments": arguments, "environment": environment, "uid": 0})

    def _call(self, request: dict[str, Any]) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            assert selector.select(ANSWERS_WITHIN), f"no answer within {ANSWERS_WITHIN:.0f} s to {request}"
        answer = self._process.stdout.readline()
        assert answer, "the Python inside the machine ended"
        return Done(**json.loads(answer))


@contextmanager
def python_inside(machine: Machine) -> Iterator[Inside]:
    """A Python process inside a machine, until the end of the block."""
    command = [sys.executable, "-m", "tests.machine.inside", str(machine.leader)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == READY
        try:
            yield Inside(process)
        finally:
            process.stdin.close()  # type: ignore[union-attr] # it is a pipe
            process.wait(timeout=60)


def _load() -> None:
    """Import everything that a call can need: a later import would be looked up in the machine, as any user."""
    import contextlib
    import difflib  # noqa: F401
    import importlib
    import io
    import pkgutil
    import zoneinfo
    from datetime import datetime

    import scheduled_tasks
    from scheduled_tasks.cli.screens import tables
    from scheduled_tasks.render import templates

    prefix = "scheduled_tasks."
    not_needed = tuple(prefix + name for name in ("cli.__main__", "clocks", "domains", "page", "testing"))
    for module in pkgutil.walk_packages(scheduled_tasks.__path__, prefix):
        if not module.name.startswith(not_needed):
            importlib.import_module(module.name)
    zoneinfo.ZoneInfo("Europe/Paris")
    for template in templates.Template:
        templates._environment().get_template(template.value)
    with contextlib.redirect_stdout(io.StringIO()):
        tables.show_table(("A",), [("table",)])
    datetime.strptime("2026", "%Y")  # noqa: DTZ007 - imports a module


def _enter(leader: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    files = [os.open(f"/proc/{leader}/ns/{name}", os.O_RDONLY) for name in NAMESPACES]
    for name, file in zip(NAMESPACES, files, strict=True):
        if libc.setns(file, 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")
        os.close(file)
    os.chdir("/")


def _child(request: dict[str, Any], out: int, err: int) -> NoReturn:
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if request["uid"]:
            os.setgroups([])
            os.setresgid(*[request["uid"]] * 3)
            os.setresuid(*[request["uid"]] * 3)
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec: the user owns /proc/PID
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:0] = request["environment"].get("PYTHONPATH", "").split(":")
        sys.dont_write_bytecode = True
        if "clocks" in request:
            from scheduled_tasks.cli import main

            main(list(request["clocks"]), prog_name="clocks")
        else:
            sys.argv = ["-c", *request["arguments"]]
            exec(request["code"], {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the child must not continue as a second server
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(request: dict[str, Any]) -> dict[str, object]:
    out, err = os.memfd_create("out", 0), os.memfd_create("err", 0)
    pid = os.fork()
    if pid == 0:
        _child(request, out, err)
    _, status = os.waitpid(pid, 0)
    texts = [os.pread(file, 1 << 24, 0).decode() for file in (out, err)]
    os.close(out)
    os.close(err)
    return {"returncode": os.waitstatus_to_exitcode(status), "stdout": texts[0], "stderr": texts[1]}


def _serve() -> None:
    _load()
    _enter(int(sys.argv[1]))
    sys.stdout.write(READY)
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
