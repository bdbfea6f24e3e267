"""Files that outlive a power cut, whole or not there; and one that says nothing keeps no other from being read.

The edge below the rooms that keep something on disk until the database has it. In come paths and texts, and how a text
is read; out go files, and what they say. Imported by a run only when it has something to keep.
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

NO_FILE = {errno.ELOOP, errno.ENXIO}  # what opening says of a link and of a socket
NO_PLAIN_FILE = "it is no plain file"
REFUSED = ".refused"  # what says nothing is called so, for a person to look at: `clocks doctor` names it


def write(path: Path, text: str, mode: int | None = None) -> None:
    """Writes a file; after a power cut it is there with all of its text, or what was there before is.

    A rename alone isn't enough: file systems may have done it and not have written the text.
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


def read(path: Path, parse: Callable[[str], T], most: int | None = None) -> T | None:
    """What a file says; None where it says nothing: it is gone, or what it has can't be read, then it is set aside.

    A job's user may have put anything in its place: no link is followed, and nothing is waited for.

    Args:
        path: the file.
        parse: reads the text; raises ValueError, KeyError or TypeError where it is none.
        most: how many bytes such a file can have; None where nobody else could have written it.
    """
    try:
        return parse(_text(path, most))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        set_aside(path, error)
        return None


def set_aside(path: Path, why: Exception) -> None:
    """Has a file out of the way that says nothing, and says so once."""
    aside = path.with_suffix(REFUSED)
    said = str(why).partition("\n")[0]
    logger.warning("%s can't be read (%s: %s), and is %s now", path, type(why).__name__, said, aside.name)
    with suppress(OSError):
        path.rename(aside)


def _text(path: Path, most: int | None) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in NO_FILE:
            raise ValueError(NO_PLAIN_FILE) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(NO_PLAIN_FILE)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            text = file.read(-1 if most is None else most + 1)
    finally:
        os.close(descriptor)
    if most is not None and len(text) > most:
        raise ValueError(f"it has more than {most} bytes")
    return text.decode()
