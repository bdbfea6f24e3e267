"""The tasks' module of an imported clock: functions that stood in the clock file, and callers of those from elsewhere.

In come a file's reading and the functions its jobs call; out comes the text of a module for the domains' package: each
function as it was written, without `@scheduled_job`, with all that it needs of its file, in the file's order. What
it needs is found by names: the statements that bind what it uses, and those that change it.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduled_tasks.importers.apscheduler.functions import Target, absolute, decorator_name
from scheduled_tasks.importers.apscheduler.values import Instance, Scheduler
from scheduled_tasks.importers.apscheduler.vocabulary import ENDS
from scheduled_tasks.importers.codegen import import_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scheduled_tasks.importers.apscheduler.values import ClockSource

BUILTINS = set(dir(builtins))
LOGGED = {"log_cron"}


@dataclass(frozen=True)
class _Piece:
    """A top-level statement: what it binds, what it uses, whether it only changes what others bind."""

    node: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str]


def uses_scheduler(source: ClockSource, target: Target) -> str:
    """The scheduler that a function of the file uses, itself or by what it calls of the file; or ""."""
    if target.node is None:
        return ""
    names = _needed([_piece(node) for node in source.tree.body], {target.name}, source)
    return next((name for name in sorted(names) if isinstance(source.names.get(name), Scheduler)), "")


def unset(source: ClockSource, target: Target) -> list[str]:
    """The names that a function of the file needs and that no statement of the module sets, but `main()`, say."""
    if target.module or target.node is None:
        return []
    pieces = [_piece(node) for node in source.tree.body]
    needed = _needed(pieces, {target.name}, source)
    scopes = _scopes(source.text)
    used: set[str] = set()
    for piece in pieces:
        if not isinstance(piece.node, ast.Import | ast.ImportFrom) and _is_taken(piece, pieces, needed, source):
            if isinstance(piece.node, _BLOCKS):
                used |= scopes.get(piece.node.name, set())
            else:
                used |= piece.uses - piece.binds
    known = {"__name__", "__file__", "__doc__"}.union(BUILTINS, *map(_bound, source.tree.body))
    return sorted(used - known)


def _scopes(text: str) -> dict[str, set[str]]:
    """The top-level functions and classes by name: which globals each uses, in the functions inside it too."""

    def of(table: symtable.SymbolTable) -> set[str]:
        here = {each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced()}
        return here.union(*map(of, table.get_children()))

    return {each.get_name(): of(each) for each in symtable.symtable(text, "clock.py", "exec").get_children()}


def tasks_module(source: ClockSource, path: Path, targets: Iterable[Target], opening: str) -> str:
    """The module's text; "" where there is nothing to put into it."""
    targets = list(targets)
    local = {target.name: target for target in targets if not target.module}
    foreign = [target for target in targets if target.module]
    if not targets:
        return ""
    pieces = [_piece(node) for node in source.tree.body]
    needed = _needed(pieces, set(local), source)
    imports: dict[str, set[str]] = {}
    plain: list[str] = []
    body: list[str] = []
    for piece in pieces:
        node = piece.node
        if isinstance(node, ast.ImportFrom | ast.Import):
            _take_import(node, needed, path, imports, plain)
        elif _is_taken(piece, pieces, needed, source):
            body += (
                ["", "", *_text(node, source, local)]
                if isinstance(node, _BLOCKS)
                else ["", *_text(node, source, local)]
            )
    if any(not _is_logged(target) for target in targets):
        imports.setdefault("scheduled_tasks", set()).add("log_cron")
    for target in foreign:
        imports.setdefault(target.module, set()).add(f"{target.name.partition('.')[0]} as {_imported_name(target)}")
        imports.setdefault("typing", set()).add("Any")
        body += ["", "", *_caller(target)]
    if any(target.is_async for target in targets):
        plain.append("import asyncio")
    for target in local.values():
        if target.is_async:
            imports.setdefault("typing", set()).add("Any")
            body += ["", "", *_awaiting(target)]
    future = (
        [f"from __future__ import {', '.join(sorted(imports.pop('__future__')))}", ""]
        if "__future__" in imports
        else []
    )
    head = [f'"""{opening}"""', "", *future, *sorted(set(plain)), *import_lines(imports)]
    return "\n".join([*head, *_settled(body)]) + "\n"


_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _settled(body: list[str]) -> list[str]:
    """Two empty lines after a function or class too, where a plain statement follows."""
    found: list[str] = []
    for index, line in enumerate(body):
        before = found[-1] if found else ""
        after = body[index + 1] if index + 1 < len(body) else ""
        if line == "" and before and before[0] in " )" and after and after[0] != " ":
            found.append("")
        found.append(line)
    return found


def _piece(node: ast.stmt) -> _Piece:
    binds: set[str] = set()
    if isinstance(node, _BLOCKS):
        binds.add(node.name)
    elif not isinstance(node, ast.Import | ast.ImportFrom):
        binds = _bound(node)
    uses = _names_used([node])
    changes: set[str] = set()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changes = _roots(node.value.func) | {name for each in node.value.args for name in _roots(each)}
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        changes = {name for each in targets if not isinstance(each, ast.Name) for name in _roots(each)}
    return _Piece(node, frozenset(binds), frozenset(uses), frozenset(changes))


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement sets in the module: an import or a function inside a `try` or an `if` too."""
    found: set[str] = set()
    inside: list[ast.AST] = [] if _is_main_guard(node) else [node]
    while inside:
        each = inside.pop()
        if isinstance(each, _BLOCKS):
            found.add(each.name)
            continue
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.add(each.id)
        if isinstance(each, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in each.names}
        inside += ast.iter_child_nodes(each)
    return found


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _roots(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _names_used(nodes: Iterable[ast.AST]) -> set[str]:
    found = {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found - BUILTINS


def _schedules(decorator: ast.expr, source: ClockSource) -> bool:
    """Whether a decorator is the scheduler's, which a task is written without."""
    return (
        isinstance(decorator, ast.Call)
        and any(isinstance(source.names.get(name), Scheduler) for name in _roots(decorator.func))
    ) or decorator_name(decorator) == "scheduled_job"


