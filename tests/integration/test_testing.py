"""pytest runs the examples of docs/how-to/test.md unchanged, in another project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from scheduled_tasks.cli import main

ROOT = Path(__file__).parents[2]


def test_the_documented_examples_pass_in_another_project(tmp_path: Path) -> None:
    project = Path(shutil.copytree(ROOT / "tests/strangers/flask_bakery", tmp_path / "flask_bakery"))
    done = CliRunner().invoke(main, ["init", str(project), "--timezone", "Europe/Paris"])
    assert done.exit_code == 0, done.output
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", (ROOT / "docs/how-to/test.md").read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == ["tests/conftest.py", "tests/test_example.py"]
    (project / "tests").mkdir()
    for name, text in blocks:
        (project / name).write_text(text)
    plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environment = plain | {"PYTHONPATH": f"{ROOT}:{project}"}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests"]
    ran = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "6 passed" in ran.stdout
