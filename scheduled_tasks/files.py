"""Crash-safe files: a write is all or nothing, and one corrupt file never blocks the others.

For reports that stay on disk until the database has them. A run imports this only if it has something to keep.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

NOT_REGULAR = {errno.ELOOP, errno.ENXIO}  # from opening a symlink (with O_NOFOLLOW) and a socket
NOT_REGULAR_TEXT = "not a regular file"
QUARANTINED = ".refused"  # suffix of an unreadable file, kept for a person to look at; `clocks doctor` names it


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

    A job's user can replace the file by anything, so symlinks aren't followed and opening doesn't block on a FIFO.

    Args:
        path: the file.
        parse: parses the text; raises ValueError, KeyError or TypeError if it is corrupt.
        max_bytes: the largest valid size; None if no untrusted user can write the file.
    """
    try:
        return parse(_text(path, max_bytes))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        quarantine(path, error)
        return None


def quarantine(path: Path, error: Exception) -> None:
    """Quarantine an unreadable file and log it once."""
    quarantined = path.with_suffix(QUARANTINED)
    reason = str(error).partition("\n")[0]
    logger.warning("%s is unreadable (%s: %s); renamed to %s", path, type(error).__name__, reason, quarantined.name)
    with suppress(OSError):
        path.rename(quarantined)


def _text(path: Path, max_bytes: int | None) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in NOT_REGULAR:
            raise ValueError(NOT_REGULAR_TEXT) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(NOT_REGULAR_TEXT)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            text = file.read(-1 if max_bytes is None else max_bytes + 1)
    finally:
        os.close(descriptor)
    if max_bytes is not None and len(text) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return text.decode()
