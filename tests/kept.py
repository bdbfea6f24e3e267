"""What the tests download or make once and keep for later runs, in $XDG_CACHE_HOME or ~/.cache."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scheduled-tasks"


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name in the cache; if it is missing, `make` is called with a path at which to create it.

    A second process waits meanwhile. What an interrupted one left unfinished is removed first.
    """
    folder, unfinished = _CACHE / name, _CACHE / f"{name}.unfinished"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder
