"""docs/reference/api.md lists exactly the public names."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import scheduled_tasks
from scheduled_tasks import bundled, errors, testing
from scheduled_tasks.bundled import command

ROOT = Path(__file__).parents[2]
SECTIONS = dict(
    re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / "docs/reference/api.md").read_text(), re.MULTILINE | re.DOTALL)
)


def rows(section: str) -> dict[str, str]:
    """The table of a section: first column without its backquotes → the rest of the row."""
    return dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", SECTIONS[section], re.MULTILINE))


def test_every_public_name_of_the_package_is_documented() -> None:
    assert sorted(rows("scheduled_tasks")) == sorted(scheduled_tasks.__all__)


def test_every_fixture_and_type_for_tests_is_documented() -> None:
    assert sorted(rows("scheduled_tasks.testing")) == sorted(testing.__all__)
    for name in testing.__all__:
        assert hasattr(testing, name) or hasattr(testing, f"_{name}"), name


def test_every_bundled_task_is_documented() -> None:
    modules = [path.stem for path in Path(bundled.__path__[0]).glob("*.py") if path.stem != "__init__"]
    assert modules == ["command"]
    tasks = [name for name, value in vars(command).items() if getattr(value, "__cron__", None)]
    assert [f"command.{name}" for name in tasks] == list(rows("scheduled_tasks.bundled"))


def test_the_console_scripts_are_documented() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert sorted(rows("Console scripts")) == sorted(scripts)


def test_every_error_of_the_base_module_is_documented_with_its_exit_code() -> None:
    classes = {
        f"scheduled_tasks.errors.{name}": str(value.exit_code)
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ScheduledTasksError)
    }
    assert {name: row.split("|")[0].strip() for name, row in rows("Errors").items()} == classes


@pytest.mark.parametrize(
    ("owner", "name", "section"),
    [
        (scheduled_tasks, "Feature", "scheduled_tasks"),
        (scheduled_tasks, "setting", "scheduled_tasks"),
        (command, "run", "scheduled_tasks.bundled"),
    ],
)
def test_a_documented_signature_matches_the_code(owner: ModuleType, name: str, section: str) -> None:
    parameters = inspect.signature(getattr(owner, name)).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    shown = str(inspect.Signature(plain)).replace("'", '"')
    assert f"{name}{shown}" in SECTIONS[section]


def test_every_public_name_has_a_docstring() -> None:
    undocumented = [
        name
        for name in scheduled_tasks.__all__
        if name != "app" and not (getattr(scheduled_tasks, name).__doc__ or "").strip()
    ]
    assert undocumented == []
