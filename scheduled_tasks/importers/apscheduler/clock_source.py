"""Reads a clock file without running it: which schedulers it makes, which jobs it adds.

In comes a file's text; out comes a `ClockSource`: its schedulers with their `JobCall`s, and what else of the file
somebody has to know of. Loops over what is written out are unrolled, functions of the file that add jobs are entered,
also those that another file calls. What hangs on the process (its environment, its clock) is kept as unknown, with the
reason; no job that is mentioned gets lost. `statements` does the statements, this the calls that matter.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field

from scheduled_tasks.importers.apscheduler.statements import Ended, Statements
from scheduled_tasks.importers.apscheduler.values import (
    Adder,
    Application,
    Aside,
    CallResult,
    Instance,
    JobCall,
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
    why_unknown,
)
from scheduled_tasks.importers.apscheduler.vocabulary import (
    ADD_JOB,
    ADDS,
    APPLICATION_NAMES,
    FLASK,
    FLASK_ADDS,
    OTHER_VERSIONS,
    SCHEDULER_METHODS,
    adds,
    settings_of,
)

CALLED_BY_DJANGO = {"BaseCommand": "handle", "AppConfig": "ready"}
DEEPEST = 5
CHANGES = {"modify", "reschedule", "pause", "resume", "remove"}  # of a job, before the scheduler starts
OF_A_SCHEDULER = {f"{name}_job": name for name in CHANGES}


@dataclass
class ClockSource:
    """What a file says."""

    tree: ast.Module
    text: str
    schedulers: list[Scheduler] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    functions: dict[str, LocalFunction] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    applied: set[int] = field(default_factory=set)  # the lines of calls that add jobs, or change one


def read_source(text: str, filename: str) -> ClockSource:
    """Reads a file. Raises SyntaxError where it isn't Python."""
    source = ClockSource(ast.parse(text, filename), text)
    reader = _Reader(source)
    reader.whole(source.tree.body)
    reader.do_what_django_does()
    reader.enter_what_others_call()
    source.names, source.functions = reader.names, reader.functions
    for name, value in reader.names.items():
        if isinstance(value, Scheduler) and not value.name:
            value.name = name
    reader.add_what_was_not_reached()
    return source


