"""Find the statements of a clock file that a function needs: those that bind or change the names it uses."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from scheduled_tasks.importers.apscheduler.functions import Target, decorator_name
from scheduled_tasks.importers.apscheduler.model import Instance, LocalFunction, Scheduler
from scheduled_tasks.importers.apscheduler.source import ClockSource
from scheduled_tasks.importers.apscheduler.vocabulary import CHANGING_METHODS, ENDS, adds

BUILTINS = set(dir(builtins))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
VALUES = (ast.Assign, ast.AnnAssign)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
KEEPING = CHANGING_METHODS | {"appendleft", "popleft", "popitem", "put", "put_nowait"}


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: the names that it binds, uses, and changes without binding them, by Python's own scopes.

    `sets` are the globals that its functions set when they run, `keeps` those whose objects they change.
    """

    node: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str]
    sets: frozenset[str]
    keeps: frozenset[str]

    def names_bound(self) -> set[str]:
        """The names that it binds, an import's included."""
        return _bound(self.node)


class Dependencies:
    """The names that some functions of a file need, and the top-level statements that belong to them."""

    def __init__(self, source: ClockSource, functions: Iterable[Target]) -> None:
        self._source = source
        self._statements = _statements(source)
        self._bound = {name for statement in self._statements for name in statement.binds}
        functions = [function for function in functions if not function.module]
        # Several functions can have one name, as in `async def _():` again and again: each is known by its definition.
        self._nodes = {id(function.node) for function in functions}
        named = {function.name for function in functions if function.name not in repeated_names(source)}
        self.names = named | {function.name for function in functions if function.node not in source.tree.body}
        before: set[str] = set()
        while before != self.names:
            before = set(self.names)
            self.names = before.union(*(statement.uses for statement in self._needed()))

    def _needed(self) -> list[_Statement]:
        return [statement for statement in self._statements if self._is_needed(statement)]

    def _is_needed(self, statement: _Statement) -> bool:
        if id(statement.node) in self._nodes or statement.binds & self.names:
            return True
        return bool(statement.changes & self.names & self._bound) and not self._touches_scheduler(statement)

    def _touches_scheduler(self, statement: _Statement) -> bool:
        values = (self._source.names.get(name) for name in statement.uses | statement.binds)
        return any(isinstance(value, Scheduler | Instance) or adds_jobs(value) for value in values)

    def statements(self) -> list[ast.stmt]:
        """The top-level statements that are needed, except imports, in the file's order."""
        return [statement.node for statement in self._needed() if not isinstance(statement.node, IMPORTS)]

    def unset(self) -> set[str]:
        """The names that the needed statements use and that no statement of the module and no run sets."""
        needed = [statement for statement in self._needed() if not isinstance(statement.node, IMPORTS)]
        used = {name for statement in needed for name in statement.uses - statement.binds}
        bound = {name for statement in self._statements for name in statement.names_bound()}
        by_runs = {name for statement in needed for name in statement.sets}
        return used - bound - by_runs - self.from_stars().keys() - BUILTINS - {"__name__", "__file__", "__doc__"}

    def from_stars(self) -> dict[str, str]:
        """The needed names that `from module import *` gives, by module; one that isn't here gives the rest."""
        stars = {name: module for name, module in self._source.stars.items() if name in self.names}
        if len(self._source.unread_stars) == 1:
            bound = {name for statement in self._statements for name in statement.names_bound()}
            given = self.names - bound - stars.keys() - BUILTINS - {"__name__", "__file__", "__doc__"}
            stars |= dict.fromkeys(given, self._source.unread_stars[0])
        return stars

    def kept(self) -> set[str]:
        """The names of the module that the needed functions change, so that a later run would find the change."""
        functions = [statement for statement in self._needed() if isinstance(statement.node, DEFINITIONS)]
        set_here = {name for node in self._source.tree.body if isinstance(node, VALUES) for name in _bound(node)}
        return {name for statement in functions for name in statement.sets | statement.keeps} & set_here

    def calls_left_out(self) -> list[ast.Expr]:
        """Top-level calls that are not needed and don't concern the scheduler."""
        return [
            statement.node for statement in self._statements
            if isinstance(statement.node, ast.Expr) and isinstance(statement.node.value, ast.Call)
            and ast.unparse(statement.node.value.func) not in {"print", *ENDS}
            and not self._touches_scheduler(statement) and not self._is_needed(statement)
        ]  # fmt: skip


def adds_jobs(value: object) -> bool:
    """Whether a value is a function of the file that adds jobs."""
    node = value.node if isinstance(value, LocalFunction) else None
    return node is not None and any(isinstance(call, ast.Call) and bool(adds(call.func)) for call in ast.walk(node))


@lru_cache(maxsize=8)
def _statements(source: ClockSource) -> list[_Statement]:
    return [_statement(node, source) for node in source.tree.body]


@lru_cache(maxsize=8)
def repeated_names(source: ClockSource) -> frozenset[str]:
    """The names that several functions or classes of the module have."""
    names = [node.name for node in source.tree.body if isinstance(node, DEFINITIONS)]
    return frozenset(name for name in names if names.count(name) > 1)