def _uses_of(piece: _Piece, source: ClockSource) -> set[str]:
    """What a statement needs; of a function without what `@scheduled_job` is given."""
    if isinstance(piece.node, ast.FunctionDef | ast.AsyncFunctionDef):
        kept = [each for each in piece.node.decorator_list if not _schedules(each, source)]
        return _names_used([*piece.node.body, piece.node.args, *kept, *filter(None, [piece.node.returns])])
    return set(piece.uses)


def _needed(pieces: list[_Piece], wanted: set[str], source: ClockSource) -> set[str]:
    needed = set(wanted)
    while True:
        more = set(needed)
        for piece in pieces:
            if _is_taken(piece, pieces, needed, source):
                more |= _uses_of(piece, source)
        if more == needed:
            return needed
        needed = more


def _is_taken(piece: _Piece, pieces: list[_Piece], needed: set[str], source: ClockSource) -> bool:
    bound = {name for each in pieces for name in each.binds}
    return bool(piece.binds & needed or (piece.changes & needed & bound and not _touches_scheduler(piece, source)))


def not_taken_over(source: ClockSource, targets: Iterable[Target]) -> list[ast.Expr]:
    """Top-level calls that neither a moved function nor a job needs: somebody has to decide where they belong."""
    pieces = [_piece(node) for node in source.tree.body]
    needed = _needed(pieces, {target.name for target in targets if not target.module}, source)
    found = []
    for piece in pieces:
        node = piece.node
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        silent = ast.unparse(node.value.func) in {"print", *ENDS} or _touches_scheduler(piece, source)
        if not silent and not _is_taken(piece, pieces, needed, source):
            found.append(node)
    return found


def _touches_scheduler(piece: _Piece, source: ClockSource) -> bool:
    return any(isinstance(source.names.get(name), Scheduler | Instance) for name in piece.uses | piece.binds)


def _take_import(
    node: ast.ImportFrom | ast.Import, needed: set[str], path: Path, imports: dict[str, set[str]], plain: list[str]
) -> None:
    for each in node.names:
        bound = each.asname or each.name.partition(".")[0]
        if bound not in needed and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            continue
        renamed = f" as {each.asname}" if each.asname else ""
        if isinstance(node, ast.Import):
            plain.append(f"import {each.name}{renamed}")
        else:
            module = absolute("." * node.level + (node.module or ""), path).rstrip(".")
            imports.setdefault(module, set()).add(f"{each.name}{renamed}")


def _text(node: ast.stmt, source: ClockSource, local: dict[str, Target]) -> list[str]:
    lines = source.text.splitlines()
    first = node.lineno
    target = local.get(node.name) if isinstance(node, _BLOCKS) else None
    decorators = node.decorator_list if isinstance(node, _BLOCKS) else []
    if decorators:
        first = min(first, *(each.lineno for each in decorators))
    above = first
    while above > 1 and lines[above - 2].startswith("#") and not lines[above - 2].startswith("#!"):
        above -= 1
    left_out = {
        line for each in decorators if _schedules(each, source)
        for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)
    }  # fmt: skip
    kept = [lines[line - 1] for line in range(first, (node.end_lineno or first) + 1) if line not in left_out]
    comments = lines[above - 1 : first - 1]
    if target is not None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        marked = [] if target.is_async or _is_logged(target) else ["@log_cron"]
        name = f"_{target.task}" if target.is_async else target.task
        return [*comments, *marked, *(_renamed(line, node.name, name) for line in kept)]
    return [*comments, *kept]


def _renamed(line: str, before: str, after: str) -> str:
    for keyword in ("async def ", "def "):
        if line.startswith(f"{keyword}{before}("):
            return f"{keyword}{after}{line[len(keyword) + len(before) :]}"
    return line


def _is_logged(target: Target) -> bool:
    return (
        not target.module
        and target.node is not None
        and not target.is_async
        and any(decorator_name(each) in LOGGED for each in target.node.decorator_list)
    )


def _imported_name(target: Target) -> str:
    """What the caller of a function from elsewhere knows it as, or the object whose method it is."""
    owner, _, rest = target.name.partition(".")
    return f"_{owner if rest else target.task}"


def _caller(target: Target) -> list[str]:
    called = ".".join([_imported_name(target), *target.name.split(".")[1:]])
    awaited = f"asyncio.run({called}(*args, **kwargs))" if target.is_async else f"{called}(*args, **kwargs)"
    return [
        "@log_cron",
        f"def {target.task}(*args: Any, **kwargs: Any) -> Any:",
        f'    """{_said(target) or f"Call {target.module}.{target.name}"}."""',
        f"    return {awaited}",
    ]


def _awaiting(target: Target) -> list[str]:
    return [
        "@log_cron",
        f"def {target.task}(*args: Any, **kwargs: Any) -> Any:",
        f'    """{_said(target) or f"Run {target.task}"}."""',
        f"    return asyncio.run(_{target.task}(*args, **kwargs))",
    ]


def _said(target: Target) -> str:
    documented = ast.get_docstring(target.node) if target.node is not None else None
    return (documented or "").strip().partition("\n")[0].rstrip(".").replace('"""', "").replace("\\", "")
