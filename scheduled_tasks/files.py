"""Crash-safe files: a write is all or nothing, and one corrupt file never blocks the others.

For reports that stay on disk until the database has them. A run imports this only if it has something to keep.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from scheduled_tasks import terminal

T = TypeVar("T")

logger = logging.getLogger(__name__)

NOT_REGULAR = {errno.ELOOP, errno.ENXIO}  # from opening a symlink (with O_NOFOLLOW) and a socket
NOT_REGULAR_TEXT = "not a regular file"
QUARANTINED = ".refused"  # suffix of an unreadable file, kept for a person to look at; `clocks doctor` names it
CORRUPT = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)  # what parsing a corrupt file raises


class StuckError(Exception):
    """A file can be neither read nor quarantined now; the message says why."""


def write(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file so that after a power cut it has either all of its new text or its old contents.

    A rename alone isn't enough: the file system may write it to disk before the text.
    """
    unfinished = path.with_name(f".{path.name}.new")
    with unfinished.open("w") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, parse: Callable[[str], T], max_bytes: int | None = None) -> T | None:
    """Read and parse a file; None if it is gone or unreadable. An unreadable one is quarantined.

    Args:
        path: the file.
        parse: parses the text; raises one of CORRUPT if it is corrupt.
        max_bytes: the largest valid size; None if no untrusted user can write the file. See `read_text`.

    Raises:
        StuckError: it can't be opened now, or it is unreadable and can't be renamed.
    """
    try:
        return parse(read_text(path, max_bytes))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StuckError(f"it can't be read: {_reason(error)}") from error
    except CORRUPT as error:
        quarantine(path, error)
        return None


def quarantine(path: Path, error: Exception) -> None:
    """Quarantine an unreadable file and log it once.

    Raises:
        StuckError: it can't be renamed.
    """
    quarantined = path.with_suffix(QUARANTINED)
    problem = f"unreadable ({type(error).__name__}: {_reason(error)})"
    try:
        path.rename(quarantined)
    except OSError as refusal:
        raise StuckError(f"it is {problem}, and can't be renamed to *{QUARANTINED}: {_reason(refusal)}") from error
    logger.warning("%s is %s; renamed to %s", terminal.one_line(path), problem, terminal.one_line(quarantined.name))


def read_text(path: Path, max_bytes: int | None = None) -> str:
    """Read a text file that nobody changes meanwhile, without following a link or waiting for a pipe or a lease.

    With `max_bytes`, a user who isn't trusted can write to the folder, but not replace the folder itself: the file must
    belong to the folder's owner and have no other name, so that root reads nothing that this user couldn't.

    Raises:
        OSError: it can't be opened.
        ValueError: it is not such a file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in NOT_REGULAR:
            raise ValueError(NOT_REGULAR_TEXT) from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(NOT_REGULAR_TEXT)
        if max_bytes is not None:
            _require_own(found, path.parent.stat(), max_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            text = file.read(-1 if max_bytes is None else max_bytes + 1)
    finally:
        os.close(descriptor)
    if max_bytes is not None and len(text) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return text.decode()


def _require_own(found: os.stat_result, folder: os.stat_result, max_bytes: int) -> None:
    if found.st_uid != folder.st_uid:
        raise ValueError("it belongs to another user than its folder")
    if found.st_nlink > 1:
        raise ValueError("it has a second name (a hard link)")
    if found.st_size > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")


def _reason(error: Exception) -> str:
    """An error in one line, without the path, which the caller names."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).partition("\n")[0]