def used_scheduler(source: ClockSource, target: Target) -> str:
    """The name of the scheduler that a function uses, directly or through other statements of the file; or ""."""
    names = Dependencies(source, [target]).names if target.node is not None else set()
    return next((name for name in sorted(names) if isinstance(source.names.get(name), Scheduler)), "")


def unset_names(source: ClockSource, target: Target) -> list[str]:
    """The names that a function of the file needs and the module doesn't set, such as those that `main()` sets."""
    if target.module or target.node is None:
        return []
    return sorted(Dependencies(source, [target]).unset())


def assumed_imports(source: ClockSource, target: Target) -> dict[str, str]:
    """The names that a function of the file gets from modules that aren't here, if it does: each with its module."""
    if target.module or target.node is None:
        return {}
    unread = source.unread_stars
    return {name: module for name, module in Dependencies(source, [target]).from_stars().items() if module in unread}


def lacking_modules(tree: ast.Module, *folders: Path) -> set[str]:
    """The modules that a file imports and that are neither below its folder and the others nor installed here."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level)
    names |= {node.module for node in froms if node.module}
    packages = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    roots = {folder if folder.is_dir() else folder.parent for folder in folders}
    here = {name for name in packages for root in roots if (root / name).is_dir() or (root / f"{name}.py").is_file()}
    return {name for name in packages - here if find_spec(name) is None}


def kept_names(source: ClockSource, target: Target) -> list[str]:
    """The names of the module that a run of a function of the file changes for later runs."""
    if target.module or target.node is None:
        return []
    return sorted(Dependencies(source, [target]).kept())


def calls_left_out(source: ClockSource, targets: Iterable[Target]) -> list[ast.Expr]:
    """Top-level calls that neither a moved function nor a job needs: the report lists them for a person to place."""
    return Dependencies(source, targets).calls_left_out()


def schedules(decorator: ast.expr, source: ClockSource) -> bool:
    """Whether a decorator is the scheduler's; a task is written without it."""
    if decorator_name(decorator) == "scheduled_job":
        return True
    values = [source.names.get(name) for name in _roots(decorator)]
    return any(
        adds_jobs(value) or (isinstance(value, Scheduler) and isinstance(decorator, ast.Call)) for value in values
    )


def _statement(node: ast.stmt, source: ClockSource) -> _Statement:
    binds = set() if isinstance(node, IMPORTS) else _bound(node)
    changes: set[str] = set()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changes = _roots(node.value.func) | {name for arg in node.value.args for name in _roots(arg)}
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        changes = {name for target in targets if not isinstance(target, ast.Name) for name in _roots(target)}
    uses, sets = _scopes(_without_schedule(node, source))
    keeps = _changed_objects(node) & uses if isinstance(node, DEFINITIONS) else set()
    return _Statement(node, *map(frozenset, (binds, uses, changes, sets, keeps)))


def _without_schedule(node: ast.stmt, source: ClockSource) -> ast.stmt:
    """A function without the decorators that schedule it: a task is written without them."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node
    kept = [decorator for decorator in node.decorator_list if not schedules(decorator, source)]
    if kept == node.decorator_list:
        return node
    return type(node)(**{**dict(ast.iter_fields(node)), "decorator_list": kept}, lineno=1, col_offset=0)


def uses(node: ast.stmt) -> set[str]:
    """The names of the module that a statement uses, functions inside it included."""
    return _scopes(node)[0]


def _scopes(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names of the module that a statement uses, functions inside it included, and those that these set."""

    def inside(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
        uses = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        sets = {
            symbol.get_name() for symbol in table.get_symbols() if symbol.is_declared_global() and symbol.is_assigned()
        }
        below = [inside(child) for child in table.get_children()]
        return uses.union(*(used for used, _ in below)), sets.union(*(set_ for _, set_ in below))

    table = symtable.symtable(ast.unparse(node), "statement", "exec")
    below = [inside(child) for child in table.get_children()]
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    return own.union(*(used for used, _ in below)), set().union(*(set_ for _, set_ in below))


def _changed_objects(node: ast.stmt) -> set[str]:
    """The names whose objects the functions of a statement change: by a method of lists and the like, or an item."""
    changed: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in KEEPING:
            changed |= _roots(inner.func.value)
        targets = inner.targets if isinstance(inner, ast.Assign | ast.Delete) else []
        targets = [inner.target] if isinstance(inner, ast.AugAssign) else targets
        changed |= {name for target in targets if not isinstance(target, ast.Name) for name in _roots(target)}
    return changed


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement sets in the module, imports and functions inside a `try` or an `if` included."""
    names: set[str] = set()
    inside: list[ast.AST] = [] if _is_main_guard(node) else [node]
    while inside:
        inner = inside.pop()
        if isinstance(inner, DEFINITIONS):
            names.add(inner.name)
            continue
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id)
        if isinstance(inner, ast.ExceptHandler) and inner.name:
            names.add(inner.name)
        if isinstance(inner, IMPORTS):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
        if not isinstance(inner, COMPREHENSIONS):
            inside += ast.iter_child_nodes(inner)
    return names


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _roots(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()
