"""Write the tasks' module of an imported clock: functions of the clock file, and wrappers of other modules' functions.

The text is for the package of the domains: each function as it was written, without `@scheduled_job`, with all that it
needs of its file, in the file's order.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from scheduled_tasks.importers.apscheduler.functions import Target, absolute, decorator_name
from scheduled_tasks.importers.apscheduler.source import ClockSource
from scheduled_tasks.importers.codegen import import_lines
from scheduled_tasks.importers.dependencies import DEFINITIONS, Dependencies, repeated_names, schedules, uses


def tasks_module(  # noqa: C901 - the parts of a module, in their order
    source: ClockSource, path: Path, targets: Iterable[Target], opening: str
) -> str:
    """The module's text; "" if no function has to move."""
    targets = list(targets)
    if not targets:
        return ""
    local = [target for target in targets if not target.module]
    foreign = [target for target in targets if target.module]
    needed = Dependencies(source, local)
    imports: dict[str, set[str]] = {}
    plain: list[str] = []
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            _take_import(node, needed.names, path, imports, plain)
    for name, module in needed.from_stars().items():
        imports.setdefault(module, set()).add(name)
    body: list[str] = []
    for node in needed.statements():
        blank = ["", ""] if isinstance(node, DEFINITIONS) else [""]
        body += [*blank, *_text(node, source, local)]
    if not all(map(_is_logged, targets)):
        imports.setdefault("scheduled_tasks", set()).add("log_cron")
    for target in foreign:
        imports.setdefault(target.module, set()).add(f"{target.name.partition('.')[0]} as {_imported_name(target)}")
        call = ".".join([_imported_name(target), *target.name.split(".")[1:]])
        body += _wrapper(target, call, f"Call {target.module}.{target.name}")
    awaited = [target for target in local if target.is_async]
    for target in awaited:
        body += _wrapper(target, f"_{target.task}", f"Run {target.task}")
    if foreign or awaited:
        imports.setdefault("typing", set()).add("Any")
    if any(target.is_async for target in targets):
        plain.append("import asyncio")
    future = imports.pop("__future__", None)
    first = [f"from __future__ import {', '.join(sorted(future))}", ""] if future else []
    head = [f'"""{opening}"""', "", *first, *sorted(set(plain)), *import_lines(imports)]
    return "\n".join([*head, *_settled(body)]) + "\n"


def _settled(body: list[str]) -> list[str]:
    """The lines, with two empty ones instead of one between a function or class and a plain statement."""
    settled: list[str] = []
    for index, line in enumerate(body):
        before = settled[-1] if settled else ""
        after = body[index + 1] if index + 1 < len(body) else ""
        if line == "" and before and before[0] in " )" and after and after[0] != " ":
            settled.append("")
        settled.append(line)
    return settled


def _take_import(
    node: ast.ImportFrom | ast.Import, needed: set[str], path: Path, imports: dict[str, set[str]], plain: list[str]
) -> None:
    for alias in node.names:
        if alias.name == "*":
            continue
        bound = alias.asname or alias.name.partition(".")[0]
        if bound not in needed and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            continue
        renamed = f" as {alias.asname}" if alias.asname else ""
        if isinstance(node, ast.Import):
            plain.append(f"import {alias.name}{renamed}")
        else:
            module = absolute("." * node.level + (node.module or ""), path).rstrip(".")
            imports.setdefault(module, set()).add(f"{alias.name}{renamed}")


def _text(node: ast.stmt, source: ClockSource, local: list[Target]) -> list[str]:
    lines = _with_new_names(node, source, local)
    target = _target_of(node, source, local)
    decorators = node.decorator_list if isinstance(node, DEFINITIONS) else []
    above = first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while above > 1 and lines[above - 2].startswith("#") and not lines[above - 2].startswith("#!"):
        above -= 1
    left_out = {
        line for decorator in decorators if schedules(decorator, source)
        for line in range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1)
    }  # fmt: skip
    kept = [lines[line - 1] for line in range(first, (node.end_lineno or first) + 1) if line not in left_out]
    comments = lines[above - 1 : first - 1]
    if target is not None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        marked = [] if target.is_async or _is_logged(target) else ["@log_cron"]
        signature = re.compile(rf"^((?:async )?def ){node.name}(?=\()")
        return [*comments, *marked, *(signature.sub(rf"\g<1>{_written_name(target)}", line) for line in kept)]
    return [*comments, *kept]


def _target_of(node: ast.stmt, source: ClockSource, local: list[Target]) -> Target | None:
    """The target that a statement defines, if it defines one."""
    if not isinstance(node, DEFINITIONS):
        return None
    by_node = next((target for target in local if target.node is node), None)
    by_name = (target for target in local if target.name == node.name and node.name not in repeated_names(source))
    return by_node or next(by_name, None)


def _written_name(target: Target) -> str:
    """The name of a function in the tasks' module; a task awaits an async one under its own."""
    return f"_{target.task}" if target.is_async else target.task


def _with_new_names(node: ast.stmt, source: ClockSource, local: list[Target]) -> list[str]:
    """The file's lines, in which a statement names functions as they are written: one may have another name there."""
    new = {target.name: _written_name(target) for target in local if target.name not in repeated_names(source)}
    lines = source.text.splitlines()
    names = [name for name in ast.walk(node) if isinstance(name, ast.Name) and new.get(name.id, name.id) != name.id]
    used = uses(node) if names else set()
    for name in sorted(names, key=lambda name: (name.lineno, name.col_offset), reverse=True):
        if name.id in used and isinstance(name.ctx, ast.Load):
            line = lines[name.lineno - 1].encode()
            end = name.col_offset + len(name.id.encode())
            lines[name.lineno - 1] = (line[: name.col_offset] + new[name.id].encode() + line[end:]).decode()
    return lines


def _is_logged(target: Target) -> bool:
    return (
        not target.module
        and target.node is not None
        and not target.is_async
        and any(decorator_name(decorator) == "log_cron" for decorator in target.node.decorator_list)
    )


def _imported_name(target: Target) -> str:
    """The alias for importing another module's function, or the object whose method it is."""
    owner, _, rest = target.name.partition(".")
    return f"_{owner if rest else target.task}"


def _wrapper(target: Target, call: str, described: str) -> list[str]:
    """A task that makes a call, awaited if the function is async."""
    result = f"asyncio.run({call}(*args, **kwargs))" if target.is_async else f"{call}(*args, **kwargs)"
    return [
        "", "",
        "@log_cron",
        f"def {target.task}(*args: Any, **kwargs: Any) -> Any:",
        f'    """{_summary(target) or described}."""',
        f"    return {result}",
    ]  # fmt: skip


def _summary(target: Target) -> str:
    documented = ast.get_docstring(target.node) if target.node is not None else None
    return (documented or "").strip().partition("\n")[0].rstrip(".").replace('"""', "").replace("\\", "")
