"""Statements of a clock file, done as far as reading can: names are bound, loops unrolled, branches chosen.

In come statements of `ast`; out come bound names, and calls to what a subclass makes of them. A branch that hangs on
the process is read too, and what it does is marked: `undecided` says why it isn't sure that it is done, `doubt` what
has to hold for the statements after an early end.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scheduled_tasks.importers.apscheduler.evaluate import Evaluator
from scheduled_tasks.importers.apscheduler.values import (
    Application,
    CallResult,
    LocalClass,
    LocalFunction,
    Reference,
    Scheduler,
    UnknownValue,
    Value,
    is_plain,
    why_unknown,
)
from scheduled_tasks.importers.apscheduler.vocabulary import APPLICATION_NAMES, ENDS

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_TURNS = 5000


class Ended(Exception):  # noqa: N818 - no error: a block that ends before its last statement
    """A `break`, a `continue`, a `return`, or the end of the program."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Statements(Evaluator):
    """Does statements over the names in `names`."""

    def __init__(self, names: dict[str, Value]) -> None:
        super().__init__(names)
        self.doubt = ""
        self.depth = 0
        self.returned: Value = None
        self.functions: dict[str, LocalFunction] = {}

    def decorate(self, function: LocalFunction, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """What decorators mean, where a subclass knows."""

    def define(self, kind: LocalClass) -> None:
        """What a class means, where a subclass knows."""

    def block(self, statements: list[ast.stmt]) -> None:
        """Does statements one by one.

        Raises:
            Ended: one of them ends the block.
        """
        for statement in statements:
            method: Callable[[ast.stmt], None] | None = getattr(self, f"_do_{type(statement).__name__.lower()}", None)
            if method:
                method(statement)

    def whole(self, statements: list[ast.stmt]) -> str:
        """Does statements, and gives how they ended before their end; "" where they didn't."""
        try:
            self.block(statements)
        except Ended as end:
            return end.how
        return ""

    def _do_import(self, node: ast.Import) -> None:
        for each in node.names:
            name = each.asname or each.name.partition(".")[0]
            self.names[name] = Reference(each.name if each.asname else name)

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for each in node.names:
            name, dotted = each.asname or each.name, f"{module}.{each.name}" if module else each.name
            if name == "*":
                self.stars.append(module)
            elif each.name in APPLICATION_NAMES and not dotted.startswith("apscheduler"):
                self.names[name] = Application(f"{module}:{each.name}")
            else:
                self.names[name] = "UTC" if dotted in {"pytz.utc", "datetime.UTC"} else Reference(dotted)

    def _do_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._bind(target, value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind(node.target, self.value(node.value))

    def _do_augassign(self, node: ast.AugAssign) -> None:
        operation = ast.copy_location(
            ast.BinOp(left=ast.Name(ast.unparse(node.target), ast.Load()), op=node.op, right=node.value), node
        )
        self._bind(node.target, self.value(operation))

    def _bind(self, target: ast.expr, value: Value) -> None:
        self.assign(target, value)
        if isinstance(target, ast.Name) and isinstance(value, Scheduler) and not value.name:
            value.name = target.id
        if isinstance(target, ast.Subscript):
            owner, key = self.value(target.value), self.value(target.slice)
            if isinstance(owner, dict) and is_plain(key):
                owner[key] = value

    def _do_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = LocalFunction(node.name, node, nested=self.depth > 0)
        if not self.depth:
            self.functions[node.name] = function
        self.decorate(function, node)
        self.names[node.name] = function

    _do_asyncfunctiondef = _do_functiondef

    def _do_classdef(self, node: ast.ClassDef) -> None:
        kind = LocalClass(node, bases=[self.value(each) for each in node.bases])
        self.names[node.name] = kind
        outside, self.names = self.names, dict(self.names)
        before = dict(self.names)
        for each in node.body:  # its attributes; its methods are read where they are called
            if isinstance(each, ast.Assign | ast.AnnAssign | ast.ClassDef):
                self.block([each])
        kind.attributes |= {name: value for name, value in self.names.items() if before.get(name) is not value}
        self.names = outside
        self.define(kind)

    def _do_if(self, node: ast.If) -> None:
        test = self.value(node.test)
        if is_plain(test):
            self.block(node.body if test else node.orelse)
            return
        written, on = ast.unparse(node.test), _why(test)
        ended = self._undecided([node.body, node.orelse], f"it is added if {written}, which hangs on {on}")
        if ended and not self.doubt:
            written = f"not ({written})" if ended[0] else written
            self.doubt = f"it is added only if {written}, which hangs on {on}"

    def _undecided(self, blocks: list[list[ast.stmt]], why: str) -> list[str]:
        """Does blocks of which nobody knows whether they are done; gives how each ended, if one did early."""
        before, self.undecided = self.undecided, self.undecided or why
        names = dict(self.names)
        ended, after = [], []
        for block in blocks:
            self.names.clear()
            self.names.update(names)
            ended.append(self.whole(block))
            after.append(dict(self.names))
        self.undecided = before
        self._join(names, after, why)
        if len(blocks) > 1 and all(ended):
            raise Ended(ended[0])
        return ended if any(ended) else []

    def _join(self, before: dict[str, Value], after: list[dict[str, Value]], why: str) -> None:
        """What a name stands for behind branches of which one is done: an object as it is made, else unknown."""
        on = why.rpartition(", which hangs on ")[2] if ", which hangs on " in why else "what only a run knows"
        for name in {name for each in after for name in each}:
            values = [each[name] for each in after if name in each]
            changed = [value for value in values if value is not before.get(name)]
            if not changed:
                self.names[name] = values[0]
            elif len(after) > 1 and len(changed) == len(after) and all(each == changed[0] for each in changed):
                self.names[name] = changed[0]
            elif is_plain(changed[-1]) and changed[-1] is not None:
                self.names[name] = UnknownValue(name, on)
            else:
                self.names[name] = changed[-1]

    def _do_match(self, node: ast.Match) -> None:
        why = f"it is added in a match of {ast.unparse(node.subject)}"
        self._undecided([each.body for each in node.cases], why)

    def _do_for(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.value(node.iter)
        self.looping.append({each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)})
        doubt = self.doubt
        try:
            if isinstance(items, list | tuple | dict | str) and len(items) <= MOST_TURNS:
                if not self._each(node, list(items)):
                    self.block(node.orelse)
            else:
                unknown = UnknownValue(ast.unparse(node.target), f"the loop over {ast.unparse(node.iter)}")
                self.assign(node.target, unknown)
                why = f"it is added in a loop over {ast.unparse(node.iter)}, {_why(items)}"
                self._undecided([node.body], why)
        finally:
            self.looping.pop()
            self.doubt = doubt

    _do_asyncfor = _do_for

    def _each(self, node: ast.For | ast.AsyncFor, items: list[Value]) -> bool:
        """The turns of a loop; whether one broke it."""
        for item in items:
            self.assign(node.target, item)
            ended = self.whole(node.body)
            if ended == "break":
                return True
            if ended not in {"", "continue"}:
                raise Ended(ended)
        return False

    def _do_while(self, node: ast.While) -> None:
        self._undecided([node.body], f"it is added in a loop, while {ast.unparse(node.test)}")

    def _do_try(self, node: ast.Try) -> None:
        try:
            self.block([*node.body, *node.orelse])
        finally:
            self.block(node.finalbody)

    def _do_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.block(node.body)

    _do_asyncwith = _do_with

    def _do_expr(self, node: ast.Expr) -> None:
        value = self.value(node.value)
        if isinstance(value, CallResult) and isinstance(value.function, Reference) and value.function.dotted in ENDS:
            raise Ended("exit")

    def _do_return(self, node: ast.Return) -> None:
        value = self.value(node.value)
        if not self.undecided or self.returned is None:
            self.returned = value
        raise Ended("return")

    def _do_raise(self, node: ast.Raise) -> None:
        self.value(node.exc)
        raise Ended("exit")

    def _do_break(self, _node: ast.Break) -> None:
        raise Ended("break")

    def _do_continue(self, _node: ast.Continue) -> None:
        raise Ended("continue")


def _why(value: Value) -> str:
    return value.why if isinstance(value, UnknownValue) else why_unknown(value) or "what only a run knows"
