"""Find the functions that jobs call, and check their arguments and the order of their decorators.

A function that a clock file passes becomes a `Target` that the new clock can name, or a difference. Sources are read,
never imported.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass, replace
from pathlib import Path

from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.evidence import Evidence, Fact
from scheduled_tasks.importers.apscheduler.model import Value, written

RECIPE = "make it a function of a module: docs/how-to/migrate.md, What a unit can't name"
ORDER = ("log_cron", "cron_context", "cron_required", "cron_require_feature")
UNDERSTOOD = {*ORDER, "cron_idempotent", "scheduled_job"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Target:
    """A function that a job calls: `module` is empty for one of the file itself, `alias` replaces its own name."""

    module: str
    name: str
    node: Definition | None = None
    alias: str = ""

    @property
    def task(self) -> str:
        """Its public name as a task."""
        return self.alias or self.name.rpartition(".")[2].strip("_") or "task"

    @property
    def is_async(self) -> bool:
        """Whether it has to be awaited."""
        return isinstance(self.node, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Resolved:
    """What a job's `func` names: the target, the arguments of a partial, differences."""

    target: Target | None
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()
    differences: tuple[Difference, ...] = ()


def resolve(function: Value, path: Path, roots: list[Path]) -> Resolved:  # noqa: PLR0911 - a table of cases
    """The target of a job's function."""
    if isinstance(function, model.LocalFunction):
        if function.nested or function.name == "<lambda>":
            text = f"{function.name} is defined inside another function, so a unit can't name it"
            return _refused("nested", text, RECIPE)
        return Resolved(Target("", function.name, function.node))
    if isinstance(function, str) and ":" in function:
        module, _, name = function.partition(":")
        if any(source_of(module, root) == path for root in roots):
            return Resolved(Target("", name, _definition(module, name, roots)))
        return _named(module, name, roots)
    if isinstance(function, model.Reference) and "." in function.dotted.lstrip("."):
        named = _named(*_module_and_name(absolute(function.dotted, path), roots), roots)
        if function.star:
            text = f"{function.dotted} is taken for it: {function.star} isn't here, and everything of it is imported"
            return replace(named, differences=Fact(None, Evidence.ASSUMED, text).differences())
        return named
    if isinstance(function, model.Partial):
        inner = resolve(function.function, path, roots)
        return replace(inner, args=(*function.args, *inner.args), kwargs=(*function.kwargs, *inner.kwargs))
    return _no_function(function)


def _no_function(function: Value) -> Resolved:  # noqa: PLR0911 - a table of cases
    """What is wrong with a `func` that doesn't name a function."""
    if isinstance(function, model.CallResult):
        called = function.function
        if isinstance(called, model.LocalFunction) and _returns_new_function(called):
            text = f"{function.text} is a new function that {called.name} returns, so a unit can't name it"
            return _refused("nested", text, f"decorate a function of a module with @{called.name}")
        text = f"{function.text} calls the function when the clock starts, and schedules what it returns"
        args = ", ".join(map(written, function.args))
        return _refused("called", text, f"write {written(called)}, with its arguments as args: [{args}]")
    if function is None:
        return _refused("function", "no function is given", "pass the task's function as the first argument")
    if isinstance(function, str) and re.fullmatch(r"\w+(\.\w+)+", function):
        module, _, name = function.rpartition(".")
        return _refused("function", f"APScheduler refuses {function!r}: it has no colon", f"write '{module}:{name}'")
    if isinstance(function, model.UnknownValue):
        return _refused("function", f"{function.text[:80]} depends on {function.why}", "make it a function of a module")
    what = written(function)
    if isinstance(function, model.Method):
        return _refused("function", f"{what} is a method, so a unit can't name it", RECIPE)
    return _refused("function", f"{what[:60]} is not a function that a unit can name", "make it a function of a module")


def _returns_new_function(function: model.LocalFunction) -> bool:
    """Whether a function of the file returns one that it defines, as a decorator does."""
    if function.node is None:
        return False
    inner = {node.name for node in ast.walk(function.node) if isinstance(node, Definition)} - {function.name}
    returned = [node.value for node in ast.walk(function.node) if isinstance(node, ast.Return)]
    return any(isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in inner) for node in returned)


