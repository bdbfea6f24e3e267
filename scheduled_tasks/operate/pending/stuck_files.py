"""Record this host's pending files one by one, and remember those that are stuck: reported once, recorded once.

A job can make a file that only the job or an administrator can remove. Each pass of the watch tries again. What is
wrong with the file is kept here until the file is gone, and `clocks doctor` shows it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from scheduled_tasks import files, terminal

T = TypeVar("T")

logger = logging.getLogger(__name__)

FILES = "stuck-*.json"  # in the state folder


class StuckFiles:
    """Pending files, and those that were stuck in the last pass; a context manager that saves those of this pass.

    Args:
        state: the state folder.
        kind: what the files are; each kind is remembered on its own.
    """

    def __init__(self, state: Path, kind: str) -> None:
        self._file = state / FILES.replace("*", kind)
        self._before = _read(self._file)
        self._now: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._now != self._before:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            files.write(self._file, json.dumps(self._now), mode=0o644)

    def __contains__(self, path: Path) -> bool:
        """Whether a file was stuck in the last pass."""
        return str(path) in self._before

    def read(self, path: Path, parse: Callable[[str], T], max_bytes: int | None = None) -> T | None:
        """Read a file, as `files.read` does; None if it is stuck or was recorded before."""
        recorded = self._before.get(str(path), {}).get("recorded")
        if recorded and recorded == _identity(path):
            self._remove(path)
            return None
        try:
            return files.read(path, parse, max_bytes)
        except files.StuckError as error:
            self.add(path, str(error))
            return None

    def record(self, path: Path, record: Callable[[], T]) -> T | None:
        """Call a function that records what a file says, and remove the file.

        None if its values can't be recorded: then it is quarantined.
        """
        import psycopg  # loaded with the connection; most commands need neither

        rejected = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException)
        try:
            recorded = record()
        except (*rejected, *files.CORRUPT) as error:
            try:
                files.quarantine(path, error)
            except files.StuckError as stuck:
                self.add(path, str(stuck))
            return None
        self._remove(path)
        return recorded

    def add(self, path: Path, problem: str, recorded: str = "") -> None:
        """Remember that a file or folder is stuck; log it unless the last pass did."""
        self._now[str(path)] = {"problem": problem, "recorded": recorded}
        if self._before.get(str(path), {}).get("problem") != problem:
            logger.warning("%s: %s", terminal.one_line(path), problem)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self.add(path, f"it is recorded, and can't be removed: {error.strerror}", _identity(path))


def stuck(state: Path) -> dict[Path, str]:
    """The stuck files of the last pass, and what is wrong with each."""
    remembered = [_read(file) for file in sorted(state.glob(FILES))]
    return {Path(path): entry["problem"] for entries in remembered for path, entry in entries.items()}


def _read(file: Path) -> dict[str, dict[str, str]]:
    with suppress(OSError, *files.CORRUPT):
        entries: dict[str, Any] = json.loads(files.read_text(file))
        return {str(path): {key: str(entry[key]) for key in ("problem", "recorded")} for path, entry in entries.items()}
    return {}


def _identity(path: Path) -> str:
    """What distinguishes a file from a later one with its name; "" if it is gone."""
    try:
        found = path.lstat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
