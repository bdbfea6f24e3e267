"""Detect a project's package and framework, and compose its first files for `clocks init`.

A project folder goes in; `InitialFiles` (texts by path, each with its explanation) come out. Of the existing files only
pyproject.toml and .gitignore change: a table and lines are added at their ends.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FACTORY = re.compile(r"^def (create_app|make_app|create_application)\(\s*\)", re.MULTILINE)
FLASK = re.compile(r"^(\w+)(?:\s*:[^=]+)?\s*=\s*(?:flask\.)?Flask\(", re.MULTILINE)
DJANGO_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
NOT_THE_PACKAGE = {"tests", "test", "docs", "migrations", "scripts", "build", "dist", "venv"}

DJANGO_FACTORY = '''"""Sets Django up. scheduled_tasks calls this once in a run, before the task."""

import os

import django


def set_up():
    """Set Django up; tasks get the registry of its apps."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
    django.setup()
    return django.apps.apps
'''
PACKAGE = '"""The application."""\n'
# Of a project that has no pyproject.toml yet: a wheel of it can be built, as a deployment does.
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["scheduled-tasks"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""
IGNORED = {
    "/.scheduled-tasks/": "the embedded PostgreSQL",
    "/credentials/": "secrets: a host has its own",
    "/.venv/": "installed packages",
    "__pycache__/": "compiled Python",
}
FEATURES = '''"""Feature flags: operators use them to switch tasks off and on without a deploy."""

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """One member for each flag; its description is for the operator who decides at night."""

    EXAMPLE = Feature("Runs the example task, which logs that it ran")
'''
TASKS = '''"""The tasks, by functional domain: `example.say_hello` is `say_hello` of this package's module `example`."""
'''
EXAMPLE_TASK = '''"""An example: replace it with your own domain."""

import logging

from scheduled_tasks import cron_require_feature, log_cron
from {package}.features import FeatureToggle

logger = logging.getLogger(__name__)


@log_cron
@cron_require_feature(FeatureToggle.EXAMPLE)  # always closest to the function
def say_hello():
    """Log that it ran."""
    logger.info("hello")
'''
CLOCKS = '''"""The clocks: each module of this package is one, and becomes one systemd slice."""
'''
EXAMPLE_CLOCK = '''"""The clock of the example: replace it with your own."""

from {package}.tasks.example import say_hello
from scheduled_tasks import Clock

