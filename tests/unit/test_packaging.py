"""A wheel of the project contains everything that a deployed release needs, and no tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_a_wheel_has_templates_migrations_schema_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "scheduled_tasks/units/clock-CLOCK-JOB.service.j2",
        "scheduled_tasks/migrations/0001_flags_and_ledger.sql",
        "scheduled_tasks/run/log_line.schema.json",
        "scheduled_tasks/py.typed",
    } <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_a_wheel_brings_both_commands(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert archive.read(entry_points).decode() == (
        "[console_scripts]\nclocks = scheduled_tasks.cli.__main__:clocks\nrun-task = scheduled_tasks.run.main:entry\n"
    )


def test_a_plain_installation_brings_what_the_documented_exports_import(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [metadata] = [name for name in archive.namelist() if name.endswith("METADATA")]
    required = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist:")]
    assert "Requires-Dist: pyyaml>=6" in required
    assert "scheduled_tasks/exporters/kubernetes/image_programs.txt" in archive.namelist()
