"""A project's first configuration: what `clocks init` finds out of a project, and the few lines it writes there.

A project folder comes in; `InitialFiles` (texts by path, each with its explanation) go out. The only existing file that
changes is pyproject.toml: a table is added at its end.
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

DJANGO_FACTORY = '''"""What scheduled_tasks calls once in a run, before a task: Django set up."""

import os

import django


def set_up():
    """Set Django up; tasks get the registry of its apps."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
    django.setup()
    return django.apps.apps
'''
FEATURES = '''"""The feature flags that operators switch tasks off and on with, without a deploy."""

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """A member for each flag: its description is what an operator reads at night."""

    EXAMPLE = Feature("Runs the example task, which says that it ran")
'''
TASKS = '''"""The tasks, by functional domain: `example.say_hello` is `say_hello` of this package's module `example`."""
'''
EXAMPLE_TASK = '''"""An example: replace it by a domain of yours."""

import logging

from scheduled_tasks import cron_require_feature, log_cron
{import_features}

logger = logging.getLogger(__name__)


@log_cron
@cron_require_feature(FeatureToggle.EXAMPLE)  # always closest to the function
def say_hello():
    """Say that it ran."""
    logger.info("hello")
'''
CLOCKS = '''"""The clocks: each module of this package is one, and becomes one systemd slice."""
'''
EXAMPLE_CLOCK = '''"""The example's clock: replace it by one of yours."""

{import_task}
from scheduled_tasks import Clock

scheduler = Clock(timeout="10min", memory_max="256M")
scheduler.add_job(say_hello, "cron", id="say_hello", hour=6)
'''


@dataclass(frozen=True)
class DetectedProject:
    """What a project is: its package, its framework ("" where none is seen), what to write as `app`."""

    package: str
    framework: str = ""
    app: str = ""
    settings: str = ""


@dataclass(frozen=True)
class InitialFiles:
    """Texts to write by path, relative to the project, each with why; `appended` are put at a file's end."""

    files: dict[str, tuple[str, str]]
    appended: dict[str, tuple[str, str]]


def detect_project(folder: Path, package: str = "") -> DetectedProject:
    """Looks at a project.

    Raises:
        UsageError: it isn't clear which package is meant.
    """
    manage = folder / "manage.py"
    if manage.is_file() and (found := DJANGO_SETTINGS.search(manage.read_text())):
        settings = found[1]
        package = package or settings.partition(".")[0]
        return DetectedProject(package, "Django", f"{package}.scheduled:set_up", settings)
    package = package or _package(folder)
    for path in (folder / package / "__init__.py", *sorted((folder / package).glob("*.py"))):
        text = path.read_text() if path.is_file() else ""
        module = package if path.stem == "__init__" else f"{package}.{path.stem}"
        if "flask" in text.lower() and (found := FACTORY.search(text) or FLASK.search(text)):
            return DetectedProject(package, "Flask", f"{module}:{found[1]}")
    return DetectedProject(package)


def _package(folder: Path) -> str:
    packages = sorted(
        path.parent.name
        for path in folder.glob("*/__init__.py")
        if path.parent.name not in NOT_THE_PACKAGE and path.parent.name.isidentifier()
    )
    if len(packages) == 1:
        return packages[0]
    found = f"there are {', '.join(packages)}" if packages else "there is none here"
    raise UsageError(f"which package of {folder} is the project's? {found}: name it with --package")


def initial_files(folder: Path, found: DetectedProject, timezone: str) -> InitialFiles:
    """What to write into a project.

    Raises:
        ConfigurationError: it has a configuration already, or its pyproject.toml is no TOML.
    """
    pyproject = folder / "pyproject.toml"
    try:
        document = tomllib.loads(pyproject.read_text()) if pyproject.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{pyproject} is not TOML: {error}") from error
    if "scheduled_tasks" in document.get("tool", {}):
        raise ConfigurationError(f"{pyproject} has a [tool.scheduled_tasks] table already: nothing is written")
    name = found.package
    imported = {
        "import_features": f"from {name}.features import FeatureToggle",
        "import_task": f"from {name}.tasks.example import say_hello",
    }
    files = {
        f"{name}/features.py": (FEATURES, "the feature flags: almost every task is behind one"),
        f"{name}/tasks/__init__.py": (TASKS, "the package of the tasks"),
        f"{name}/tasks/example.py": (EXAMPLE_TASK.format(**imported), "a task to begin with"),
        f"{name}/clocks/__init__.py": (CLOCKS, "the package of the clock files"),
        f"{name}/clocks/example.py": (EXAMPLE_CLOCK.format(**imported), "a clock to begin with: when the task runs"),
    }
    if found.framework == "Django":
        text = DJANGO_FACTORY.format(settings=found.settings)
        files[f"{name}/scheduled.py"] = (text, "sets Django up before a task runs")
    missing = {path: each for path, each in files.items() if not (folder / path).exists()}
    table = _table(found, timezone)
    why = "where the tasks, clocks, flags and the application are"
    return InitialFiles(missing, {"pyproject.toml": (table, why)})


def _table(found: DetectedProject, timezone: str) -> str:
    name = found.package
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
    if found.app:
        lines += ["# Makes the application, once, when a task runs: it is what `app` stands for in a clock file."]
        lines += [f'app = "{found.app}"']
    lines += ["# The zone of all times that name none. The host's own is never taken.", f'timezone = "{timezone}"']
    return "\n".join(lines) + "\n"