scheduler = Clock(timeout="10min", memory_max="256M")
scheduler.add_job(say_hello, "cron", id="say_hello", hour=6)
'''


@dataclass(frozen=True)
class DetectedProject:
    """The package, the framework ("" if unknown), the value of the key `app`, and Django's settings module."""

    package: str
    framework: str = ""
    app: str = ""
    settings: str = ""


@dataclass(frozen=True)
class InitialFiles:
    """Texts by path relative to the project, each with its explanation; `appended` go at the end of a file."""

    files: dict[str, tuple[str, str]]
    appended: dict[str, tuple[str, str]]


def detect_project(folder: Path, package: str = "") -> DetectedProject:
    """Detect a project's package and framework.

    Raises:
        UsageError: it is not clear which package is meant.
    """
    manage = folder / "manage.py"
    if manage.is_file() and (match := DJANGO_SETTINGS.search(manage.read_text())):
        settings = match[1]
        package = package or settings.partition(".")[0]
        return DetectedProject(package, "Django", f"{package}.scheduled:set_up", settings)
    package = package or _package(folder)
    for path in (folder / package / "__init__.py", *sorted((folder / package).glob("*.py"))):
        text = path.read_text() if path.is_file() else ""
        module = package if path.stem == "__init__" else f"{package}.{path.stem}"
        if "flask" in text.lower() and (match := FACTORY.search(text) or FLASK.search(text)):
            return DetectedProject(package, "Flask", f"{module}:{match[1]}")
    return DetectedProject(package)


def _package(folder: Path) -> str:
    packages = sorted(
        path.parent.name
        for path in folder.glob("*/__init__.py")
        if path.parent.name not in NOT_THE_PACKAGE and path.parent.name.isidentifier()
    )
    if len(packages) == 1:
        return packages[0]
    choice = f"there are {', '.join(packages)}" if packages else "there are no packages here"
    raise UsageError(
        f"which package of {folder} is the project's? {choice}: name it with --package, which makes a new one"
    )


def initial_files(folder: Path, project: DetectedProject, timezone: str, *, example: bool = True) -> InitialFiles:
    """Compose the files of a new configuration; without `example` no job is among them.

    Raises:
        ConfigurationError: there is already a configuration, or pyproject.toml is not TOML.
    """
    pyproject = folder / "pyproject.toml"
    try:
        document = tomllib.loads(pyproject.read_text()) if pyproject.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{pyproject} is not TOML: {error}") from error
    if "scheduled_tasks" in document.get("tool", {}):
        raise ConfigurationError(f"{pyproject} already has a [tool.scheduled_tasks] table: nothing is written")
    name = project.package
    files = {
        f"{name}/__init__.py": (PACKAGE, "the project's package"),
        f"{name}/features.py": (FEATURES, "the feature flags: almost every task has one"),
        f"{name}/tasks/__init__.py": (TASKS, "the package of the tasks"),
        f"{name}/tasks/example.py": (EXAMPLE_TASK.format(package=name), "a first task"),
        f"{name}/clocks/__init__.py": (CLOCKS, "the package of the clock files"),
        f"{name}/clocks/example.py": (EXAMPLE_CLOCK.format(package=name), "a first clock: when the task runs"),
    }
    if not example:
        files = {path: content for path, content in files.items() if not path.endswith("/example.py")}
    if project.framework == "Django":
        factory = DJANGO_FACTORY.format(settings=project.settings)
        files[f"{name}/scheduled.py"] = (factory, "sets Django up before a task runs")
    missing = {path: content for path, content in files.items() if not (folder / path).exists()}
    table = _table(project, timezone)
    why = "where the tasks, clocks, flags and the application are"
    if not pyproject.is_file():
        table = PROJECT.format(name=name.replace("_", "-"), package=name) + table
        why = f"the project, of which a wheel can be built, and {why}"
    appended = {"pyproject.toml": (table, why)}
    if ignored := _ignored(folder):
        appended[".gitignore"] = (ignored, "what git leaves out")
    return InitialFiles(missing, appended)


def _ignored(folder: Path) -> str:
    """The lines that .gitignore lacks: of a new one all, otherwise what this project brings."""
    file = folder / ".gitignore"
    known = {line.strip().strip("/") for line in file.read_text().splitlines()} if file.is_file() else set()
    names = list(IGNORED)[:2] if file.is_file() else IGNORED
    return "".join(f"\n# {IGNORED[name]}\n{name}\n" for name in names if name.strip("/") not in known)


def _table(project: DetectedProject, timezone: str) -> str:
    name = project.package
    lines = [
        "",
        "[tool.scheduled_tasks]",
        "# Task functions by domain: `orders.expire` is `expire` of the module `orders` in this package.",
        f'domains = "{name}.tasks"',
        "# Clock files: each module is a clock, the jobs that share limits and become one systemd slice.",
        f'clocks = "{name}.clocks"',
        "# The flags that operators switch with `clocks features`; each is a row in PostgreSQL.",
        f'features = "{name}.features:FeatureToggle"',
    ]
    if project.app:
        lines += ["# Makes the application, once, when a task runs: `app` in a clock file represents it."]
        lines += [f'app = "{project.app}"']
    lines += [
        "# Files in credentials/ that systemd passes to the jobs; database_url has the URL of the jobs' PostgreSQL.",
        'credentials = ["database_url"]',
    ]
    lines += ["# The zone of times that name none. The host's own zone is never used.", f'timezone = "{timezone}"']
    return "\n".join(lines) + "\n"
