"""Reads a clock file statement by statement without running it: which schedulers it makes, which jobs it adds.

In comes a file's text; out comes a `ClockSource`: its schedulers with their `JobCall`s, and what else of the file
somebody has to know of. Loops over what is written out are unrolled, functions of the file that add jobs are entered.
What hangs on the process (its environment, its clock) is kept as unknown, with the reason; no job that is mentioned
gets lost.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from scheduled_tasks.importers.evaluate import Evaluator
from scheduled_tasks.importers.values import (
    Application,
    Aside,
    CallResult,
    Instance,
    JobCall,
    LocalClass,
    LocalFunction,
    Method,
    Reference,
    Scheduler,
    UnknownValue,
    Value,
    is_plain,
    why_unknown,
)
from scheduled_tasks.importers.vocabulary import (
    ADDS,
    APPLICATION_NAMES,
    FLASK,
    FLASK_ADDS,
    SCHEDULER_METHODS,
    adds,
    settings_of,
)

CALLED_BY_DJANGO = {"BaseCommand": "handle", "AppConfig": "ready"}
DEEPEST = 5
MOST_TURNS = 5000


@dataclass
class ClockSource:
    """What a file says."""

    tree: ast.Module
    text: str
    schedulers: list[Scheduler] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    functions: dict[str, LocalFunction] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)


def read_source(text: str, filename: str) -> ClockSource:
    """Reads a file. Raises SyntaxError where it isn't Python."""
    source = ClockSource(ast.parse(text, filename), text)
    reader = _Reader(source)
    reader.block(source.tree.body)
    reader.do_what_django_does()
    source.names = reader.names
    for name, value in reader.names.items():
        if isinstance(value, Scheduler) and not value.name:
            value.name = name
    reader.add_what_was_not_reached()
    return source


