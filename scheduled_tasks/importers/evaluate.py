"""Expressions of a clock file, evaluated as far as reading can: what is written out is known, the rest has a reason.

In come nodes of `ast` and the names known so far; out come values (see `values`). Nothing of the file is run: only
arithmetic, text formatting, and a few harmless functions of Python's own on values that are plain.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from scheduled_tasks.importers.values import (
    Application,
    CallResult,
    Instance,
    LocalFunction,
    Method,
    Partial,
    Reference,
    TriggerObject,
    UnknownValue,
    Value,
    is_plain,
)
from scheduled_tasks.importers.vocabulary import (
    ALSO_OF_VALUES,
    COMBINED,
    ENVIRONMENT,
    FACTORIES,
    HARMLESS,
    METHODS,
    OPERATORS,
    POSITIONAL,
    TRIGGERS,
    ZONE_MAKERS,
    ZONES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FUNCTIONS = (Reference, LocalFunction)


class Evaluator:
    """Evaluates expressions over the names in `names`; a subclass may know how to make a call."""

    def __init__(self, names: dict[str, Value]) -> None:
        self.names = names

    def call(self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]) -> Value | None:
        """What a call gives, where a subclass knows; None else."""

    def value(self, node: ast.expr | None) -> Value:
        """The value of an expression."""
        if node is None:
            return None
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        return method(node) if method else self.unknown(node, "an expression that only a run decides")

    def unknown(self, node: ast.AST, why: str) -> UnknownValue:
        """A value that isn't known."""
        return UnknownValue(ast.unparse(node), why)

    def _constant(self, node: ast.Constant) -> Value:
        return node.value

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.names:
            return self.names[node.id]
        if node.id in HARMLESS:
            return Reference(node.id)
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

    def _attribute(self, node: ast.Attribute) -> Value:  # noqa: PLR0911 - a table of cases
        owner = self.value(node.value)
        if isinstance(owner, Reference):
            dotted = f"{owner.dotted}.{node.attr}"
            if dotted in ZONES:
                return ZONES[dotted]
            if node.attr == "__name__":
                return owner.dotted.rpartition(".")[2]
            return Reference(dotted)
        if isinstance(owner, LocalFunction) and node.attr == "__name__":
            return owner.name
        if isinstance(owner, Instance):
            if node.attr in owner.attributes:
                return owner.attributes[node.attr]
            method = owner.kind.method(node.attr)
            return Method(owner, method) if method else self.unknown(node, f"the attribute {node.attr}")
        if isinstance(owner, UnknownValue):
            return self.unknown(node, owner.why)
        return self.unknown(node, f"the attribute {node.attr}")

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

    def _computed(self, node: ast.expr, function: Callable[..., Any] | None, values: list[Value]) -> Value:
        for value in values:
            if isinstance(value, UnknownValue):
                return self.unknown(node, value.why)
        if function is None or not all(map(is_plain, values)):
            return self.unknown(node, "what only a run knows")
        try:
            return function(*values)
        except Exception as error:  # noqa: BLE001 - what the file's own arithmetic raises
            return self.unknown(node, f"an operation that raises {type(error).__name__}: {error}")

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return left + right
        return self._computed(node, OPERATORS.get(type(node.op)), [left, right])

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        return self._computed(node, OPERATORS.get(type(node.op)), [self.value(node.operand)])

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            return self.unknown(node, "a chained comparison")
        values = [self.value(node.left), self.value(node.comparators[0])]
        if isinstance(node.ops[0], ast.Is | ast.Eq) and all(isinstance(each, _FUNCTIONS) for each in values):
            return values[0] == values[1]
        return self._computed(node, OPERATORS.get(type(node.ops[0])), values)

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

    def _listcomp(self, node: ast.ListComp) -> Value:
        if len(node.generators) != 1 or node.generators[0].ifs:
            return self.unknown(node, "a comprehension with conditions")
        items = self.value(node.generators[0].iter)
        if not isinstance(items, list | tuple | dict):
            return self.unknown(node, "what only a run knows")
        before, found = dict(self.names), []
        for item in items:
            self.assign(node.generators[0].target, item)
            found.append(self.value(node.elt))
        self.names.clear()
        self.names.update(before)
        return found

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
            if isinstance(value, list | tuple) and len(value) == len(target.elts):
                parts = value
            else:
                parts = [UnknownValue(ast.unparse(each), "what only a run knows") for each in target.elts]
            for each, part in zip(target.elts, parts, strict=True):
                self.assign(each, part)

    def _call(self, node: ast.Call) -> Value:
        function = self.value(node.func)
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
        known = self.call(node, function, args, kwargs)
        return known if known is not None else self._known_call(node, function, args, kwargs)

    def _known_call(self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and not kwargs:
            owner = self.value(node.func.value)
            if isinstance(owner, dict | list | tuple | str) and all(map(is_plain, args)):
                return self._method(node, owner, node.func.attr, args)
        if isinstance(function, LocalFunction):
            return CallResult(function, tuple(args), ast.unparse(node))
        if isinstance(function, Reference):
            return self._imported(node, function.dotted, args, kwargs)
        inner = next((each for each in [*args, *kwargs.values()] if isinstance(each, UnknownValue)), function)
        return self.unknown(node, inner.why if isinstance(inner, UnknownValue) else "what a call gives")

    def _method(self, node: ast.Call, owner: Value, name: str, args: list[Value]) -> Value:
        try:
            got = getattr(owner, name)(*args)
        except Exception as error:  # noqa: BLE001 - what the file's own call raises
            return self.unknown(node, f"a call that raises {type(error).__name__}: {error}")
        if name == "items":
            return [list(each) for each in got]
        return list(got) if name in {"keys", "values"} else got

    def _imported(  # noqa: PLR0911 - a table of cases, in their order
        self, node: ast.Call, dotted: str, args: list[Value], kwargs: dict[str, Value]
    ) -> Value:
        last = dotted.rpartition(".")[2]
        if dotted in ENVIRONMENT or dotted.startswith(("os.environ.", "environ.")):
            return self.unknown(node, f"the environment variable {args[0] if args else '?'}")
        if dotted in ZONE_MAKERS and args and isinstance(args[0], str):
            return args[0]
        if dotted == "functools.partial" and args:
            return Partial(args[0], tuple(args[1:]), tuple(kwargs.items()))
        if (trigger := self._trigger(dotted, args, kwargs)) is not None:
            return trigger
        if last in FACTORIES:
            imported = dotted.rpartition(".")[0] if last != "Flask" else ""
            return Application(f"{imported}:{last}" if imported else ast.unparse(node))
        if dotted in HARMLESS:
            return self._harmless(node, dotted, args, kwargs)
        if last in {"now", "today", "utcnow"}:
            return self.unknown(node, "the moment at which the clock starts")
        return CallResult(Reference(dotted), tuple(args), ast.unparse(node))

    def _harmless(self, node: ast.Call, dotted: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        harmless, values = HARMLESS[dotted], [*args, *kwargs.values()]
        if dotted in ALSO_OF_VALUES and all(isinstance(each, list | tuple | dict | str | int) for each in values):
            try:
                return harmless(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - what the file's own call raises
                return self.unknown(node, f"a call that raises {type(error).__name__}: {error}")

        def called(*given: Value) -> Value:
            return harmless(*given[: len(args)], **dict(zip(kwargs, given[len(args) :], strict=True)))

        return self._computed(node, called, values)

    def _trigger(self, dotted: str, args: list[Value], kwargs: dict[str, Value]) -> TriggerObject | None:
        if not dotted.startswith("apscheduler.triggers."):
            return None
        last = dotted.rpartition(".")[2]
        if last == "from_crontab" and args:
            zone = kwargs.get("timezone", args[1] if len(args) > 1 else None)
            return TriggerObject("cron", {"timezone": zone} if zone else {}, crontab=str(args[0]))
        if last in COMBINED and (args or "triggers" in kwargs):
            parts = args[0] if args else kwargs["triggers"]
            return TriggerObject(COMBINED[last], parts=tuple(parts) if isinstance(parts, list | tuple) else (parts,))
        if last not in TRIGGERS:
            return None
        kind = TRIGGERS[last]
        return TriggerObject(kind, dict(zip(POSITIONAL[kind], args, strict=False)) | kwargs)
