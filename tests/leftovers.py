"""A test run's own folders for all that is temporary, and a process that removes what the run leaves behind.

A run that is interrupted or killed cleans up nothing itself. This process does, at the end of its standard input, a
pipe that the run holds open: it ends the processes that the run started, known by the folder in their environment
(TMPDIR) or command line, removes the machines whose owner is gone, and the folders. If it is killed too, the next run
does.

Servers keep their data in memory if there is enough: each test has a database of its own, of three hundred files, and
ext4 without a journal, as in many virtual machines, looks at all files deleted in the last five minutes before it makes
a new one. That took three fourths of the processor time of the tests that have a database.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.machine.removal import remove_abandoned

PREFIX = "clocks-tests-"  # short, as the path of a socket has to be
DATA = "data"  # of servers, in the run's folder; may link to its folder in memory
ENDS_WITHIN = 30.0  # seconds; PostgreSQL and pytest's processes take a few
MEMORY = Path("/dev/shm")
ENOUGH = 4 << 30  # bytes; a run needs a fourth of it


def begin() -> None:
    """Let everything that this process and its children keep in $TMPDIR be in a new folder, and start its remover."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o1777)  # some tests become other users
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    data = folder / DATA
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH:
        data = MEMORY / folder.name
        (folder / DATA).symlink_to(data)
    data.mkdir()
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)  # until both this process and the remover have ended
    stdin, _open_until_this_process_ends = os.pipe()
    remover = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        cwd=Path(__file__).parents[1], stdin=stdin, pass_fds=[lock], start_new_session=True,
    )  # fmt: skip
    os.close(stdin)
    remover.returncode = 0  # it outlives this process, which must not be warned of


def processes(folder: Path) -> set[int]:
    """The processes that a run has started, but this one."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            variables, command = (path / "environ").read_bytes(), (path / "cmdline").read_bytes()
            if f"TMPDIR={folder}".encode() in variables or str(folder).encode() in command:
                found.add(int(path.name))
    return found - {os.getpid()}


def remove(folder: Path) -> None:
    """End the processes of a run, and remove its machines and its folder."""
    for signum in (signal.SIGINT, signal.SIGKILL):
        for process in processes(folder):
            with suppress(ProcessLookupError):
                os.kill(process, signum)
        deadline = time.monotonic() + ENDS_WITHIN
        while processes(folder) and time.monotonic() < deadline:
            time.sleep(0.1)
    if os.geteuid() == 0:
        remove_abandoned()
    for path in (MEMORY / folder.name, folder):
        shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    with suppress(OSError), (folder / "lock").open() as lock:  # it has none yet, or is another user's
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def main() -> None:
    folder = Path(sys.argv[1])
    for other in folder.parent.glob(f"{PREFIX}*"):
        if _is_abandoned(other):
            remove(other)
    sys.stdin.read()
    remove(folder)


if __name__ == "__main__":
    main()
