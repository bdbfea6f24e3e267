"""Evaluate the expressions of a clock file without running it; an unknown value carries the reason.

Nothing of the file is run: only arithmetic, text formatting, and a few harmless functions of Python on plain values.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch

from scheduled_tasks.importers.apscheduler import model, operations
from scheduled_tasks.importers.apscheduler.evidence import stand_in
from scheduled_tasks.importers.apscheduler.model import ONLY_A_RUN, UNKNOWN, Value, is_plain, reason, unknown
from scheduled_tasks.importers.apscheduler.scope import Call, Scope
from scheduled_tasks.importers.apscheduler.vocabulary import ADDS, ENDS, OPERATORS, PYTHON_FUNCTIONS, ZONES


@singledispatch
def evaluate(node: ast.expr | None, _scope: Scope) -> Value:
    """The value of an expression."""
    return None if node is None else unknown(node, "an expression that only a run can evaluate")


@evaluate.register(ast.Constant)
def _constant(node: ast.Constant, _scope: Scope) -> Value:
    return node.value


@evaluate.register(ast.Name)
def _name(node: ast.Name, scope: Scope) -> Value:
    if node.id in scope.names:
        return scope.names[node.id]
    if node.id in PYTHON_FUNCTIONS or node.id in ENDS or node.id in {"getattr", "globals"}:
        return model.Reference(node.id)
    stars = scope.reading.star_imports
    of_apscheduler = [module for module in stars if module.startswith("apscheduler.")]
    if of_apscheduler and node.id.endswith(("Scheduler", "Trigger")):
        return model.Reference(f"{of_apscheduler[-1]}.{node.id}")
    others = [module for module in stars if module not in of_apscheduler]
    if len(others) == 1 and not hasattr(builtins, node.id):
        return model.Reference(f"{others[0]}.{node.id}", star=others[0])
    return unknown(node, f"{node.id}, which is not set in this file")


@evaluate.register(ast.List)
@evaluate.register(ast.Tuple)
@evaluate.register(ast.Set)
def _sequence(node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    items: list[Value] = []
    for item in node.elts:
        if isinstance(item, ast.Starred):
            inner = evaluate(item.value, scope)
            if not isinstance(inner, list | tuple):
                return unknown(node, ast.unparse(item))
            items += inner
        else:
            items.append(evaluate(item, scope))
    return tuple(items) if isinstance(node, ast.Tuple) else items


@evaluate.register(ast.Dict)
def _dict(node: ast.Dict, scope: Scope) -> Value:
    items: dict[Value, Value] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluate(value_node, scope)
        if key_node is None:  # **value
            if not isinstance(value, dict):
                return unknown(node, ast.unparse(value_node))
            items |= value
            continue
        key = evaluate(key_node, scope)
        if not is_plain(key):
            return unknown(node, ast.unparse(key_node))
        items[key] = value
    return items


@evaluate.register(ast.JoinedStr)
def _f_string(node: ast.JoinedStr, scope: Scope) -> Value:
    parts = []
    for part in node.values:
        inner, spec = (part.value, part.format_spec) if isinstance(part, ast.FormattedValue) else (part, None)
        parts.append((evaluate(inner, scope), str(evaluate(spec, scope) or "")))
    return operations.formatted(node, parts)


@evaluate.register(ast.Attribute)
def _attribute(node: ast.Attribute, scope: Scope) -> Value:
    return attribute(evaluate(node.value, scope), node, scope)


def attribute(owner: Value, node: ast.Attribute, scope: Scope) -> Value:  # noqa: C901, PLR0911 - a table of cases
    """The value of an attribute of an object."""
    name = node.attr
    match owner:
        case model.Reference(dotted) if name == "__name__":
            return dotted.rpartition(".")[2]
        case model.Reference(dotted):
            return imported(f"{dotted}.{name}", scope)
        case model.WebApplication(config=model.AppConfig() as config) if name == "config":
            return config
        case model.LocalFunction() if name == "__name__":
            return owner.name
        case model.Scheduler() if name in ADDS:
            return model.Adder(owner, name)
        case model.JobHandle() if name == "id":
            return owner.call.arguments.get("id", owner)
        case model.Instance(kind) | (model.LocalClass() as kind):
            if name in (known := owner.known()):
                return known[name]
            if isinstance(owner, model.Instance) and (method := kind.method(name)):
                return model.Method(owner, method)
            return unknown(node, f"the attribute {name}")
    if name in {"value", "name"} and isinstance(node.value, ast.Attribute):  # an enum's member is its value here
        enum = evaluate(node.value.value, scope)
        if isinstance(enum, model.LocalClass) and any("Enum" in str(base) for base in enum.bases):
            return owner if name == "value" else node.value.attr
    return unknown(node, reason(owner, f"the attribute {name}"))


def imported(dotted: str, scope: Scope) -> Value:
    """What the file imports by a dotted name: the value, if one of the user's own modules tells it, or a reference."""
    if dotted in scope.reading.overridden:
        return scope.reading.overridden[dotted]
    if dotted in ZONES:
        return ZONES[dotted]
    value = scope.reading.own.find(dotted)
    return model.Reference(dotted) if value is UNKNOWN else value