class _Reader(Evaluator):
    def __init__(self, source: ClockSource) -> None:
        super().__init__({"__name__": "__main__", "__file__": "clock.py"})
        self.source = source
        self.undecided = ""
        self.depth = 0
        self.seen: set[tuple[int, int]] = set()
        self.elsewhere: dict[str, Scheduler] = {}
        self.djangos: list[tuple[LocalFunction, Instance]] = []
        self.entered: set[LocalFunction] = set()
        self.returned: Value = None

    # Statements

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            method = getattr(self, f"_do_{type(statement).__name__.lower()}", None)
            if method:
                method(statement)

    def _do_import(self, node: ast.Import) -> None:
        for each in node.names:
            name = each.asname or each.name.partition(".")[0]
            self.names[name] = Reference(each.name if each.asname else name)

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for each in node.names:
            name, dotted = each.asname or each.name, f"{module}.{each.name}" if module else each.name
            if each.name in APPLICATION_NAMES and not dotted.startswith("apscheduler"):
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
            self.source.functions[node.name] = function
        for position, decorator in enumerate(node.decorator_list):
            if isinstance(decorator, ast.Call) and self._schedules(decorator.func):
                above = tuple(ast.unparse(each) for each in node.decorator_list[:position] if _is_plain_decorator(each))
                self._add(decorator, function, above)
        self.names[node.name] = function

    _do_asyncfunctiondef = _do_functiondef

    def _schedules(self, function: ast.expr) -> bool:
        """Whether a decorator adds what it decorates as a job."""
        if adds(function) == "scheduled_job":
            return True
        if not isinstance(function, ast.Attribute) or function.attr != "task":
            return False
        owner = self.value(function.value)
        return isinstance(owner, Scheduler) and owner.kind == FLASK

    def _do_classdef(self, node: ast.ClassDef) -> None:
        kind = self.names[node.name] = LocalClass(node)
        for base in node.bases:  # Django makes these, and calls them
            method = kind.method(CALLED_BY_DJANGO.get(ast.unparse(base).rpartition(".")[2], ""))
            if method is not None:
                self.djangos.append((method, Instance(kind)))

    def _do_if(self, node: ast.If) -> None:
        test = self.value(node.test)
        if is_plain(test):
            self.block(node.body if test else node.orelse)
            return
        why = f"it is added if {ast.unparse(node.test)}, which hangs on {_why(test)}"
        self._undecided([node.body, node.orelse], why)

    def _undecided(self, blocks: list[list[ast.stmt]], why: str) -> None:
        before, self.undecided = self.undecided, self.undecided or why
        for block in blocks:
            self.block(block)
        self.undecided = before

    def _do_for(self, node: ast.For) -> None:
        items = self.value(node.iter)
        if not isinstance(items, list | tuple | dict | str) or len(items) > MOST_TURNS:
            self.assign(node.target, UnknownValue(ast.unparse(node.target), f"the loop over {ast.unparse(node.iter)}"))
            self._undecided([node.body], f"it is added in a loop over {ast.unparse(node.iter)}, {_why(items)}")
            return
        for item in items:
            self.assign(node.target, item)
            self.block(node.body)
        self.block(node.orelse)

    def _do_while(self, node: ast.While) -> None:
        self._undecided([node.body], f"it is added in a loop, while {ast.unparse(node.test)}")

    def _do_try(self, node: ast.Try) -> None:
        self.block([*node.body, *node.orelse, *node.finalbody])

    def _do_with(self, node: ast.With) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.block(node.body)

    _do_asyncwith = _do_with

    def _do_expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _do_return(self, node: ast.Return) -> None:
        self.returned = self.value(node.value)

    # Calls

    def call(  # noqa: PLR0911 - a table of cases, in their order
        self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]
    ) -> Value | None:
        """What makes a scheduler, adds a job, or enters a function of the file that does."""
        method = adds(node.func)
        if method and isinstance(node.func, ast.Attribute):
            if method == "scheduled_job":
                return UnknownValue(ast.unparse(node), "what it decorates")
            return self._add(node, None, (), (args, kwargs))
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if isinstance(owner, Scheduler):
                self._on_scheduler(node, owner, node.func.attr, kwargs, args)
                return UnknownValue(ast.unparse(node), "the scheduler")
        if isinstance(function, Reference) and (
            function.dotted.startswith("apscheduler.schedulers.") or function.dotted == FLASK
        ):
            kind = FLASK if function.dotted == FLASK else function.dotted.rpartition(".")[2]
            made = Scheduler(kind, node.lineno, settings=settings_of(args, kwargs))
            self.source.schedulers.append(made)
            return made
        if isinstance(function, LocalFunction) and self._enters(function):
            return self._enter(function, args, kwargs)
        if isinstance(function, Method) and self.depth < DEEPEST:
            return self._enter(function.function, [function.instance, *args], kwargs)
        if isinstance(function, LocalClass):
            made_here = Instance(function)
            if (constructor := function.method("__init__")) is not None:
                self._enter(constructor, [made_here, *args], kwargs)
            return made_here
        return None

    def _on_scheduler(
        self, node: ast.Call, owner: Scheduler, name: str, kwargs: dict[str, Value], args: list[Value]
    ) -> None:
        if name == "configure":
            owner.settings |= settings_of(args, kwargs)
        text = SCHEDULER_METHODS.get(name, f"{name}() works on a running scheduler, and none runs here")
        if text:
            self.source.asides.append(Aside(node.lineno, ast.unparse(node), text))

    def _enters(self, function: LocalFunction) -> bool:
        if function.node is None or self.depth >= DEEPEST:
            return False
        return any(
            (isinstance(each, ast.Call) and (adds(each.func) or ast.unparse(each.func).endswith("Scheduler")))
            or (isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id != function.name
                and isinstance(inner := self.names.get(each.func.id), LocalFunction) and inner is not function
                and inner.node is not None and "add_job" in ast.unparse(inner.node))
            for each in ast.walk(function.node)
        )  # fmt: skip

    def _enter(self, function: LocalFunction, args: list[Value], kwargs: dict[str, Value]) -> Value:
        node = function.node
        assert node is not None  # noqa: S101 - _enters has looked
        self.entered.add(function)
        outside, self.names = self.names, dict(self.names)
        before, self.returned = self.returned, None
        parameters = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
        defaults = node.args.defaults
        for name, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
            self.names[name] = self.value(default)
        self.names |= dict(zip(parameters, args, strict=False)) | kwargs
        self.depth += 1
        self.block(node.body)
        self.depth -= 1
        result, self.returned, inside = self.returned, before, self.names
        self.names = outside
        for each in ast.walk(node):
            if isinstance(each, ast.Global):
                self.names |= {name: inside[name] for name in each.names if name in inside}
        return result if result is not None else UnknownValue(function.name, "what it gives")

    def _add(
        self,
        node: ast.Call,
        decorated: LocalFunction | None,
        above: tuple[str, ...],
        given: tuple[list[Value], dict[str, Value]] | None = None,
    ) -> Value:
        assert isinstance(node.func, ast.Attribute)  # noqa: S101 - _adds has looked
        self.seen.add((node.lineno, node.col_offset))
        if given is None:
            given = [self.value(each) for each in node.args], {}
            for keyword in node.keywords:
                value = self.value(keyword.value)
                given[1].update(
                    value if keyword.arg is None and isinstance(value, dict) else {keyword.arg or "**": value}
                )
        owner = self._owner(node.func.value)
        names = FLASK_ADDS[node.func.attr] if owner.kind == FLASK else ADDS[node.func.attr]
        arguments = dict(zip(names, given[0], strict=False)) | given[1]
        if decorated is not None:
            arguments["func"] = decorated
        problem = "" if len(given[0]) <= len(names) else "it has more positional arguments than APScheduler takes"
        if "**" in arguments:
            problem = why_unknown(arguments.pop("**")) or "its arguments are put together elsewhere"
        doubt = ""
        if isinstance(self._root(node.func.value), CallResult):
            doubt = f"whether {ast.unparse(node.func.value)} is a scheduler is not known here"
        call = JobCall(
            node.lineno, _first_line(self.source.text, node.lineno), arguments, above, self.undecided, problem, doubt
        )
        owner.calls.append(call)
        return UnknownValue(ast.unparse(node), "the scheduler")

    def _root(self, node: ast.expr) -> Value:
        """What the first name of `a.b.c` stands for."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return self.value(node) if isinstance(node, ast.Name) else None

    def _owner(self, node: ast.expr) -> Scheduler:
        owner = self.value(node)
        if isinstance(owner, Scheduler):
            return owner
        text = owner.dotted if isinstance(owner, Reference) else ast.unparse(node)
        if text not in self.elsewhere:
            name = text.rpartition(".")[2]
            self.elsewhere[text] = Scheduler("Scheduler", node.lineno, made=False, name=name)
            self.source.schedulers.append(self.elsewhere[text])
        return self.elsewhere[text]

    def do_what_django_does(self) -> None:
        """Enters the methods that Django calls, where the file hasn't called them itself."""
        for method, instance in self.djangos:
            if method not in self.entered:
                self._enter(method, [instance], {})

    def add_what_was_not_reached(self) -> None:
        """Each call that is mentioned and was not reached is a job all the same: one that reading can't tell of."""
        decorators: set[int] = set()
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Call) and adds(node.func) and (node.lineno, node.col_offset) not in self.seen:
                if id(node) in decorators:
                    continue
                assert isinstance(node.func, ast.Attribute)  # noqa: S101 - _adds has looked
                why = "reading doesn't come to where it stands: a class, a handler, a function called elsewhere"
                first = node.args[0] if node.args and node.func.attr == "add_job" else None
                arguments = {"func": self.value(first)} if first is not None else {}
                owner = next(
                    (each for each in self.source.schedulers if each.name == ast.unparse(node.func.value)), None
                ) or (self.source.schedulers[0] if self.source.schedulers else self._owner(node.func.value))
                owner.calls.append(
                    JobCall(node.lineno, _first_line(self.source.text, node.lineno), arguments, undecided=why)
                )


def _is_plain_decorator(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Call) and adds(node.func))


def _first_line(text: str, line: int) -> str:
    return text.splitlines()[line - 1].strip()


def _why(value: Value) -> str:
    return value.why if isinstance(value, UnknownValue) else why_unknown(value) or "what only a run knows"
