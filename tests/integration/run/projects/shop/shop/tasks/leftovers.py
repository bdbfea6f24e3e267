"""Tasks that return and leave something behind: threads, exit handlers, open files, child processes."""

from __future__ import annotations

import atexit
import gzip
import logging
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scheduled_tasks import log_cron

logger = logging.getLogger(__name__)
kept: list[Any] = []  # until the interpreter ends


def _wait_for_input() -> None:
    logger.info("ready")
    sys.stdin.readline()
    logger.info("the thread is done")


@log_cron
def a_thread() -> None:
    threading.Thread(target=_wait_for_input, name="stock keeper").start()


@log_cron
def a_thread_and_a_failure() -> None:
    a_thread()
    raise ValueError("sold out")


@log_cron
def a_thread_that_waits_for_ever() -> None:
    threading.Thread(target=lambda: (logger.info("ready"), threading.Event().wait()), name="stock keeper").start()


@log_cron
def a_thread_that_starts_another() -> None:
    threading.Thread(target=lambda: threading.Thread(target=_wait_for_input).start()).start()


@log_cron
def a_thread_that_fails() -> None:
    def fail() -> None:
        raise ValueError("the scale says password=hunter2")

    threading.Thread(target=fail, name="scale").start()


@log_cron
def a_daemon_thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


@log_cron
def a_pool() -> None:
    kept.append(pool := ThreadPoolExecutor(1))
    pool.submit(logger.info, "pooled")


@log_cron
def an_exit_handler() -> None:
    atexit.register(logger.info, "exiting")


@log_cron
def an_exit_handler_that_exits(code: int) -> None:
    atexit.register(os._exit, code)


@log_cron
def an_exit_handler_that_raises() -> None:
    atexit.register(lambda: 1 // 0)


@log_cron
def an_exit_handler_that_waits_for_ever() -> None:
    atexit.register(lambda: (logger.info("ready"), threading.Event().wait()))


@log_cron
def a_finalizer() -> None:
    class Last:
        def __del__(self) -> None:
            os._exit(5)

    kept.append(Last())


@log_cron
def open_files(folder: str) -> None:
    plain = open(f"{folder}/plain", "w", encoding="utf-8")  # noqa: PTH123, SIM115 - left open on purpose
    packed = gzip.open(f"{folder}/packed", "wt")  # noqa: SIM115
    for file in (plain, packed):
        file.write("apples\n")
    kept.extend((plain, packed))


@log_cron
def a_full_disk() -> None:
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123, SIM115
    full.write("apples\n")
    kept.append(full)


@log_cron
def children(folder: str) -> None:
    fork = multiprocessing.get_context("fork")
    fork.Process(target=_write, args=(f"{folder}/child",)).start()
    fork.Process(target=threading.Event().wait, daemon=True).start()


def _write(path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("apples\n")


@log_cron
def no_descriptor(folder: str) -> None:
    os.closerange(3, 256)
    # These get the numbers of those that were closed.
    kept.extend(open(f"{folder}/{number}", "w", encoding="utf-8") for number in range(20))  # noqa: PTH123, SIM115


@log_cron
def nothing_because_it_exits(code: int) -> None:
    os._exit(code)
