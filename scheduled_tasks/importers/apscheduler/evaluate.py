"""Expressions of a clock file, evaluated as far as reading can: what is written out is known, the rest has a reason.

In come nodes of `ast` and the names known so far; out come values (see `values`). Nothing of the file is run: only
arithmetic, text formatting, and a few harmless functions of Python's own on values that are plain.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from scheduled_tasks.importers.apscheduler.calls import Calls
from scheduled_tasks.importers.apscheduler.values import (
    Adder,
    Application,
    Instance,
    JobHandle,
    LocalClass,
    LocalFunction,
    Method,
    Partial,
    Reference,
    Scheduler,
    UnknownValue,
    Value,
    is_plain,
)
from scheduled_tasks.importers.apscheduler.vocabulary import (
    ADDS,
    ENDS,
    ENVIRONMENT,
    HARMLESS,
    OPERATORS,
    ZONES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FUNCTIONS = (Reference, LocalFunction)
MOST = 100_000  # of a text's or a list's length


class Evaluator(Calls):
    """Evaluates expressions over the names in `names`; a subclass may know how to make a call."""

    def call(self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]) -> Value | None:
        """What a call gives, where a subclass knows; None else."""

    def value(self, node: ast.expr | None) -> Value:
        """The value of an expression."""
        if node is None:
            return None
        if id(node) in self.evaluated:
            return self.evaluated[id(node)]
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        return method(node) if method else self.unknown(node, "an expression that only a run decides")

    def _constant(self, node: ast.Constant) -> Value:
        return node.value

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.names:
            return self.names[node.id]
        if node.id in HARMLESS or node.id in ENDS or node.id in {"getattr", "globals"}:
            return Reference(node.id)
        schedulers = [each for each in self.stars if each.startswith("apscheduler.")]
        if schedulers and node.id.endswith(("Scheduler", "Trigger")):
            return Reference(f"{schedulers[-1]}.{node.id}")
        others = [each for each in self.stars if each not in schedulers]
        if len(others) == 1 and not hasattr(builtins, node.id):
            return Reference(f"{others[0]}.{node.id}")
        return self.unknown(node, f"{node.id}, which is not set in this file")

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        found: list[Value] = []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                inner = self.value(each.value)
                if not isinstance(inner, list | tuple):
                    return self.unknown(node, ast.unparse(each))
                found += inner
            else:
                found.append(self.value(each))
        return tuple(found) if isinstance(node, ast.Tuple) else found

    _tuple = _list
    _set = _list

    def _dict(self, node: ast.Dict) -> Value:
        found: dict[Value, Value] = {}
        for key, each in zip(node.keys, node.values, strict=True):
            value = self.value(each)
            if key is None:
                if not isinstance(value, dict):
                    return self.unknown(node, ast.unparse(each))
                found |= value
                continue
            name = self.value(key)
            if not is_plain(name):
                return self.unknown(node, ast.unparse(key))
            found[name] = value
        return found

    def _joinedstr(self, node: ast.JoinedStr) -> Value:
        parts = [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values]
        values = [self.value(each) for each in parts]
        for value in values:
            if isinstance(value, UnknownValue):
                return self.unknown(node, value.why)
            if isinstance(value, LocalFunction | Reference) or not is_plain(value):
                return self.unknown(node, "what an object is called")
        shown = []
        for each, value in zip(node.values, values, strict=True):
            if isinstance(each, ast.FormattedValue) and each.format_spec is not None:
                shown.append(format(value, str(self.value(each.format_spec))))
            else:
                shown.append(str(value))
        return "".join(shown)

    def _attribute(self, node: ast.Attribute) -> Value:
        owner = self.value(node.value)
        if isinstance(owner, Reference):
            return self._of_a_module(owner, node.attr)
        if isinstance(owner, LocalFunction) and node.attr == "__name__":
            return owner.name
        if isinstance(owner, Instance | LocalClass):
            return self._of_a_class(node, owner)
        if isinstance(owner, Scheduler) and node.attr in ADDS:
            return Adder(owner, node.attr)
        if isinstance(owner, JobHandle) and node.attr == "id":
            return owner.call.arguments.get("id", owner)
        return self._of_a_member(node, owner)

    attribute = _attribute

    def _of_a_module(self, owner: Reference, name: str) -> Value:
        dotted = f"{owner.dotted}.{name}"
        if dotted in ZONES:
            return ZONES[dotted]
        return owner.dotted.rpartition(".")[2] if name == "__name__" else Reference(dotted)

    def _of_a_class(self, node: ast.Attribute, owner: Instance | LocalClass) -> Value:
        kind = owner.kind if isinstance(owner, Instance) else owner
        for attributes in (owner.attributes, kind.known()):
            if node.attr in attributes:
                return attributes[node.attr]
        if isinstance(owner, Instance) and (method := kind.method(node.attr)):
            return Method(owner, method)
        return self.unknown(node, f"the attribute {node.attr}")

    def _of_a_member(self, node: ast.Attribute, owner: Value) -> Value:
        """`.value` and `.name` of an enum's member, which stands for its value here."""
        if node.attr in {"value", "name"} and isinstance(node.value, ast.Attribute):
            kind = self.value(node.value.value)
            if isinstance(kind, LocalClass) and any("Enum" in str(each) for each in kind.bases):
                return owner if node.attr == "value" else node.value.attr
        return self.unknown(node, owner.why if isinstance(owner, UnknownValue) else f"the attribute {node.attr}")

    def _subscript(self, node: ast.Subscript) -> Value:
        owner, key = self.value(node.value), self.value(node.slice)
        if isinstance(owner, Reference) and owner.dotted in ENVIRONMENT:
            return self.unknown(node, f"the environment variable {key}")
        if isinstance(owner, list | tuple | dict | str) and is_plain(key):
            try:
                return owner[key]
            except (KeyError, IndexError, TypeError):
                return self.unknown(node, f"{key!r}, which isn't there")
        return self.unknown(node, owner.why if isinstance(owner, UnknownValue) else "what only a run knows")

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return left + right
        numbers = [each for each in (left, right) if isinstance(each, int | float)]
        if isinstance(node.op, ast.Mult) and len(numbers) == 1 and numbers[0] > MOST:
            return self.unknown(node, "a very long value")
        return self.computed(node, OPERATORS.get(type(node.op)), [left, right])

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        return self.computed(node, OPERATORS.get(type(node.op)), [self.value(node.operand)])

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            return self.unknown(node, "a chained comparison")
        values = [self.value(node.left), self.value(node.comparators[0])]
        if isinstance(node.ops[0], ast.Is | ast.Eq) and all(isinstance(each, _FUNCTIONS) for each in values):
            return values[0] == values[1]
        if isinstance(node.ops[0], ast.Is | ast.IsNot) and None in values and any(map(_is_object, values)):
            return isinstance(node.ops[0], ast.IsNot)
        return self.computed(node, OPERATORS.get(type(node.ops[0])), values)

    def _boolop(self, node: ast.BoolOp) -> Value:
        for each in node.values[:-1]:
            value = self.value(each)
            if not is_plain(value):
                return self.unknown(node, value.why if isinstance(value, UnknownValue) else "what only a run knows")
            if bool(value) is isinstance(node.op, ast.Or):
                return value
        return self.value(node.values[-1])

    def _ifexp(self, node: ast.IfExp) -> Value:
        test = self.value(node.test)
        if not is_plain(test):
            return self.unknown(node, test.why if isinstance(test, UnknownValue) else "what only a run knows")
        return self.value(node.body if test else node.orelse)

    def _listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        before, found = dict(self.names), list[Value]()
        problem = self._turns(node, node.generators, lambda: found.append(self.value(node.elt)))
        self.names.clear()
        self.names.update(before)
        return problem or found

    _generatorexp = _listcomp
    _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> Value:
        before, found = dict(self.names), dict[Value, Value]()

        def turn() -> None:
            key = self.value(node.key)
            found[key if is_plain(key) else ast.unparse(node.key)] = self.value(node.value)

        problem = self._turns(node, node.generators, turn)
        self.names.clear()
        self.names.update(before)
        return problem or found

    def _turns(
        self, node: ast.expr, generators: list[ast.comprehension], turn: Callable[[], None]
    ) -> UnknownValue | None:
        """Does what a comprehension does for each of its items; why it can't be known, else."""
        if not generators:
            turn()
            return None
        first, *others = generators
        items = self.value(first.iter)
        if not isinstance(items, list | tuple | dict):
            return self.unknown(node, items.why if isinstance(items, UnknownValue) else "what only a run knows")
        for item in list(items):
            self.assign(first.target, item)
            conditions = [self.value(each) for each in first.ifs]
            if unknown := next((each for each in conditions if not is_plain(each)), None):
                return self.unknown(node, unknown.why if isinstance(unknown, UnknownValue) else "what only a run knows")
            if all(conditions) and (problem := self._turns(node, others, turn)):
                return problem
        return None

    def _namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.assign(node.target, value)
        return value

    def _lambda(self, node: ast.Lambda) -> Value:
        """A lambda that makes one call is that call with its arguments, as they are where the lambda is written."""
        positional = [*node.args.posonlyargs, *node.args.args]
        own = {each.arg for each in (*positional, *node.args.kwonlyargs)}
        used = {each.id for each in ast.walk(node.body) if isinstance(each, ast.Name)} - own
        if late := sorted(used & set[str]().union(*self.looping)):
            return self.unknown(node, f"the last {', '.join(late)} of the loop, which every such lambda sees")
        if not isinstance(node.body, ast.Call) or len(node.args.defaults) < len(positional):
            return self.unknown(node, "a lambda that does more than call a function with what is known here")
        before = dict(self.names)
        for each, default in zip(positional, node.args.defaults, strict=True):
            self.names[each.arg] = self.value(default)
        function = self.value(node.body.func)
        args, kwargs = self._arguments(node.body)
        self.names.clear()
        self.names.update(before)
        if isinstance(function, UnknownValue):
            return self.unknown(node, function.why)
        return Partial(function, tuple(args), tuple(kwargs.items()))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Binds names as an assignment does; what can't be told apart becomes unknown."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if isinstance(owner, Instance):
                owner.attributes[target.attr] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts: Iterable[Value]
            if isinstance(value, Instance) and value.kind.fields:
                value = [(value.kind.known() | value.attributes).get(name) for name in value.kind.fields]
            if isinstance(value, list | tuple) and len(value) == len(target.elts):
                parts = value
            else:
                parts = [UnknownValue(ast.unparse(each), "what only a run knows") for each in target.elts]
            for each, part in zip(target.elts, parts, strict=True):
                self.assign(each, part)

    def _call(self, node: ast.Call) -> Value:
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if owner is not None:
            self.evaluated[id(owner)] = self.value(owner)
        try:
            function = self.value(node.func)
            args, kwargs = self._arguments(node)
            known = self.call(node, function, args, kwargs)
            return known if known is not None else self.known_call(node, function, args, kwargs)
        finally:
            self.evaluated.pop(id(owner), None)

    def _arguments(self, node: ast.Call) -> tuple[list[Value], dict[str, Value]]:
        args: list[Value] = []
        for each in node.args:
            value = self.value(each.value if isinstance(each, ast.Starred) else each)
            if isinstance(each, ast.Starred):
                args += value if isinstance(value, list | tuple) else [self.unknown(each, "what only a run knows")]
            else:
                args.append(value)
        kwargs: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                kwargs |= (
                    value if isinstance(value, dict) else {"**": self.unknown(keyword.value, "what only a run knows")}
                )
            else:
                kwargs[keyword.arg] = value
        return args, kwargs


def _is_object(value: Value) -> bool:
    return isinstance(value, Scheduler | Instance | Application | LocalFunction | LocalClass | JobHandle)
