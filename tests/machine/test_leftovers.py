"""A test run that is interrupted, or killed, leaves nothing behind: no machine, no process, no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import leftovers
from tests.machine.machine import REPOSITORY
from tests.machine.removal import MACHINES
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = ("tests/machine/test_isolation.py", "tests/integration/operate/test_grants.py")  # a machine, and a PostgreSQL


def machines_of(processes: set[int]) -> list[Path]:
    return [path for process in processes for path in MACHINES.glob(f"*-{process}")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A run of some tests, in two processes."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses=2", "--dist=loadfile", *TESTS],
        cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        yield process


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_an_ended_run_leaves_nothing_behind(run: subprocess.Popen[bytes], end: signal.Signals) -> None:
    before = set(Path(tempfile.gettempdir()).glob(f"{leftovers.PREFIX}*"))

    def folders() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob(f"{leftovers.PREFIX}*")) - before

    [folder] = wait_for("the run's folder", folders)
    wait_for("its PostgreSQL", lambda: list(folder.glob("data/postgresql-*/data/postmaster.pid")))
    started: set[int] = set()

    def booted() -> list[Path]:
        started.update(leftovers.processes(folder))
        return machines_of(started)

    wait_for("its machine", booted)
    os.killpg(run.pid, end)
    wait_for("the removal", lambda: not folder.exists() and not (leftovers.MEMORY / folder.name).exists())
    wait_for("the end of its processes", lambda: not leftovers.processes(folder))
    assert machines_of(started) == []
