"""Apply the operators, subscripts and f-strings of a clock file to evaluated operands."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.model import ONLY_A_RUN, Value, is_plain, reason, unknown
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
    """The result of a Python function if all of its arguments are known."""
    for value in values:
        if isinstance(value, model.UnknownValue):
            return unknown(node, value.why)
    if function is None or not all(map(is_plain, values)):
        return unknown(node, ONLY_A_RUN)
    return attempt(node, function, *values)


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
        if not is_plain(value):
            return unknown(node, reason(value, "the name of an object"))
    return "".join(format(value, spec) if spec else str(value) for value, spec in parts)
