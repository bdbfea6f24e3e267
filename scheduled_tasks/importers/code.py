"""Python code of an imported clock, formatted as ruff format does it, by construction.

What comes in: values and calls; what goes out: lines of code that a formatter leaves alone, whether its lines are 88 or
120 characters long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduled_tasks.importers.values import Application

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 88


def literal(value: Any) -> str:
    """A value as code: strings in double quotes where that needs no more escapes."""
    if isinstance(value, Application):
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
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    return repr(value)


def call(function: str, arguments: Sequence[str]) -> list[str]:
    """A call as lines: one where it fits, else an argument a line."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= LONGEST:
        return [line]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]


def import_lines(imports: dict[str, set[str]]) -> list[str]:
    """`from module import names`, by module; a name may be written `x as y`."""
    lines: list[str] = []
    for module in sorted(imports):
        names = sorted(imports[module], key=lambda name: (name[0].islower(), name))
        line = f"from {module} import {', '.join(names)}"
        if len(line) <= LONGEST:
            lines.append(line)
        else:
            lines += [f"from {module} import (", *(f"    {name}," for name in names), ")"]
    return lines
