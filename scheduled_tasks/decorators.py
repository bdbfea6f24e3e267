"""The decorators of a task, outermost first: `log_cron`, `cron_context`, `cron_require_feature`.

Each works without the others, and outside run-task too, in a shell or a test. Under run-task the run itself writes the
lines and has read the flag, so nothing is logged or read twice. `cron_idempotent` is only a declaration and can be
anywhere among them.
"""

from __future__ import annotations

import inspect
import logging
import time
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from scheduled_tasks.errors import DecoratorOrderError
from scheduled_tasks.run import context, current, flags, log
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Callable[..., Any]")

ORDER = "@log_cron, @cron_context, @cron_require_feature, and then the function"


def log_cron(function: Callable[P, R]) -> Callable[P, R]:
    """Log when the task starts and how it ends, as `type=cron name=… status=…` lines.

    An exception of the task is logged as `failed` and raised again.
    """

    @wraps(function)
    def logged(*args: P.args, **kwargs: P.kwargs) -> R:
        if current.current is not None:  # run-task logs its start and its end
            return function(*args, **kwargs)
        name = logged.__name__
        began = time.monotonic()
        log.announce(name, RunStatus.STARTED, logging.INFO)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            exc_info = type(error), error, error.__traceback__
            log.announce(name, RunStatus.FAILED, logging.ERROR, exc_info, duration=round(time.monotonic() - began, 3))
            raise
        log.announce(name, RunStatus.ENDED, logging.INFO, duration=round(time.monotonic() - began, 3))
        return result

    return _mark(logged, "log_cron")


def cron_context(function: Callable[P, R]) -> Callable[P, R]:
    """Run the task in its application's context; the application is the task's first argument.

    Changes that the task leaves uncommitted are rolled back when the context ends; a warning says so.
    """

    @wraps(function)
    def in_context(*args: P.args, **kwargs: P.kwargs) -> R:
        app = args[0] if args else kwargs.get("app")
        with context.application_context(app):
            result = function(*args, **kwargs)
            logger = logging.getLogger(function.__module__)
            try:
                for change in context.uncommitted(app):
                    logger.warning("uncommitted changes are rolled back: %s; commit at the end of the task", change)
            except Exception:
                logger.warning("unknown whether changes were left uncommitted", exc_info=True)
            return result

    return _mark(in_context, "cron_context")


def cron_idempotent(function: C) -> C:
    """Declare that the task can be run again after any failure, even after it was killed halfway.

    This alone causes no retries; `retries=3` in a clock file does.
    """
    function.__cron_idempotent__ = True  # type: ignore[attr-defined]  # read through all wraps()
    return function


cron_required = cron_context  # the original example uses both names


def cron_require_feature(feature: Enum) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Run the task only while a feature flag is active; otherwise return None at once.

    Args:
        feature: a member of the project's enum of flags, for example `FeatureToggle.SYNCHRONIZE_TITELIVE`.

    Raises:
        DecoratorOrderError: when the module is imported, if it decorates anything but the plain function.
    """
    if not hasattr(feature, "name") or not hasattr(feature.value, "default"):
        raise DecoratorOrderError(
            f"cron_require_feature expects a member of your enum of flags, got {feature!r}: write "
            "@cron_require_feature(FeatureToggle.NAME), with NAME = Feature('what it switches') in the enum"
        )

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        _require_plain_function(function)

        @wraps(function)
        def required(*args: P.args, **kwargs: P.kwargs) -> R | None:
            if flags.is_active(feature):
                return function(*args, **kwargs)
            logging.getLogger(function.__module__).info("%s is not active", feature.name)
            return None

        required.__cron_feature__ = feature  # type: ignore[attr-defined]  # the runner reads it, through all wraps()
        return _mark(required, "cron_require_feature")

    return decorate


def _require_plain_function(function: object) -> None:
    if inspect.isfunction(function) and not hasattr(function, "__wrapped__"):
        return
    name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"
    outer = ", ".join(getattr(function, "__cron__", ()))
    state = f"already decorated with {outer}" if outer else "not a plain function"
    raise DecoratorOrderError(
        f"{name} is {state}: put @cron_require_feature closest to the function, "
        f"the order from the outside in is {ORDER}"
    )


def _mark(wrapper: C, name: str) -> C:
    decorators = (name, *getattr(wrapper.__wrapped__, "__cron__", ()))  # type: ignore[attr-defined]  # wraps() sets it
    wrapper.__cron__ = decorators  # type: ignore[attr-defined]  # functions can have attributes
    return wrapper
