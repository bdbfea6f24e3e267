"""Finish what a task left behind before the run records its end; then exit without running any more of its code.

At its exit the interpreter waits for threads, runs exit handlers (atexit) and closes open files. If the run's end had
been recorded by then, any of these could still hang until the unit's time limit, or change the exit code, and the row
would be wrong. So the run does this itself, in the same order, before it records its end, and then exits as a child
process of `multiprocessing` does: by os._exit(). decisions/0008-killed-runs.md has the reasons.
"""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from scheduled_tasks.run.current import Stopped, has_sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduled_tasks.run.current import Run

logger = logging.getLogger("scheduled_tasks.run")


def finish_task(run: Run) -> None:
    """Wait for the task's threads that are not daemons, run its exit handlers, and flush the files it left open.

    A signal during this stops the run (`run.stopped_by`), and still lets the threads end, as a signal during the task
    does; the next one cuts them off.
    """
    if threads := list(_threads()):
        names = ", ".join(sorted(thread.name for thread in threads))
        logger.info("the task has returned, and the run ends when its threads have ended: %s", names)
    was_stopped = bool(run.stopped_by)
    try:
        _interruptible(run, _join_threads)
    except Stopped:
        if not was_stopped:
            with suppress(Stopped):
                _interruptible(run, _join_threads)
    if has_sdk():
        from scheduled_tasks.run.application import sdks  # most tasks have none

        with suppress(Stopped):
            _interruptible(run, sdks.flush)
    with suppress(Stopped):
        _interruptible(run, atexit._run_exitfuncs)  # noqa: SLF001 - there is no public name
    _flush_files()


def leave(exit_code: int) -> NoReturn:
    """End the process: no code of the task runs any more, not even a finalizer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the task may have closed or replaced it
            stream.flush()
    os._exit(exit_code)


def _interruptible(run: Run, act: Callable[[], object]) -> None:
    """Call a function that a signal interrupts, even if the run is already being stopped."""
    try:
        run.interruptible = True
        act()
    finally:
        run.interruptible = False


def _threads() -> Iterator[threading.Thread]:
    return (thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread())


def _join_threads() -> None:
    """Do what `threading._shutdown` does. Its own wait can't be repeated, and since 3.13 swallows a signal's exception.

    The callbacks are how executors (concurrent.futures) let their idle workers end; otherwise the wait would last for
    ever.
    """
    for callback in reversed(getattr(threading, "_threading_atexits", [])):
        callback()
    while threads := list(_threads()):  # a thread can start others
        for thread in threads:
            thread.join()


def _flush_files() -> None:
    """Flush the files that the task left open; those that flush only when they are closed (gzip) are closed."""
    base: Any = io.IOBase.__base__  # of the files in C as well; a subclass of it needs no lookup in an ABC
    files = [thing for thing in gc.get_objects() if issubclass(type(thing), base)]
    errors = set()  # a text file and its buffer raise the same one
    # Text files first, because the file below one of them may be closed here.
    for file in sorted(files, key=lambda file: not isinstance(file, io.TextIOWrapper)):
        try:
            if file is not sys.stdout and file is not sys.stderr and not file.closed and file.writable():
                (file.flush if type(file).__module__ == "_io" else file.close)()
        except Exception as problem:  # noqa: BLE001 - a full disk, or any file-like object of the task's
            errors.add(str(problem))
    for error in sorted(errors):
        logger.warning("a file that the task left open could not be written to its end: %s", error)
