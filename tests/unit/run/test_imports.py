"""Every run pays for what run-task imports: psycopg, pythonjsonlogger and the modules named here, no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import scheduled_tasks

# Of the standard library, beyond what psycopg and pythonjsonlogger import themselves.
ALLOWED = {
    "_signal", "_tomllib", "gc", "getopt", "gettext", "tomllib", "tomllib._parser", "tomllib._re", "tomllib._types",
}  # fmt: skip

OWN = {
    "scheduled_tasks", "scheduled_tasks.decorators", "scheduled_tasks.errors", "scheduled_tasks.features",
    "scheduled_tasks.instants", "scheduled_tasks.masking",
    "scheduled_tasks.run.status",
    "scheduled_tasks.run", "scheduled_tasks.run.arguments", "scheduled_tasks.run.context",
    "scheduled_tasks.run.current", "scheduled_tasks.run.database", "scheduled_tasks.run.ending",
    "scheduled_tasks.run.find_task",
    "scheduled_tasks.run.flags", "scheduled_tasks.run.log", "scheduled_tasks.run.main",
    "scheduled_tasks.run.nominal", "scheduled_tasks.run.record", "scheduled_tasks.run.settings",
    "scheduled_tasks.run.slot", "scheduled_tasks.run.statements", "scheduled_tasks.run.resource_usage",
}  # fmt: skip

FEATURES = """
from enum import Enum
from scheduled_tasks import Feature

class FeatureToggle(Enum):
    NOTHING = Feature("Do nothing")
"""
TASK = """
import json, sys
from scheduled_tasks import cron_context, cron_require_feature, log_cron
from tiny.features import FeatureToggle

@log_cron
@cron_context
@cron_require_feature(FeatureToggle.NOTHING)
def nothing(app): ...

def show():
    json.dump(sorted(sys.modules), sys.stderr)
"""
RUN = """
from scheduled_tasks.run import main, record
# PostgreSQL's answers; psycopg is imported completely.
record.database.execute = lambda sql, _: [(1, True, False, None, None, False) if "open_run" in sql else (True,)]
main.main(["tasks.nothing"])
from tiny.tasks import show
show()
"""


def _modules(code: str, folder: Path) -> set[str]:
    root = str(Path(scheduled_tasks.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder, env={"PYTHONPATH": f"{folder}:{root}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules: list[str] = json.loads(result.stderr)
    return set(modules)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "pyproject.toml").write_text('[tool.scheduled_tasks]\ndomains = "tiny"\n')
    package = folder / "tiny"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "features.py").write_text(FEATURES)
    (package / "tasks.py").write_text(TASK)
    floor = "import json, sys, psycopg, pythonjsonlogger.json; json.dump(sorted(sys.modules), sys.stderr)"
    return {"run": _modules(RUN, folder), "floor": _modules(floor, folder)}


def test_a_run_imports_only_what_is_named_here(imported: dict[str, set[str]]) -> None:
    beyond = imported["run"] - imported["floor"] - {"tiny", "tiny.features", "tiny.tasks"}
    assert beyond - OWN <= ALLOWED
    assert beyond >= OWN


@pytest.mark.parametrize(
    "library",
    [
        "jinja2",
        "apscheduler",
        "click",
        "rich",
        "flask",
        "django",
        "difflib",
        "pkgutil",
        "uuid",
        "platform",
        "prometheus_client",
    ],
)
def test_a_run_does_not_import(imported: dict[str, set[str]], library: str) -> None:
    assert library not in {module.partition(".")[0] for module in imported["run"]} - imported["floor"]


@pytest.mark.parametrize(
    "room", ["clock", "clock_file", "cli", "deploy", "schedule", "operate", "alert", "metrics", "domains", "clocks"]
)
def test_a_run_does_not_enter_the_room(imported: dict[str, set[str]], room: str) -> None:
    assert not {module for module in imported["run"] if module.startswith(f"scheduled_tasks.{room}")}
