"""Find the statements of a clock file that a function needs: those that bind or change the names it uses."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable
from dataclasses import dataclass

from scheduled_tasks.importers.apscheduler.functions import Target, decorator_name
from scheduled_tasks.importers.apscheduler.model import ClockSource, Instance, Scheduler
from scheduled_tasks.importers.apscheduler.vocabulary import ENDS

BUILTINS = set(dir(builtins))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: the names that it binds, uses, and changes without binding them."""

    node: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str]


class Dependencies:
    """The names that some functions of a file need, and the top-level statements that belong to them."""

    def __init__(self, source: ClockSource, functions: set[str]) -> None:
        self._source = source
        self._statements = [_statement(node) for node in source.tree.body]
        self._bound = {name for statement in self._statements for name in statement.binds}
        self.names = set(functions)
        before: set[str] = set()
        while before != self.names:
            before = set(self.names)
            self.names = before.union(*(self._uses(statement) for statement in self._needed()))

    def _needed(self) -> list[_Statement]:
        return [statement for statement in self._statements if self._is_needed(statement)]

    def _is_needed(self, statement: _Statement) -> bool:
        if statement.binds & self.names:
            return True
        return bool(statement.changes & self.names & self._bound) and not self._touches_scheduler(statement)

    def _touches_scheduler(self, statement: _Statement) -> bool:
        values = (self._source.names.get(name) for name in statement.uses | statement.binds)
        return any(isinstance(value, Scheduler | Instance) for value in values)

    def _uses(self, statement: _Statement) -> set[str]:
        """What a statement needs; of a function without the arguments of `@scheduled_job`."""
        node = statement.node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return set(statement.uses)
        decorators = [decorator for decorator in node.decorator_list if not schedules(decorator, self._source)]
        return _names_used([*node.body, node.args, *decorators, *filter(None, [node.returns])])

    def statements(self) -> list[ast.stmt]:
        """The top-level statements that are needed, except imports, in the file's order."""
        return [statement.node for statement in self._needed() if not isinstance(statement.node, IMPORTS)]

    def unset(self) -> set[str]:
        """The names that the needed statements use and that no statement of the module sets."""
        scopes = _globals_used(self._source.text)
        used: set[str] = set()
        for statement in self._needed():
            if isinstance(statement.node, DEFINITIONS):
                used |= scopes.get(statement.node.name, set())
            elif not isinstance(statement.node, IMPORTS):
                used |= statement.uses - statement.binds
        return used - {"__name__", "__file__", "__doc__"}.union(BUILTINS, *map(_bound, self._source.tree.body))

    def calls_left_out(self) -> list[ast.Expr]:
        """Top-level calls that are not needed and don't concern the scheduler."""
        return [
            statement.node for statement in self._statements
            if isinstance(statement.node, ast.Expr) and isinstance(statement.node.value, ast.Call)
            and ast.unparse(statement.node.value.func) not in {"print", *ENDS}
            and not self._touches_scheduler(statement) and not self._is_needed(statement)
        ]  # fmt: skip


def used_scheduler(source: ClockSource, target: Target) -> str:
    """The name of the scheduler that a function uses, directly or through other statements of the file; or ""."""
    names = Dependencies(source, {target.name}).names if target.node is not None else set()
    return next((name for name in sorted(names) if isinstance(source.names.get(name), Scheduler)), "")


def unset_names(source: ClockSource, target: Target) -> list[str]:
    """The names that a function of the file needs and the module doesn't set, such as those that `main()` sets."""
    if target.module or target.node is None:
        return []
    return sorted(Dependencies(source, {target.name}).unset())


def calls_left_out(source: ClockSource, targets: Iterable[Target]) -> list[ast.Expr]:
    """Top-level calls that neither a moved function nor a job needs: the report lists them for a person to place."""
    return Dependencies(source, {target.name for target in targets if not target.module}).calls_left_out()


def schedules(decorator: ast.expr, source: ClockSource) -> bool:
    """Whether a decorator is the scheduler's; a task is written without it."""
    if decorator_name(decorator) == "scheduled_job":
        return True
    names = _roots(decorator.func) if isinstance(decorator, ast.Call) else set()
    return any(isinstance(source.names.get(name), Scheduler) for name in names)


def _globals_used(text: str) -> dict[str, set[str]]:
    """By top-level function or class, the globals that it uses, the functions inside it included."""

    def used_in(table: symtable.SymbolTable) -> set[str]:
        own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        return own.union(*map(used_in, table.get_children()))

    return {table.get_name(): used_in(table) for table in symtable.symtable(text, "clock.py", "exec").get_children()}


def _statement(node: ast.stmt) -> _Statement:
    binds = set() if isinstance(node, IMPORTS) else _bound(node)
    changes: set[str] = set()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changes = _roots(node.value.func) | {name for arg in node.value.args for name in _roots(arg)}
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        changes = {name for target in targets if not isinstance(target, ast.Name) for name in _roots(target)}
    return _Statement(node, frozenset(binds), frozenset(_names_used([node])), frozenset(changes))


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
        if isinstance(inner, IMPORTS):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
        inside += ast.iter_child_nodes(inner)
    return names


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _roots(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _names_used(nodes: Iterable[ast.AST]) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)} - BUILTINS
