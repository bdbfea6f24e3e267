"""Finding a task's function by its name, in a package of domains made for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.run.find_task import TaskImportError, UnknownTaskError, all_tasks, find_task

BOOKING = """
from os.path import join
from scheduled_tasks import log_cron
from {package}.booking_export import export

@log_cron
def cancel(): ...

def plain(): ...

class Thing: ...

_private = cancel
"""
EXPORT = """
from scheduled_tasks import log_cron

@log_cron
def export(): ...
"""


@pytest.fixture
def domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"domains_{tmp_path.name}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "booking.py").write_text(BOOKING.format(package=name))
    (package / "booking_export.py").write_text(EXPORT)
    nested = package / "search"
    nested.mkdir()
    (nested / "__init__.py").touch()
    (nested / "index.py").write_text(EXPORT)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.parametrize("task", ["booking.cancel", "booking.plain", "booking_export.export", "search.index.export"])
def test_a_public_function_of_a_domain_is_a_task(domains: str, task: str) -> None:
    assert find_task(task, domains, object).__name__ == task.rpartition(".")[2]


@pytest.mark.parametrize(
    "task",
    ["booking.Thing", "booking._private", "booking.join", "booking.log_cron", "booking.export", "booking.", ".cancel",
     "booking", "search.export", "search..index.export", "Booking.cancel", "booking.cancel.now", "__init__.x"],
)  # fmt: skip
def test_anything_else_is_an_unknown_task(domains: str, task: str) -> None:
    with pytest.raises(UnknownTaskError, match=r"^unknown task "):
        find_task(task, domains, object)


@pytest.mark.parametrize(
    ("task", "hint"),
    [
        ("booking.cancle", "did you mean booking.cancel"),
        ("bokking.cancel", "did you mean booking.cancel"),
        ("cancel", "did you mean booking.cancel"),
        ("zzz", "there are: booking.cancel, booking_export.export, search.index.export"),
    ],
)
def test_an_unknown_task_is_reported_with_the_nearest_names(domains: str, task: str, hint: str) -> None:
    with pytest.raises(UnknownTaskError) as error:
        find_task(task, domains, object)
    assert hint in str(error.value)


def test_all_tasks_are_the_decorated_functions(domains: str) -> None:
    own = ["booking.cancel", "booking_export.export", "search.index.export"]
    assert list(all_tasks(domains, object)) == [*own, "command.run"]  # the bundled one


def test_a_bundled_domain_is_found_if_the_project_has_none_of_that_name(domains: str) -> None:
    assert find_task("command.run", domains, object).__module__ == "scheduled_tasks.bundled.command"
    with pytest.raises(UnknownTaskError):
        find_task("command.cancel", domains, object)


@pytest.mark.parametrize("task", ["booking.cancel", "cancel"])
def test_a_missing_package_is_a_wrong_configuration(task: str) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.tasks can't be imported: No module named 'nowhere'"):
        find_task(task, "nowhere.tasks", object)


def test_a_domain_with_a_missing_import_names_it(domains: str, tmp_path: Path) -> None:
    (tmp_path / domains / "broken.py").write_text(f"import {domains}.gone\n")
    with pytest.raises(TaskImportError, match=rf"{domains}.broken can't be imported: No module named '{domains}.gone'"):
        find_task("broken.anything", domains, object)
