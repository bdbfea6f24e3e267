"""Tasks that misuse standard output."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import warnings

from scheduled_tasks import cron_context, log_cron
from shop.application import Application

logger = logging.getLogger(__name__)  # exists before the application configures logging


@log_cron
def prints() -> None:
    print("printed")  # noqa: T201
    sys.stdout.flush()
    print("printed late")  # noqa: T201
    os.write(1, b"written\n")
    sys.__stdout__.write("dunder\n")  # type: ignore[union-attr]


@log_cron
def closes_stdout() -> None:
    print("printed")  # noqa: T201
    sys.stdout.close()


@log_cron
def closes_descriptor() -> None:
    print("printed")  # noqa: T201
    os.close(1)


@log_cron
def starts_a_child_that_prints() -> None:
    subprocess.run([sys.executable, "-c", "print('from the child')"], check=True)


@log_cron
@cron_context
def warns_and_logs(app: Application) -> None:
    warnings.warn("the milk is old", stacklevel=1)
    logger.info("logged")
    logging.getLogger("a.library").debug("too quiet")
    thread = threading.Thread(target=logger.warning, args=("from a thread",))
    thread.start()
    thread.join()


@log_cron
def logs_a_status() -> None:
    logger.info("order 7 is %s", "ended", extra={"status": "ended", "type": "order", "name_": "x"})


@log_cron
def logs_for_ever() -> None:
    while True:
        logger.info("x" * 30_000)
