"""The hands of a deployment: every file operation and every change that systemctl is asked for goes through here.

One small object, so that a test can stop an apply before each single operation. It decides nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from scheduled_tasks import files
from scheduled_tasks.errors import ScheduledTasksError


class SystemdError(ScheduledTasksError):
    """systemd refused."""


class System:
    """What an apply does to a machine, one operation a method.

    Attributes:
        manager: what tells systemctl which systemd is meant.
    """

    def __init__(self, manager: tuple[str, ...] = ()) -> None:
        self.manager = manager

    def step(self, operation: str, what: object) -> None:
        """Called before each operation; here a test counts, fails or kills."""

    def folder(self, path: Path) -> None:
        """Makes a folder that anybody may read, and those above it."""
        if not path.is_dir():
            self.step("folder", path)
            mask = os.umask(0o022)
            try:
                path.mkdir(parents=True, exist_ok=True)
            finally:
                os.umask(mask)

    def write(self, path: Path, text: str) -> None:
        """Writes a file that anybody may read: there is no secret in a unit."""
        self.step("write", path)
        path.write_text(text)
        path.chmod(0o644)

    def keep(self, path: Path, text: str) -> None:
        """Writes a file that is whole or as it was before, also after a power cut."""
        self.step("keep", path)
        files.write(path, text, mode=0o644)

    def link(self, path: Path, target: Path | str) -> None:
        """Makes a symlink, in place of what has that name, in one rename."""
        temporary = path.with_name(f".{path.name}.new")
        if os.path.lexists(temporary):
            self.remove(temporary)
        self.step("symlink", temporary)
        temporary.symlink_to(target)
        self.rename(temporary, path)

    def rename(self, path: Path, to: Path) -> None:
        """Renames, which is done or not done, nothing between."""
        self.step("rename", to)
        path.rename(to)

    def remove(self, path: Path) -> None:
        """Removes a file or link; one that is gone already is no fault."""
        self.step("remove", path)
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Removes a folder with all that is in it."""
        if path.is_dir():
            self.step("remove folder", path)
            shutil.rmtree(path)

    def remove_if_empty(self, path: Path) -> None:
        """Removes a folder that nobody has anything in."""
        if path.is_dir() and not any(path.iterdir()):
            self.step("remove if empty", path)
            path.rmdir()

    def set_time(self, path: Path, at: float) -> None:
        """Gives a file or folder a time of change."""
        self.step("set time", path)
        os.utime(path, (at, at))

    def flush(self) -> None:
        """Has all that was written on the disk, so that a flip never comes before what it flips to."""
        self.step("flush", "")
        os.sync()

    def systemctl(self, verb: str, units: list[str] | None = None, *options: str) -> None:
        """Asks systemd for something; of no units, for nothing.

        Raises:
            SystemdError: it refused; what it said.
        """
        if units == []:
            return
        self.step(f"systemctl {verb}", units)
        command = ["systemctl", *self.manager, verb, *options, *(units or [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemdError(f"systemctl {verb}: {done.stderr.strip() or f'exit code {done.returncode}'}")
