"""Side effects of a deployment: every file operation, lock and command that changes something goes through here.

It decides nothing, and a test can stop an apply before each single operation.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scheduled_tasks import files
from scheduled_tasks.deploy import systemd

# Higher than any other descriptor of this process, or of a later one that gets its PID if it is killed.
MARK_DESCRIPTOR = 900


class Effects:
    """What a deployment can do to a machine, one operation per method.

    Attributes:
        manager: the option that tells systemctl which systemd is meant, see `Places.manager`.
        by: the name of whoever deploys; "" for nobody, such as a watch that finishes an apply.
    """

    def __init__(self, manager: tuple[str, ...] = (), by: str = "") -> None:
        self.manager, self.by = manager, by

    def step(self, operation: str, what: object) -> None:
        """Called before each operation; tests override it to count operations, to fail or to kill the process."""

    def folder(self, path: Path) -> None:
        """Make a folder that everybody can read, and its parents."""
        if not path.is_dir():
            self.step("folder", path)
            mask = os.umask(0o022)
            try:
                path.mkdir(parents=True, exist_ok=True)
            finally:
                os.umask(mask)

    def write(self, path: Path, text: str) -> None:
        """Write a file that everybody can read: units contain no secrets."""
        self.step("write", path)
        path.write_text(text)
        path.chmod(0o644)

    def replace(self, path: Path, text: str) -> None:
        """Write a file under another name and rename it, so that a reader never sees half of it."""
        temporary = path.with_suffix(".new")
        self.write(temporary, text)
        self.rename(temporary, path)

    def keep(self, path: Path, text: str) -> None:
        """Write a file that is complete or unchanged, even after a power cut."""
        self.step("keep", path)
        files.write(path, text, mode=0o644)

    def link(self, path: Path, target: Path | str) -> None:
        """Make a symlink in one rename, replacing a file of its name."""
        temporary = path.with_name(f".{path.name}.new")
        if os.path.lexists(temporary):
            self.remove(temporary)
        self.step("symlink", temporary)
        temporary.symlink_to(target)
        self.rename(temporary, path)

    def rename(self, path: Path, to: Path) -> None:
        """Rename atomically."""
        self.step("rename", to)
        path.rename(to)

    def remove(self, path: Path) -> None:
        """Remove a file or link, if it exists."""
        self.step("remove", path)
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder with its contents, if it exists."""
        if path.is_dir():
            self.step("remove folder", path)
            shutil.rmtree(path)

    def remove_if_empty(self, path: Path) -> None:
        """Remove a folder if it exists and is empty."""
        if path.is_dir() and not any(path.iterdir()):
            self.step("remove if empty", path)
            path.rmdir()

    def set_time(self, path: Path, at: float) -> None:
        """Set the modification time of a file or folder, in seconds since the epoch."""
        self.step("set time", path)
        os.utime(path, (at, at))

    def flush(self, *folders: Path) -> None:
        """Write these folders' file systems to the disk, so that a switch never precedes what it switches to.

        Not all file systems of the host, as sync(2) does: a database's would keep the deploy waiting.
        """
        self.step("flush", "")
        libc = ctypes.CDLL(None, use_errno=True)
        for folder in {folder.stat().st_dev: folder for folder in folders}.values():
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                if libc.syncfs(descriptor) != 0:
                    raise OSError(ctypes.get_errno(), "can't be written to the disk", str(folder))
            finally:
                os.close(descriptor)

    def lock(self, path: Path) -> TextIO | None:
        """Lock a file until it is closed or the process ends; None if another process has the lock."""
        self.step("lock", path)
        # Whoever can open it can lock it, and a task could keep every apply waiting.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    @property
    def path_of_this_process(self) -> str:
        """A path that exists only within `with_path_of_this_process`, and so never longer than this process."""
        return f"/proc/{os.getpid()}/fd/{MARK_DESCRIPTOR}"

    @contextmanager
    def with_path_of_this_process(self) -> Iterator[None]:
        """Let that path exist until the end of the block, or of this process if it is killed before."""
        with Path("/dev/null").open() as null:
            os.dup2(null.fileno(), MARK_DESCRIPTOR, inheritable=False)
        try:
            yield
        finally:
            os.close(MARK_DESCRIPTOR)

    def systemctl(self, verb: str, units: list[str] | None = None, *options: str) -> None:
        """Run systemctl on some units; without `units`, on systemd itself. An empty list does nothing.

        Raises:
            SystemdError: systemd refused; with its message.
        """
        if units == []:
            return
        self.step(f"systemctl {verb}", units)
        systemd.run(verb, *options, *(units or ()), manager=self.manager)
