"""Find a task's function by its name: `booking.cancel` is `cancel` of the module `booking` in the domains' package.

Anything but a public function of a domain is an unknown task; the error has the nearest names.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError
from scheduled_tasks.features import explain_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

T = TypeVar("T")

BUNDLED = "scheduled_tasks.bundled"


class UnknownTaskError(ScheduledTasksError):
    """There is no such task."""

    exit_code = 64


class TaskImportError(ConfigurationError):
    """The module of the task can't be imported."""


def find_task(name: str, domains: str, make_app: Callable[[], object]) -> Callable[..., Any]:
    """Import the domain of a task and return the task's function.

    Args:
        name: `DOMAIN.TASK`.
        domains: the package of the domains.
        make_app: makes the application; called if a domain can't be imported before it, as with Django's models and
            `django.setup()`.

    Raises:
        UnknownTaskError: no task has that name; the message has the nearest names.
        TaskImportError: the domain's module raises when it is imported.
        ConfigurationError: the package of the domains can't be imported.
    """
    try:
        _import(domains, make_app)
    except TaskImportError as error:
        raise ConfigurationError(
            f"the package of the domains: {error} (is it installed, and is `domains` in the configuration right?)"
        ) from error
    domain, _, function = name.rpartition(".")
    module = None
    if domain and _is_path(domain):  # the project's own domains take precedence over the bundled ones
        module = _import_domain(domains, domain, make_app) or _import_domain(BUNDLED, domain, make_app)
    task: Callable[..., Any] | None = getattr(module, function, None)
    if module is None or task is None or not is_task(task, module, function):
        raise UnknownTaskError(_unknown(name, domains, make_app))
    return task


def is_task(candidate: object, module: ModuleType, name: str) -> bool:
    """Whether a name in a domain's module is a task: a public function that is defined there."""
    home = f"{getattr(candidate, '__module__', '')}."  # the dot: `booking_export` is not inside `booking`
    return (
        callable(candidate)
        and not name.startswith("_")
        and not isinstance(candidate, type)
        and home.startswith(f"{module.__name__}.")
    )


def _is_path(domain: str) -> bool:
    return all(part.isidentifier() and not part.startswith("_") for part in domain.split("."))


def _import_domain(domains: str, domain: str, make_app: Callable[[], object]) -> ModuleType | None:
    path = f"{domains}.{domain}"
    try:
        return _import(path, make_app)
    except TaskImportError as error:
        missing = error.__cause__.name if isinstance(error.__cause__, ModuleNotFoundError) else None
        if missing is not None and (missing == path or path.startswith(f"{missing}.")):
            return None  # the domain itself doesn't exist; otherwise something that it imports is missing
        raise


def _import(path: str, make_app: Callable[[], object]) -> ModuleType:
    try:
        return with_application(lambda: import_module(path), make_app)
    except ScheduledTasksError:
        raise
    except ModuleNotFoundError as error:
        raise TaskImportError(f"{path} can't be imported: {error}") from error
    except (Exception, SystemExit) as error:
        problem = explain_unknown(error) or f"{type(error).__name__}: {error}"
        raise TaskImportError(f"{path} can't be imported: {problem}") from error


def with_application(act: Callable[[], T], make_app: Callable[[], object]) -> T:
    """Import something; if that needs Django's `django.setup()` first, make the application and import it again."""
    try:
        return act()
    except Exception as error:
        if not type(error).__module__.startswith("django.core.exceptions"):
            raise
        make_app()
        return act()


def _unknown(name: str, domains: str, make_app: Callable[[], object]) -> str:
    from difflib import get_close_matches  # only an error needs it

    known = list(all_tasks(domains, make_app))
    near = get_close_matches(name, known, n=3, cutoff=0.5) or sorted(
        task for task in known if task.rpartition(".")[2] == name.rpartition(".")[2]
    )
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
    return f"unknown task {name!r} (a task is DOMAIN.TASK, in {domains}): {hint}"


def all_tasks(domains: str, make_app: Callable[[], object]) -> Iterator[str]:
    """The names of all tasks: the decorated functions of every domain that can be imported."""
    from pkgutil import walk_packages  # only listing needs it

    for package in (domains, BUNDLED):
        path = getattr(_import(package, make_app), "__path__", ())
        # onerror: walk_packages imports packages as well; their errors are reported below.
        for entry in walk_packages(path, f"{package}.", onerror=lambda _name: None):
            domain = entry.name.removeprefix(f"{package}.")
            if not _is_path(domain):
                continue
            try:
                module = _import_domain(package, domain, make_app)
            except ScheduledTasksError as error:
                sys.stderr.write(f"left out: {error}\n")
                continue
            for name, candidate in sorted(vars(module).items()):
                if hasattr(candidate, "__cron__") and is_task(candidate, module, name):  # type: ignore[arg-type]
                    yield f"{domain}.{name}"
