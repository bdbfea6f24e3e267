"""An import writes what the case's folder expects, formatted. A new case is a new folder; --write-golden writes it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.importers.golden_import import CASES, GOLDEN, copy_case, run, texts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_import_writes_what_its_folder_expects(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    written = run(case, copy_case(case, tmp_path))
    if request.config.getoption("--write-golden"):
        shutil.rmtree(case / "expected", ignore_errors=True)
        shutil.copytree(written, case / "expected")
    assert texts(written) == texts(case / "expected")


@pytest.mark.parametrize("line_length", [88, 120])
def test_imported_code_is_formatted(line_length: int) -> None:
    files = [str(path) for path in GOLDEN.glob("*/expected/**/*.py")]
    assert len(files) > 10
    command = [
        sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length", str(line_length),
        "--config=format.quote-style='preserve'", *files,  # functions are kept as they were written
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