def _named(module: str, name: str, roots: list[Path]) -> Resolved:
    if module == "__main__":
        return Resolved(Target("", name))
    return Resolved(Target(module, name, _definition(module, name, roots)))


def _module_and_name(dotted: str, roots: list[Path]) -> tuple[str, str]:
    """Split a dotted name at the files that exist, otherwise before the first class, otherwise before the last name."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        if any(source_of(".".join(parts[:length]), root) for root in roots):
            return ".".join(parts[:length]), ".".join(parts[length:])
    classes = [index for index, part in enumerate(parts[:-1]) if index and part[:1].isupper()]
    length = classes[0] if classes else len(parts) - 1
    return ".".join(parts[:length]), ".".join(parts[length:])


def source_of(module: str, root: Path) -> Path | None:
    """The file of a module below a folder, if there is one."""
    base = root.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _refused(kind: str, text: str, instead: str) -> Resolved:
    return Resolved(None, differences=(Difference(kind, text, "refused", instead=instead),))


def absolute(dotted: str, path: Path) -> str:
    """A dotted name with its leading dots resolved from the packages that contain the file."""
    level = len(dotted) - len(dotted.lstrip("."))
    if not level:
        return dotted
    packages: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").exists():
        packages.insert(0, folder.name)
        folder = folder.parent
    kept = packages[: len(packages) - level + 1]
    return ".".join([*kept, dotted.lstrip(".")])


def _definition(module: str, name: str, roots: list[Path]) -> Definition | None:
    """The definition of a module's function, if its source is below one of the roots."""
    for root in roots:
        if source := source_of(module, root):
            try:
                tree = ast.parse(source.read_text())
            except (SyntaxError, ValueError):
                return None
            return next((node for node in tree.body if isinstance(node, Definition) and node.name == name), None)
    return None


def decorator_name(node: ast.expr) -> str:
    """The last name of a decorator, called or not."""
    plain = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(plain).rpartition(".")[2]


def definition_differences(target: Target, args: list[Value], kwargs: dict[str, Value]) -> list[Difference]:
    """Check the arguments and the order of the decorators, if the definition is known."""
    if target.node is None:
        return []
    decorators = [decorator_name(node) for node in target.node.decorator_list]
    differences = []
    ours = [ORDER.index(name) for name in decorators if name in ORDER]
    if ours != sorted(ours):
        text = f"the decorators of {target.name} are in the wrong order: @{', @'.join(decorators)}"
        instead = "from the outside in: @log_cron, @cron_context, @cron_require_feature, then the function"
        differences.append(Difference("order", text, "refused", instead=instead))
    if set(decorators) <= UNDERSTOOD and (difference := _misfit(target, args, kwargs)):
        differences.append(difference)
    return differences


def _misfit(target: Target, args: list[Value], kwargs: dict[str, Value]) -> Difference | None:
    assert target.node is not None  # noqa: S101 - the caller has checked
    signature = _signature(target.node.args)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        first = next(iter(signature.parameters), "")
        if first in {"app", "application"} and not args and first not in kwargs:
            text = f"{target.name} takes {first}, and the job passes none; APScheduler refuses it"
            return Difference("app", text, "refused", instead="write args=[app]")
        text = f"the arguments don't fit {target.name}{signature}: {error}"
        return Difference("arguments", text, "refused", instead="pass what it takes in args and kwargs")
    return None


def _signature(arguments: ast.arguments) -> inspect.Signature:
    kind = inspect.Parameter
    parameters = []
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    for index, parameter in enumerate(positional):
        how = kind.POSITIONAL_ONLY if index < len(arguments.posonlyargs) else kind.POSITIONAL_OR_KEYWORD
        parameters.append(kind(parameter.arg, how, default=kind.empty if index < required else None))
    if arguments.vararg:
        parameters.append(kind(arguments.vararg.arg, kind.VAR_POSITIONAL))
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(kind(parameter.arg, kind.KEYWORD_ONLY, default=kind.empty if default is None else None))
    if arguments.kwarg:
        parameters.append(kind(arguments.kwarg.arg, kind.VAR_KEYWORD))
    return inspect.Signature(parameters)
