"""Follow the statements of a clock file without running it: bind names, unroll loops, choose branches.

A branch that depends on the process is followed too, and its effects are marked: the scope's `undecided` says why it
is uncertain that a statement runs, its `doubt` gives the condition for statements after a possible early end.
"""

from __future__ import annotations

import ast
from functools import singledispatch

from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.expressions import bind, evaluate, imported
from scheduled_tasks.importers.apscheduler.functions import absolute
from scheduled_tasks.importers.apscheduler.model import ONLY_A_RUN, Value, is_plain, reason, written
from scheduled_tasks.importers.apscheduler.operations import if_it_runs, one_of
from scheduled_tasks.importers.apscheduler.schedulers import add_decorated
from scheduled_tasks.importers.apscheduler.scope import Call, Condition, Ended, Ending, Scope
from scheduled_tasks.importers.apscheduler.vocabulary import APPLICATION_NAMES, ENDS

MAX_TURNS = 5000  # of a loop that is unrolled
CALLED_BY_DJANGO = {"BaseCommand": "handle", "AppConfig": "ready"}


@singledispatch
def follow(_statement: ast.stmt, _scope: Scope) -> None:
    """Follow one statement: bind its names, add its jobs. Kinds without a function of their own have no effect.

    Raises:
        Ended: it ends its block.
    """


def follow_all(statements: list[ast.stmt], scope: Scope) -> None:
    """Follow statements in order.

    Raises:
        Ended: one of them ends the block.
    """
    for statement in statements:
        follow(statement, scope)


def ending_of(statements: list[ast.stmt], scope: Scope) -> Ending | None:
    """Follow statements, and return how they ended early; None if they didn't."""
    try:
        follow_all(statements, scope)
    except Ended as end:
        return end.how
    return None


