"""Apply the operators, subscripts and f-strings of a clock file to evaluated operands, and join what branches bind."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.evidence import stand_in
from scheduled_tasks.importers.apscheduler.model import ONLY_A_RUN, UNKNOWN, Value, is_plain, reason, unknown
from scheduled_tasks.importers.apscheduler.scope import Scope
from scheduled_tasks.importers.apscheduler.vocabulary import ENVIRONMENT, OPERATORS

MAX_LENGTH = 100_000  # of a text or a list
_OBJECTS = (
    model.Scheduler, model.Instance, model.WebApplication, model.LocalFunction, model.LocalClass, model.JobHandle,
)  # fmt: skip


def attempt(node: ast.expr, function: Callable[..., Any], *args: Value, **kwargs: Value) -> Value:
    """The result of a Python function, or an unknown value with the exception that it raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever the file's own operation raises
        return unknown(node, f"an operation that raises {type(error).__name__}: {error}")


def computed(node: ast.expr, function: Callable[..., Any] | None, values: list[Value]) -> Value:
    """The result of a Python function if all of its arguments are known; otherwise unknown, with what can stand in."""
    first = next((value for value in values if isinstance(value, model.UnknownValue)), None)
    stand_ins = [stand_in(value) for value in values]
    if function is None or any(value is UNKNOWN for value in stand_ins):
        return unknown(node, first.why if first else ONLY_A_RUN)
    result = attempt(node, function, *stand_ins)
    return unknown(node, first.why, stand_in(result)) if first else result


def binary(node: ast.BinOp, left: Value, right: Value) -> Value:
    """`left + right` and the like."""
    if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
        return left + right
    numbers = [value for value in (left, right) if isinstance(value, int | float)]
    if isinstance(node.op, ast.Mult) and len(numbers) == 1 and numbers[0] > MAX_LENGTH:
        return unknown(node, "a very long value")
    return computed(node, OPERATORS.get(type(node.op)), [left, right])


def comparison(node: ast.Compare, left: Value, right: Value) -> Value:
    """`left < right` and the like."""
    operator, values = node.ops[0], [left, right]
    named = all(isinstance(value, model.Reference | model.LocalFunction) for value in values)
    if named and isinstance(operator, ast.Is | ast.Eq):
        return bool(left == right)
    if isinstance(operator, ast.Is | ast.IsNot) and None in values and any(isinstance(v, _OBJECTS) for v in values):
        return isinstance(operator, ast.IsNot)
    return computed(node, OPERATORS.get(type(operator)), values)


def item(node: ast.Subscript, owner: Value, key: Value) -> Value:
    """`owner[key]`."""
    if isinstance(owner, model.Reference) and owner.dotted in ENVIRONMENT:
        return unknown(node, f"the environment variable {key}")
    if isinstance(owner, list | tuple | dict | str) and is_plain(key):
        try:
            return owner[key]
        except (KeyError, IndexError, TypeError):
            return unknown(node, f"{key!r}, which doesn't exist")
    return unknown(node, reason(owner))


def formatted(node: ast.JoinedStr, parts: list[tuple[Value, str]]) -> Value:
    """An f-string of values with their format specifications."""
    for value, _ in parts:
        if not is_plain(value) and not isinstance(value, model.UnknownValue):
            return unknown(node, "the name of an object")
    specs = [spec for _, spec in parts]

    def joined(*values: Value) -> str:
        return "".join(format(value, spec) if spec else str(value) for value, spec in zip(values, specs, strict=True))

    return computed(node, joined, [value for value, _ in parts])


def if_it_runs(text: str, before: Value, value: Value, scope: Scope) -> Value:
    """A value that is set outside of the names: unknown if it is uncertain that the statement runs."""
    if scope.undecided and is_plain(value) and before != value:
        return model.UnknownValue(text, scope.undecided.on)
    return value


def one_of(name: str, values: list[Value], on: str) -> Value:
    """The value of a name that is bound to one of several values, which depends on something."""
    objects = [value for value in values if not is_plain(value)]
    if objects and all(value is None or not is_plain(value) for value in values):
        first = objects[0]
        if all(other is first or other == first for other in objects):
            return first
        if all(isinstance(other, model.Scheduler) for other in objects):
            return _one_scheduler(objects, on)
        return next((value for value in objects if isinstance(value, model.UnknownValue)), model.UnknownValue(name, on))
    if all(value == values[0] and type(value) is type(values[0]) for value in values):
        return values[0]
    return model.UnknownValue(name, on)


def _one_scheduler(schedulers: list[model.Scheduler], on: str) -> model.Scheduler:
    """The last of several schedulers; what they don't have in common of their settings is unknown."""
    last = schedulers[-1]
    for name in {name for scheduler in schedulers for name in scheduler.settings}:
        values = [scheduler.settings.get(name) for scheduler in schedulers]
        if any(value != values[0] for value in values):
            last.settings[name] = model.UnknownValue(f"its {name}", on)
    return last
