"""Golden imports: importing tests/golden_import/<case>/input with its `arguments` writes the files in `expected/`.

A case can have an `environment` (one NAME=value per line). All see the shop in tests/golden_import/project.
"""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path
from traceback import format_exception

from click.testing import CliRunner

from scheduled_tasks.cli import main

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden_import"
CASES = sorted(path.parent for path in GOLDEN.glob("*/arguments"))
NOW = "2026-11-24T12:00Z"


def copy_case(case: Path, folder: Path) -> Path:
    """Copy the shop's project and the case's files into a folder."""
    shutil.copytree(GOLDEN / "project", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(case / "input", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def environment(case: Path) -> dict[str, str]:
    file = case / "environment"
    lines = file.read_text().split() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def run(case: Path, folder: Path) -> Path:
    """Import a case with the command itself, in this folder; return the directory that it wrote."""
    arguments = (case / "arguments").read_text().split()
    variables = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | environment(case)
    with chdir(folder):
        done = CliRunner(env=variables).invoke(main, ["import", *arguments, "--from", NOW])
    assert done.exit_code == 0, (done.output, done.exc_info and "".join(format_exception(*done.exc_info)))
    return folder / "imported"


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