@evaluate.register(ast.Subscript)
def _subscript(node: ast.Subscript, scope: Scope) -> Value:
    return operations.item(node, evaluate(node.value, scope), evaluate(node.slice, scope))


@evaluate.register(ast.BinOp)
def _binary(node: ast.BinOp, scope: Scope) -> Value:
    return operations.binary(node, evaluate(node.left, scope), evaluate(node.right, scope))


@evaluate.register(ast.UnaryOp)
def _unary(node: ast.UnaryOp, scope: Scope) -> Value:
    return operations.computed(node, OPERATORS.get(type(node.op)), [evaluate(node.operand, scope)])


@evaluate.register(ast.Compare)
def _comparison(node: ast.Compare, scope: Scope) -> Value:
    if len(node.ops) != 1:
        return unknown(node, "a chained comparison")
    return operations.comparison(node, evaluate(node.left, scope), evaluate(node.comparators[0], scope))


@evaluate.register(ast.BoolOp)
def _and_or(node: ast.BoolOp, scope: Scope) -> Value:
    first: model.UnknownValue | None = None
    value: Value = None
    for operand in node.values:
        value = evaluate(operand, scope)
        if isinstance(value, model.UnknownValue) and operand is not node.values[-1]:
            first = first or value
        known = stand_in(value)
        if known is UNKNOWN and operand is not node.values[-1]:
            return unknown(node, (first or value).why if isinstance(first or value, model.UnknownValue) else ONLY_A_RUN)
        if known is not UNKNOWN and bool(known) is isinstance(node.op, ast.Or):
            break
    return value if first is None else unknown(node, first.why, stand_in(value))


