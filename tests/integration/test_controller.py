"""A project locks what its releases need and gathers its wheels by the commands of docs/how-to/deploy.md.

No package index is used, only the wheels that the machine tests keep.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documented import commands
from tests.machine.controller import REPOSITORY, SHOP, set_up, wheelhouse

pytestmark = pytest.mark.thorough


def test_a_project_is_locked_and_its_wheels_gathered_as_documented(tmp_path: Path) -> None:
    kept = wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")
    controller = set_up(tmp_path, {}, {})
    (controller.project / "collections").symlink_to(tmp_path / "collections")
    (controller.project / "requirements.txt").unlink()
    shutil.copytree(kept, controller.project / "wheels")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(kept), "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(kept)}
    # A version that was released since then has no wheel in the folder.
    offline["UV_CONSTRAINT"] = str(SHOP / "requirements.txt")
    for command in commands("how-to/deploy.md", "controller"):
        done = subprocess.run(
            command, shell=True, cwd=controller.project, capture_output=True, text=True, check=False,
            env=plain | controller.environment() | offline,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    locked = (controller.project / "requirements.txt").read_text()
    assert "psycopg==" in locked
    assert "hatchling" not in locked
    assert "scheduled-tasks==" not in locked
    gathered = {path.name.partition("-")[0] for path in (controller.project / "wheelhouse").iterdir()}
    assert {"psycopg", "psycopg_binary", "hatchling"} <= gathered