class _Reader(Statements):
    def __init__(self, source: ClockSource) -> None:
        super().__init__({"__name__": "__main__", "__file__": "clock.py"})
        self.source = source
        self.applied = source.applied
        self.seen: set[tuple[int, int]] = set()
        self.elsewhere: dict[str, Scheduler] = {}
        self.djangos: list[tuple[LocalFunction, Instance]] = []
        self.entered: set[LocalFunction] = set()
        self.globals: dict[str, Value] = {}  # what functions set, until the module's own statements go on

    def decorate(self, function: LocalFunction, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """`@scheduler.scheduled_job(…)` adds what it decorates."""
        for position, decorator in enumerate(node.decorator_list):
            if isinstance(decorator, ast.Call) and self._schedules(decorator.func):
                above = tuple(ast.unparse(each) for each in node.decorator_list[:position] if _is_plain_decorator(each))
                self._add(decorator, decorator.func, function, above)

    def _schedules(self, function: ast.expr) -> bool:
        """Whether a decorator adds what it decorates as a job."""
        if adds(function) == "scheduled_job":
            return True
        if not isinstance(function, ast.Attribute) or function.attr != "task":
            return False
        owner = self.value(function.value)
        return isinstance(owner, Scheduler) and owner.kind == FLASK

    def define(self, kind: LocalClass) -> None:
        """A class may be one whose objects are rows, or one that Django makes, whose method it calls."""
        names = {ast.unparse(each).rpartition(".")[2] for each in kind.node.bases}
        decorators = {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in kind.node.decorator_list}
        if "dataclass" in decorators or "NamedTuple" in names:
            annotated = [each for each in kind.node.body if isinstance(each, ast.AnnAssign)]
            kind.fields = tuple(each.target.id for each in annotated if isinstance(each.target, ast.Name))
        for name in names:
            method = kind.method(CALLED_BY_DJANGO.get(name, ""))
            if method is not None:
                self.djangos.append((method, Instance(kind)))

    def call(  # noqa: C901, PLR0911 - a table of cases, in their order
        self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]
    ) -> Value | None:
        """What makes a scheduler, adds a job, or enters a function of the file that does."""
        if isinstance(function, Partial) and isinstance(function.function, Adder):
            args, kwargs = [*function.args, *args], dict(function.kwargs) | kwargs
            function = function.function
        method = adds(node.func)
        if isinstance(function, Adder) or (method and isinstance(node.func, ast.Attribute)):
            if "scheduled_job" in {method, getattr(function, "method", "")}:
                return UnknownValue(ast.unparse(node), "what it decorates")
            return self._add(node, node.func, None, (), (args, kwargs))
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if isinstance(owner, JobHandle) and node.func.attr in CHANGES:
                self.source.applied.add(node.lineno)
                return self._change(owner, node.func.attr, args, kwargs)
            if isinstance(owner, Scheduler):
                return self._on_scheduler(node, owner, node.func.attr, kwargs, args)
        if isinstance(function, Reference) and (
            function.dotted.startswith("apscheduler.schedulers.") or function.dotted == FLASK
        ):
            return self._scheduler(node, function, args, kwargs)
        if isinstance(function, LocalFunction):
            return self._local(node, function, args, kwargs)
        if isinstance(function, Method) and self.depth < DEEPEST:
            return self._enter(function.function, [function.instance, *args], kwargs)
        if isinstance(function, LocalClass):
            return self._instance(node, function, args, kwargs)
        return None

    def _scheduler(self, node: ast.Call, kind: Reference, args: list[Value], kwargs: dict[str, Value]) -> Scheduler:
        name = FLASK if kind.dotted == FLASK else kind.dotted.rpartition(".")[2]
        made = Scheduler(name, node.lineno, settings=settings_of(args, kwargs))
        self.source.schedulers.append(made)
        return made

    def _local(
        self, node: ast.Call, function: LocalFunction, args: list[Value], kwargs: dict[str, Value]
    ) -> Value | None:
        """A function of the file: entered for the jobs that it adds, for what it changes, and for what it gives."""
        if self._enters(function):
            self.source.applied.add(node.lineno)
            return self._enter(function, args, kwargs)
        if function.node is None or self.depth >= DEEPEST or isinstance(function.node, ast.AsyncFunctionDef):
            return None
        before = self.undecided, self.doubt
        result = self._enter(function, args, kwargs)
        self.undecided, self.doubt = before
        return result if result is not None and is_plain(result) else None

    def _instance(self, node: ast.Call, kind: LocalClass, args: list[Value], kwargs: dict[str, Value]) -> Value:
        scheduler = next(
            (each for each in kind.bases if isinstance(each, Reference)
             and each.dotted.startswith("apscheduler.schedulers.")), None
        )  # fmt: skip
        if scheduler is not None:
            self.seen |= {(each.lineno, each.col_offset) for each in ast.walk(kind.node) if isinstance(each, ast.Call)}
            text = f"{kind.node.name} is a scheduler of the file's own: what it adds to APScheduler's is not taken over"
            self.source.asides.append(Aside(kind.node.lineno, f"class {kind.node.name}", text))
            return self._scheduler(node, scheduler, args, kwargs)
        made = Instance(kind)
        if kind.fields:
            made.attributes |= dict(zip(kind.fields, args, strict=False)) | kwargs
        if (constructor := kind.method("__init__")) is not None:
            self._enter(constructor, [made, *args], kwargs)
        return made

    def _on_scheduler(
        self, node: ast.Call, owner: Scheduler, name: str, kwargs: dict[str, Value], args: list[Value]
    ) -> Value:
        if name in OF_A_SCHEDULER and (job := _by_id(owner, args[0] if args else kwargs.get("job_id"))):
            self.source.applied.add(node.lineno)
            return self._change(job, OF_A_SCHEDULER[name], args[1:], kwargs)
        if name == "get_job" and (job := _by_id(owner, args[0] if args else kwargs.get("job_id"))):
            return job
        if name == "configure":
            owner.settings |= settings_of(args, kwargs)
        text = SCHEDULER_METHODS.get(name, f"{name}() works on a running scheduler, and none runs here")
        if text:
            self.source.asides.append(Aside(node.lineno, ast.unparse(node), text))
        return UnknownValue(ast.unparse(node), "the scheduler")

    def _change(self, job: JobHandle, how: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """What a file does to a job after it was added: it counts as it is when the scheduler starts."""
        kwargs = {key: value for key, value in kwargs.items() if key not in {"job_id", "jobstore"}}
        call = job.call
        if self.undecided:
            call.doubt = call.doubt or f"{how}() changes it perhaps: {self.undecided.removeprefix('it is added ')}"
        elif how == "remove":
            job.scheduler.calls = [each for each in job.scheduler.calls if each is not call]
        elif how == "pause":
            call.arguments["next_run_time"] = None
        elif how == "resume":
            call.arguments.pop("next_run_time", None)
        elif how == "modify":
            call.arguments |= kwargs
        else:
            trigger = {"trigger": args[0]} if args else {}
            call.arguments = {key: value for key, value in call.arguments.items() if key in ADD_JOB}
            call.arguments |= trigger | kwargs
        return job

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
        assert node is not None  # noqa: S101 - who calls it has looked
        self.entered.add(function)
        outside, self.names = self.names, dict(self.names)
        before, self.returned, doubt = self.returned, None, self.doubt
        parameters = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
        defaults = node.args.defaults
        for name, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
            self.names[name] = self.value(default)
        for keyword, kw_default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if kw_default is not None:
                self.names[keyword.arg] = self.value(kw_default)
        self.names |= dict(zip(parameters, args, strict=False)) | kwargs
        if node.args.vararg is not None:
            self.names[node.args.vararg.arg] = tuple(args[len(parameters) :])
        if node.args.kwarg is not None:
            own = {*parameters, *(keyword.arg for keyword in node.args.kwonlyargs)}
            self.names[node.args.kwarg.arg] = {key: value for key, value in kwargs.items() if key not in own}
        self.depth += 1
        looping, self.looping = self.looping, []
        ended = self.whole(node.body)
        self.depth -= 1
        self.looping, self.doubt = looping, doubt
        result, self.returned, inside = self.returned, before, self.names
        self.names = outside
        for each in ast.walk(node):
            if isinstance(each, ast.Global):
                self.globals |= {name: inside[name] for name in each.names if name in inside}
        self.names |= self.globals
        if not self.depth:
            self.globals.clear()
        if ended == "exit":
            raise Ended(ended)
        return result if result is not None else UnknownValue(function.name, "what it gives")

    def _add(
        self,
        node: ast.Call,
        called: ast.expr,
        decorated: LocalFunction | None,
        above: tuple[str, ...] = (),
        given: tuple[list[Value], dict[str, Value]] | None = None,
    ) -> Value:
        self.seen.add((node.lineno, node.col_offset))
        self.source.applied.add(node.lineno)
        args, kwargs = given or self._arguments(node)
        adder = self.value(called)
        adder = adder.function if isinstance(adder, Partial) else adder
        if isinstance(adder, Adder):
            owner, method = adder.scheduler, adder.method
        else:
            assert isinstance(called, ast.Attribute)  # noqa: S101 - adds() has looked
            owner, method = self._owner(called.value), called.attr
        names = FLASK_ADDS[method] if owner.kind == FLASK else ADDS[method]
        arguments = dict(zip(names, args, strict=False)) | kwargs
        for name in {"args", "kwargs"} & arguments.keys():  # what the file does to them later has no effect
            arguments[name] = copy.copy(arguments[name])
        if decorated is not None:
            arguments["func"] = decorated
        elif (called_there := self._called_in_place(node)) is not None:
            arguments["func"] = called_there
        problem = "" if len(args) <= len(names) else "it has more positional arguments than APScheduler takes"
        if "**" in arguments:
            problem = why_unknown(arguments.pop("**")) or "its arguments are put together elsewhere"
        undecided = self.undecided
        if isinstance(called, ast.Attribute) and isinstance(self._root(called.value), CallResult):
            undecided = undecided or f"{ast.unparse(called.value)} is no scheduler that this file makes or imports"
        line = _first_line(self.source.text, node.lineno)
        call = JobCall(node.lineno, line, arguments, above, undecided, problem, doubt=self.doubt)
        owner.calls.append(call)
        return JobHandle(call, owner)

    def _called_in_place(self, node: ast.Call) -> CallResult | None:
        """`add_job(task(), …)`: a function of the file that is called where it was to be passed."""
        given = [each.value for each in node.keywords if each.arg == "func"] or node.args[:1]
        if not given or not isinstance(given[0], ast.Call) or not isinstance(given[0].func, ast.Name):
            return None
        function = self.names.get(given[0].func.id)
        if not isinstance(function, LocalFunction):
            return None
        return CallResult(function, tuple(self.value(each) for each in given[0].args), ast.unparse(given[0]))

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
                self._enter_alone(method, [instance], {})

    def enter_what_others_call(self) -> None:
        """Enters the functions that add jobs and that another file, or a framework, calls: as called once."""
        for function in self._callers_first():
            if function in self.entered or function.node is None or not self._adds_unseen(function.node):
                continue
            given = [*function.node.args.posonlyargs, *function.node.args.args]
            required = given[: len(given) - len(function.node.args.defaults)]
            self.doubt = f"{function.name}() adds it, which this file doesn't call: it is taken as called once"
            self._enter_alone(function, [_parameter(each.arg, function.name) for each in required], {})
            self.doubt = ""

    def _callers_first(self) -> list[LocalFunction]:
        called = {each.id for each in ast.walk(self.source.tree) if isinstance(each, ast.Name)}
        return sorted(self.functions.values(), key=lambda function: function.name in called)

    def _adds_unseen(self, node: ast.AST) -> bool:
        calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
        return any(adds(each.func) and (each.lineno, each.col_offset) not in self.seen for each in calls)

    def _enter_alone(self, function: LocalFunction, args: list[Value], kwargs: dict[str, Value]) -> None:
        try:
            self._enter(function, args, kwargs)
        except Ended:
            return

    def add_what_was_not_reached(self) -> None:
        """Each call that is mentioned and was not reached is a job all the same: one that reading can't tell of."""
        for node in ast.walk(self.source.tree):
            if not isinstance(node, ast.Call) or (node.lineno, node.col_offset) in self.seen:
                continue
            if isinstance(node.func, ast.Attribute) and node.func.attr in OTHER_VERSIONS:
                version = OTHER_VERSIONS[node.func.attr]
                arguments: dict[str, Value] = {"func": self.value(node.args[0]) if node.args else None}
                refused = f"{node.func.attr} is APScheduler {version}'s, and what is imported is APScheduler 3's"
                self._not_reached(node, node.func.value, arguments, refused=refused)
            elif adds(node.func):
                assert isinstance(node.func, ast.Attribute)  # noqa: S101 - adds() has looked
                args, kwargs = self._arguments(node)
                owner = self._named_scheduler(node.func.value)
                names = ADDS[node.func.attr] if owner.kind != FLASK else FLASK_ADDS[node.func.attr]
                arguments = dict(zip(names, args, strict=False)) | kwargs
                arguments.pop("**", None)
                why = "reading doesn't come to where it stands: a class, a handler, a function called elsewhere"
                self._not_reached(node, node.func.value, arguments, undecided=why)

    def _not_reached(
        self, node: ast.Call, owner: ast.expr, arguments: dict[str, Value], undecided: str = "", refused: str = ""
    ) -> None:
        line = _first_line(self.source.text, node.lineno)
        call = JobCall(node.lineno, line, arguments, undecided=undecided, refused=refused)
        self._named_scheduler(owner).calls.append(call)

    def _named_scheduler(self, node: ast.expr) -> Scheduler:
        """The scheduler that is meant: the one of that name, else the file's first."""
        name = ast.unparse(node)
        known = next((each for each in self.source.schedulers if each.name == name), None)
        return known or (self.source.schedulers[0] if self.source.schedulers else self._owner(node))


def _parameter(name: str, function: str) -> Value:
    if name in APPLICATION_NAMES:
        return Application(name)
    return UnknownValue(name, f"what {function}() is called with")


def _by_id(scheduler: Scheduler, wanted: Value) -> JobHandle | None:
    if isinstance(wanted, JobHandle):
        return wanted
    found = [each for each in scheduler.calls if is_plain(wanted) and each.arguments.get("id") == wanted]
    return JobHandle(found[0], scheduler) if wanted is not None and len(found) == 1 else None


def _is_plain_decorator(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Call) and adds(node.func))


def _first_line(text: str, line: int) -> str:
    return text.splitlines()[line - 1].strip()