@evaluate.register(ast.IfExp)
def _conditional(node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(node.test, scope)
    if is_plain(test):
        return evaluate(node.body if test else node.orelse, scope)
    known = stand_in(test)
    likely = UNKNOWN if known is UNKNOWN else stand_in(evaluate(node.body if known else node.orelse, scope))
    return unknown(node, reason(test), likely)


@evaluate.register(ast.ListComp)
@evaluate.register(ast.SetComp)
@evaluate.register(ast.GeneratorExp)
def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
    inner, items = scope.inner(), list[Value]()
    problem = _iterate(node, node.generators, inner, lambda: items.append(evaluate(node.elt, inner)))
    return problem or items


@evaluate.register(ast.DictComp)
def _dict_comprehension(node: ast.DictComp, scope: Scope) -> Value:
    inner, items = scope.inner(), dict[Value, Value]()

    def add() -> None:
        key = evaluate(node.key, inner)
        items[key if is_plain(key) else ast.unparse(node.key)] = evaluate(node.value, inner)

    return _iterate(node, node.generators, inner, add) or items


def _iterate(
    node: ast.expr, generators: list[ast.comprehension], scope: Scope, add: Callable[[], None]
) -> model.UnknownValue | None:
    """Call `add` for each item of a comprehension; return an unknown value if its items can't be known."""
    if not generators:
        add()
        return None
    first, *others = generators
    items = evaluate(first.iter, scope)
    if not isinstance(items, list | tuple | dict):
        return unknown(node, reason(items))
    for item in list(items):
        bind(first.target, item, scope)
        conditions = [evaluate(condition, scope) for condition in first.ifs]
        for condition in conditions:
            if not is_plain(condition):
                return unknown(node, reason(condition))
        if all(conditions) and (problem := _iterate(node, others, scope, add)):
            return problem
    return None


@evaluate.register(ast.NamedExpr)
def _walrus(node: ast.NamedExpr, scope: Scope) -> Value:
    value = evaluate(node.value, scope)
    bind(node.target, value, scope)
    return value


@evaluate.register(ast.Lambda)
def _lambda(node: ast.Lambda, scope: Scope) -> Value:
    """A lambda that makes one call: that call with the arguments that are known at the lambda's place."""
    positional = [*node.args.posonlyargs, *node.args.args]
    own = {parameter.arg for parameter in (*positional, *node.args.kwonlyargs)}
    used = {name.id for name in ast.walk(node.body) if isinstance(name, ast.Name)} - own
    if late := sorted(used & scope.loop_names):
        return unknown(node, f"the loop's last value of {', '.join(late)}, which every such lambda sees")
    if not isinstance(node.body, ast.Call) or len(node.args.defaults) < len(positional):
        return unknown(node, "a lambda that does more than call a function with known arguments")
    inner = scope.inner()
    for parameter, default in zip(positional, node.args.defaults, strict=True):
        inner.names[parameter.arg] = evaluate(default, inner)
    function = evaluate(node.body.func, inner)
    args, kwargs = arguments_of(node.body, inner)
    if isinstance(function, model.UnknownValue):
        return unknown(node, function.why)
    return model.Partial(function, tuple(args), tuple(kwargs.items()))


@evaluate.register(ast.Call)
def _call(node: ast.Call, scope: Scope) -> Value:
    return scope.reading.make_call(evaluated_call(node, scope), scope)


def evaluated_call(node: ast.Call, scope: Scope) -> Call:
    """A call with its parts evaluated once each, because evaluating a part may itself add jobs."""
    owner: Value = None
    if isinstance(node.func, ast.Attribute):
        owner = evaluate(node.func.value, scope)
        function = attribute(owner, node.func, scope)
    else:
        function = evaluate(node.func, scope)
    call = Call(node, owner, function, *arguments_of(node, scope))
    if isinstance(function, model.Partial) and isinstance(function.function, model.Adder):
        args, kwargs = [*function.args, *call.args], dict(function.kwargs) | call.kwargs
        return replace(call, function=function.function, args=args, kwargs=kwargs)
    return call


def arguments_of(node: ast.Call, scope: Scope) -> tuple[list[Value], dict[str, Value]]:
    """The evaluated arguments of a call; `**` of an unknown value is kept as the keyword "**"."""
    args: list[Value] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            values = evaluate(argument.value, scope)
            args += values if isinstance(values, list | tuple) else [unknown(argument, ONLY_A_RUN)]
        else:
            args.append(evaluate(argument, scope))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        else:
            kwargs |= value if isinstance(value, dict) else {"**": unknown(keyword.value, reason(value))}
    return args, kwargs


def bind(target: ast.expr, value: Value, scope: Scope) -> None:
    """Bind names as an assignment does; if a value can't be unpacked, its names become unknown."""
    match target:
        case ast.Name():
            scope.names[target.id] = value
        case ast.Attribute():
            owner = evaluate(target.value, scope)
            text = ast.unparse(target)
            if isinstance(owner, model.Instance | model.LocalClass):
                before = owner.known().get(target.attr)
                owner.attributes[target.attr] = operations.if_it_runs(text, before, value, scope)
            elif isinstance(owner, model.Reference):
                dotted = f"{owner.dotted}.{target.attr}"
                scope.reading.overridden[dotted] = operations.if_it_runs(text, imported(dotted, scope), value, scope)
            elif isinstance(owner, model.Scheduler):
                before = owner.settings.get(target.attr)
                owner.settings[target.attr] = operations.if_it_runs(text, before, value, scope)
        case ast.Tuple() | ast.List():
            if isinstance(value, model.Instance) and value.kind.fields:
                value = [(value.kind.all_attributes() | value.attributes).get(name) for name in value.kind.fields]
            if not isinstance(value, list | tuple) or len(value) != len(target.elts):
                value = [unknown(part, ONLY_A_RUN) for part in target.elts]
            for part, item in zip(target.elts, value, strict=True):
                bind(part, item, scope)
