"""Tasks that end in every possible way."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from scheduled_tasks import cron_context, log_cron
from shop.application import Application


class OutOfStockError(Exception):
    pass


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@log_cron
def well() -> None:
    pass


@log_cron
def with_exception() -> None:
    raise OutOfStockError("no apples left")


@log_cron
def with_secrets() -> None:
    logging.getLogger(__name__).info("calling https://%s@api", "hunter2")
    raise OutOfStockError(f"Authorization: Bearer hunter2 for {os.environ['DATABASE_URL']}")


@log_cron
def with_unspeakable_exception() -> None:
    raise UnspeakableError


@log_cron
def with_exception_that_is_not_text() -> None:
    raise OutOfStockError("no such file: " + os.fsdecode(b"caf\xe9") + " \0")


@log_cron
def with_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


@log_cron
def with_exit(code: Any = None) -> None:
    sys.exit(code)


@log_cron
def with_unspeakable_exit() -> None:
    sys.exit(Unspeakable())  # type: ignore[arg-type]  # that is the point


@log_cron
def with_endless_recursion() -> None:
    with_endless_recursion()


@log_cron
def with_forked_child(message: str) -> None:
    pid = os.fork()
    if pid == 0:
        raise OutOfStockError(message)
    os.waitpid(pid, 0)


@log_cron
@cron_context
def with_arguments(app: Application, *things: Any, **more: Any) -> None:
    import logging

    logging.getLogger(__name__).info("called", extra={"app": app.name, "things": list(things), "more": more})


@log_cron
@cron_context
def with_something_unsaved(app: Application) -> None:
    app.unsaved = ("the till is open",)


@log_cron
@cron_context
def with_all_saved(app: Application) -> None:
    pass