@follow.register(ast.Import)
def _import(node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        scope.names[name] = model.Reference(alias.name if alias.asname else name)


@follow.register(ast.ImportFrom)
def _import_from(node: ast.ImportFrom, scope: Scope) -> None:
    module = absolute("." * node.level + (node.module or ""), scope.reading.path).rstrip(".")
    for alias in node.names:
        name, dotted = alias.asname or alias.name, f"{module}.{alias.name}" if module else alias.name
        if name == "*":
            _import_all(module, scope)
        elif alias.name in APPLICATION_NAMES and not dotted.startswith("apscheduler"):
            scope.names[name] = model.WebApplication(f"{module}:{alias.name}")
        else:
            scope.names[name] = imported(dotted, scope)


def _import_all(module: str, scope: Scope) -> None:
    names = scope.reading.own.module_names(module)
    if names is None:
        scope.reading.star_imports.append(module)
        if not module.startswith("apscheduler"):
            scope.reading.source.unread_stars.append(module)
        for name, value in scope.names.items():  # it may replace any name that is set before it
            if is_plain(value) and not name.startswith("_"):
                scope.names[name] = model.UnknownValue(name, f"{module}, of which everything is imported")
        return
    for name in names:
        scope.names[name] = imported(f"{module}.{name}", scope)
        scope.reading.source.stars[name] = module


@follow.register(ast.Assign)
def _assign(node: ast.Assign, scope: Scope) -> None:
    value = evaluate(node.value, scope)
    for target in node.targets:
        _assign_to(target, value, scope)


@follow.register(ast.AnnAssign)
def _annotated_assign(node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        _assign_to(node.target, evaluate(node.value, scope), scope)


@follow.register(ast.AugAssign)
def _augmented_assign(node: ast.AugAssign, scope: Scope) -> None:
    operation = ast.BinOp(left=ast.Name(ast.unparse(node.target), ast.Load()), op=node.op, right=node.value)
    _assign_to(node.target, evaluate(ast.copy_location(operation, node), scope), scope)


def _assign_to(target: ast.expr, value: Value, scope: Scope) -> None:
    bind(target, value, scope)
    if isinstance(target, ast.Name) and isinstance(value, model.Scheduler) and not value.name:
        value.name = target.id
    if isinstance(target, ast.Subscript):
        owner, key = evaluate(target.value, scope), evaluate(target.slice, scope)
        if owner == model.Reference("os.environ") and key == "TZ":
            scope.reading.source.host_zone = value
        if isinstance(owner, model.AppConfig) and is_plain(key):
            owner = owner.values
        if isinstance(owner, dict) and is_plain(key):
            owner[key] = if_it_runs(ast.unparse(target), owner.get(key), value, scope)


@follow.register(ast.FunctionDef)
@follow.register(ast.AsyncFunctionDef)
def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    around = scope.names if scope.depth else {}
    function = model.LocalFunction(node.name, node, nested=scope.depth > 0, around=around)
    if not scope.depth:
        scope.reading.source.functions[node.name] = function
    add_decorated(function, scope)
    _decorate(function, node, scope)
    scope.names[node.name] = function


def _decorate(function: model.LocalFunction, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    """Call the file's own decorators that add the function as a job."""
    for decorator in reversed(node.decorator_list):
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        maker = scope.names.get(name.id) if isinstance(name, ast.Name) else None
        if not isinstance(maker, model.LocalFunction) or maker.node is None or "add_job" not in ast.unparse(maker.node):
            continue
        value = evaluate(decorator, scope)
        call = ast.copy_location(ast.Call(decorator, [ast.Name(node.name, ast.Load())], []), decorator)
        doubt, left_out = scope.doubt, f"@{ast.unparse(name)} adds the job and is left out, with whatever else it does"
        scope.doubt = doubt or left_out
        scope.reading.make_call(Call(call, None, value, [function], {}), scope)
        scope.doubt = doubt


@follow.register(ast.ClassDef)
def _class(node: ast.ClassDef, scope: Scope) -> None:
    kind = model.LocalClass(node, bases=[evaluate(base, scope) for base in node.bases])
    scope.names[node.name] = kind
    inner = scope.inner()
    for statement in node.body:  # its attributes; its methods are read when they are called
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.ClassDef):
            follow(statement, inner)
    kind.attributes |= {name: value for name, value in inner.names.items() if scope.names.get(name) is not value}
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    decorators = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
    if "dataclass" in decorators or "NamedTuple" in bases:
        targets = [statement.target for statement in node.body if isinstance(statement, ast.AnnAssign)]
        kind.fields = tuple(target.id for target in targets if isinstance(target, ast.Name))
    methods = (kind.method(CALLED_BY_DJANGO.get(base, "")) for base in bases)
    scope.reading.django += [(method, model.Instance(kind)) for method in methods if method]


@follow.register(ast.If)
def _if(node: ast.If, scope: Scope) -> None:
    test = evaluate(node.test, scope)
    if is_plain(test):
        follow_all(node.body if test else node.orelse, scope)
        return
    written, on = ast.unparse(node.test), _dependency(test)
    endings = _branches([node.body, node.orelse], Condition(f"if {written}, which depends on {on}", on), scope)
    if any(endings) and not scope.doubt:
        written = f"not ({written})" if endings[0] else written
        scope.doubt = f"it is added only if {written}, which depends on {on}"


def _branches(blocks: list[list[ast.stmt]], condition: Condition, scope: Scope) -> list[Ending | None]:
    """Follow blocks that may or may not run; return how each ended.

    Raises:
        Ended: each of several blocks ends early.
    """
    outer, before = scope.undecided, scope.names
    scope.undecided = outer or condition
    endings, after = [], []
    for block in blocks:
        scope.names = dict(before)
        endings.append(ending_of(block, scope))
        after.append(scope.names)
    scope.undecided = outer
    scope.names = _joined(before, after, condition)
    if len(blocks) > 1 and all(endings) and endings[0]:
        raise Ended(endings[0])
    return endings


def _joined(before: dict[str, Value], after: list[dict[str, Value]], condition: Condition) -> dict[str, Value]:
    """Bind names after branches of which one runs: what differs becomes unknown.

    An object stays if the other branches bind nothing to its name, or None: only with the object can the file go on.
    """
    joined = dict(before)
    for name in dict.fromkeys(name for names in after for name in names):
        values = [names[name] for names in after if name in names]
        if len(after) == 1:
            values.insert(0, before.get(name))
        joined[name] = one_of(name, values, condition.on)
    return joined


@follow.register(ast.Match)
def _match(node: ast.Match, scope: Scope) -> None:
    condition = Condition(f"in a match of {ast.unparse(node.subject)}", ONLY_A_RUN)
    is_certain = any(isinstance(case.pattern, ast.MatchAs) and case.pattern.name is None for case in node.cases)
    _branches([*(case.body for case in node.cases), *([] if is_certain else [[]])], condition, scope)


@follow.register(ast.For)
@follow.register(ast.AsyncFor)
def _for(node: ast.For | ast.AsyncFor, scope: Scope) -> None:
    items = evaluate(node.iter, scope)
    loop_names, doubt = scope.loop_names, scope.doubt
    scope.loop_names |= {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
    try:
        if isinstance(items, list | tuple | dict | str) and len(items) <= MAX_TURNS:
            if not _unroll(node, list(items), scope):
                follow_all(node.orelse, scope)
        else:
            loop = f"loop over {ast.unparse(node.iter)}"
            bind(node.target, model.UnknownValue(ast.unparse(node.target), f"the {loop}"), scope)
            _branches([node.body], Condition(f"in a {loop}, which depends on {_dependency(items)}", ONLY_A_RUN), scope)
    finally:
        scope.loop_names, scope.doubt = loop_names, doubt


def _unroll(node: ast.For | ast.AsyncFor, items: list[Value], scope: Scope) -> bool:
    """Follow the turns of a loop; return whether it was left by `break`."""
    for item in items:
        bind(node.target, item, scope)
        ending = ending_of(node.body, scope)
        if ending is Ending.BREAK:
            return True
        if ending not in {None, Ending.CONTINUE}:
            raise Ended(ending)
    return False


@follow.register(ast.While)
def _while(node: ast.While, scope: Scope) -> None:
    _branches([node.body], Condition(f"in a loop that runs while {ast.unparse(node.test)}", ONLY_A_RUN), scope)


@follow.register(ast.Try)
def _try(node: ast.Try, scope: Scope) -> None:
    before = dict(scope.names)
    try:
        follow_all([*node.body, *node.orelse], scope)
        for handler in node.handlers:
            _handle(handler, before, scope)
    finally:
        follow_all(node.finalbody, scope)


def _handle(handler: ast.ExceptHandler, before: dict[str, Value], scope: Scope) -> None:
    """A constant that a handler binds may be the value after the `try`; other values are a way out of its failing."""
    for node in (statement for statement in handler.body if isinstance(statement, ast.Assign)):
        value = evaluate(node.value, scope)
        for target in node.targets:
            if isinstance(target, ast.Name) and is_plain(value) and value is not None:
                now = scope.names.get(target.id, before.get(target.id))
                on = f"whether {ast.unparse(handler.type) if handler.type else 'an exception'} is raised"
                scope.names[target.id] = one_of(target.id, [now, value], on)


@follow.register(ast.With)
@follow.register(ast.AsyncWith)
def _with(node: ast.With | ast.AsyncWith, scope: Scope) -> None:
    for item in node.items:
        value = evaluate(item.context_expr, scope)
        if item.optional_vars is not None:
            bind(item.optional_vars, value, scope)
    follow_all(node.body, scope)


@follow.register(ast.Expr)
def _expression(node: ast.Expr, scope: Scope) -> None:
    value = evaluate(node.value, scope)
    function = value.function if isinstance(value, model.CallResult) else None
    if isinstance(function, model.Reference) and function.dotted in ENDS:
        raise Ended(Ending.EXIT)


@follow.register(ast.Return)
def _return(node: ast.Return, scope: Scope) -> None:
    scope.returned.append((evaluate(node.value, scope), scope.undecided.on if scope.undecided else ""))
    raise Ended(Ending.RETURN)


@follow.register(ast.Raise)
def _raise(node: ast.Raise, scope: Scope) -> None:
    evaluate(node.exc, scope)
    raise Ended(Ending.EXIT)


@follow.register(ast.Break)
def _break(_node: ast.Break, _scope: Scope) -> None:
    raise Ended(Ending.BREAK)


@follow.register(ast.Continue)
def _continue(_node: ast.Continue, _scope: Scope) -> None:
    raise Ended(Ending.CONTINUE)


def _dependency(value: Value) -> str:
    """What an unknown value depends on, to complete "which depends on …"."""
    is_container = is_plain(value) or isinstance(value, list | tuple | dict | set)
    return ONLY_A_RUN if is_container else reason(value, f"{written(value)}, which exists only in a running process")
