"""Write the code of an imported clock so that `ruff format` leaves it alone, for lines of 88 and 120 characters."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from scheduled_tasks.importers.apscheduler.model import WebApplication

LINE_LENGTH = 88


def literal(value: Any) -> str:  # noqa: PLR0911 - a table of cases
    """A value as code; strings in double quotes unless that needs more escapes."""
    if isinstance(value, WebApplication):
        return "app"
    if isinstance(value, str):
        shown = repr(value)
        if shown[0] == "'" and '"' not in shown:
            return '"' + shown[1:-1].replace("\\'", "'") + '"'
        return shown
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return repr(value)


def call_lines(function: str, arguments: Sequence[str]) -> list[str]:
    """A call as one line if it fits, otherwise with one argument per line."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= LINE_LENGTH:
        return [line]
    return [f"{function}(", *(line for argument in arguments for line in _argument(argument, "    ")), ")"]


def _argument(argument: str, indent: str) -> list[str]:
    """One argument or item as lines, with its comma; lists and dictionaries that don't fit have one item per line."""
    if len(indent) + len(argument) + 1 <= LINE_LENGTH:
        return [f"{indent}{argument},"]
    name, equals, value = argument.partition("=") if argument.partition("=")[0].isidentifier() else ("", "", argument)
    node = ast.parse(value, mode="eval").body
    items: list[str] = []
    if isinstance(node, ast.List):
        items = [_source(value, item) for item in node.elts]
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        items = [f"{_source(value, key)}: {_source(value, item)}" for key, item in pairs if key is not None]
    if not items:
        return [f"{indent}{argument},"]
    inner = [line for item in items for line in _item(item, f"{indent}    ")]
    return [f"{indent}{name}{equals}{value[0]}", *inner, f"{indent}{value[-1]},"]


def _item(item: str, indent: str) -> list[str]:
    return [f"{indent}{item},"] if item.startswith('"') else _argument(item, indent)


def _source(text: str, node: ast.expr) -> str:
    return ast.get_source_segment(text, node) or ""


def import_lines(imports: dict[str, set[str]]) -> list[str]:
    """`from module import names`, by module; a name can be written `x as y`."""
    lines: list[str] = []
    for module in sorted(imports):
        names = sorted(imports[module], key=lambda name: (name[0].islower(), name))
        line = f"from {module} import {', '.join(names)}"
        if len(line) <= LINE_LENGTH:
            lines.append(line)
        else:
            lines += [f"from {module} import (", *(f"    {name}," for name in names), ")"]
    return lines
