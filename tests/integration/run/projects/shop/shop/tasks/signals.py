"""Tasks that wait for a signal. Each logs that it is ready."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection

import psycopg

from scheduled_tasks import log_cron
from scheduled_tasks.run import log

logger = logging.getLogger(__name__)


def _wait() -> None:
    logger.info("ready")
    signal.pause()


@log_cron
def waits() -> None:
    _wait()


@log_cron
def swallows() -> None:
    with contextlib.suppress(BaseException):
        _wait()


@log_cron
def signals_itself_twice() -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGINT)


@log_cron
def raises_after_a_signal() -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        raise ValueError("while cleaning up")


@log_cron
def queries() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], application_name="the task") as connection:
        logger.info("ready")
        connection.execute("SELECT pg_sleep(600)")


def _say_and_sleep(there: Connection) -> None:
    there.send("ready")
    time.sleep(600)


@log_cron
def terminates_a_child() -> None:
    fork = multiprocessing.get_context("fork")
    there, here = fork.Pipe()
    child = fork.Process(target=_say_and_sleep, args=(there,))
    child.start()
    here.recv()
    child.terminate()
    child.join()
    logger.info("child ended", extra={"child_exit_code": child.exitcode})


@log_cron
def never_runs() -> None:
    logger.info("ran")


if os.environ.get("SHOP_SIGNAL") == "right after the started line":
    write = os.write

    def write_and_signal(descriptor: int, data: bytes) -> int:
        written = write(descriptor, data)
        if b'"status": "started"' in data:
            os.kill(os.getpid(), signal.SIGTERM)
        return written

    log.os.write = write_and_signal  # type: ignore[attr-defined]
