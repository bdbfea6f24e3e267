"""A job's arguments as its unit passes them to the task: as JSON on run-task's command line.

The `args` and `kwargs` of an `add_job` call go in. JSON values come out, and a fault for each that would not arrive
unchanged, is too long for a command line, or is a secret: everybody can read a unit.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any

from scheduled_tasks.clock import ApplicationPlaceholder, JobCall
from scheduled_tasks.faults import Fault
from scheduled_tasks.options import MAX_STRING, is_secret, shown_value
from scheduled_tasks.run.arguments import APP, takes_app, with_scheduled_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def read_arguments(
    call: JobCall, faults: list[Fault], *, has_application: bool
) -> tuple[list[Any] | None, dict[str, Any]]:
    """The arguments of a call; None and {} for run-task's default. Adds what is wrong with them to the faults."""
    args, kwargs = call.args if call.args is not None else [], call.kwargs if call.kwargs is not None else {}
    if not isinstance(args, list | tuple):
        faults.append(Fault("is not a list", "write [app], or [app, 'more']", "args", shown_value(args)))
        args = []
    if not isinstance(kwargs, dict):
        faults.append(Fault("is not a dict", "write {'name': value}", "kwargs", shown_value(kwargs)))
        kwargs = {}
    if not has_application and any(isinstance(value, ApplicationPlaceholder) for value in (*args, *kwargs.values())):
        problem = "passes app, and the configuration names no application: the task would get None"
        instead = "write app = 'module:factory' in the configuration, or leave app out"
        faults.append(Fault(problem, instead, "args", "app"))
    function: Callable[..., Any] = call.function  # type: ignore[assignment]  # the caller checked that it is callable
    try:
        _signature(function).bind(*args, **with_scheduled_at(_signature(function), args, kwargs))
    except TypeError as error:
        instead = f"the task is {function.__name__}{_signature(function)}"
        if _takes_app(function) and not any(isinstance(value, ApplicationPlaceholder) for value in args):
            instead = "write [app], for the application"
        faults.append(Fault(f"don't fit the task: {error}", instead, "args", shown_value(list(args))))
        return None, {}
    known = len(faults)
    plain_args = [_plain(value, f"args[{index}]", faults) for index, value in enumerate(args)]
    plain_kwargs = {str(key): _plain(value, f"kwargs[{key!r}]", faults) for key, value in kwargs.items()}
    if len(faults) == known:
        faults += [*_secrets(plain_args, "args"), *_secrets(plain_kwargs, "kwargs")]
        faults += [*_too_long("args", plain_args), *_too_long("kwargs", plain_kwargs)]
    if not plain_kwargs and plain_args == ([APP] if _takes_app(function) else []):
        return None, {}
    return plain_args, plain_kwargs


_signature, _takes_app = lru_cache(maxsize=1024)(signature), lru_cache(maxsize=1024)(takes_app)


def _plain(value: Any, field: str, faults: list[Fault]) -> Any:
    """An argument as the unit passes it; a fault if it would not arrive unchanged."""
    if isinstance(value, ApplicationPlaceholder):
        return APP
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value and value != APP
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        instead = "write a number, text, True, False, None, or a list or dict of those (text keys)"
        faults.append(Fault("can't be passed to a task by a unit", instead, field, shown_value(value)))
    return value


def _too_long(field: str, value: Any) -> Iterator[Fault]:
    """A fault if Linux would not start a process with this argument (MAX_ARG_STRLEN, execve(2))."""
    size = len(f"--{field}={json.dumps(value)}")  # ASCII
    if size > MAX_STRING:
        instead = "put it into a file or a table, and pass its name"
        yield Fault(f"has {size} bytes as JSON, a command line takes {MAX_STRING}", instead, field, shown_value(value))


def _secrets(value: Any, field: str, name: str = "") -> Iterator[Fault]:
    """A fault for each text that is a secret, wherever it is inside the value; the fault doesn't show it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, f"{field}[{key!r}]", str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _secrets(item, f"{field}[{index}]", name)
    elif isinstance(value, str) and is_secret(name, value):
        setting = re.sub(r"\W+", "_", name).lower() or "database_url"
        instead = f"read it in the task, setting({setting!r}), and give the services a credential {setting}"
        yield Fault("looks like a secret, and everybody can read a unit", instead, field, "…")
