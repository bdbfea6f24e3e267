"""The collection as a user's requirements.yml can name it: by its git repository, or by the file built from it.

`ansible-galaxy` installs the same files from both.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.machine.controller import ANSIBLE, copy_repository

pytestmark = pytest.mark.thorough

INSTALLED = "collections/ansible_collections/scheduled_tasks/deploy"
ORIGIN_FILES = {"GALAXY.yml", "MANIFEST.json", "FILES.json", "galaxy.yml"}  # where ansible-galaxy records the origin


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def install(folder: Path, requirement: str) -> dict[str, bytes]:
    """Install a requirements.yml with one collection; return its files by their paths."""
    folder.mkdir()
    (folder / "requirements.yml").write_text(f"collections:\n  - {requirement}\n")
    galaxy = str(ANSIBLE / "ansible-galaxy")
    run(folder, galaxy, "collection", "install", "-r", "requirements.yml", "--collections-path=collections")
    root = folder / INSTALLED
    paths = [Path(where, name) for where, _, names in os.walk(root, followlinks=True) for name in names]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths if path.name not in ORIGIN_FILES}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("git") / "scheduled_tasks")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "all"), ("tag", "v0.1.0")):
        run(folder, "git", *command)
    return folder


def test_the_repository_and_the_built_file_install_the_same_files(clone: Path, tmp_path: Path) -> None:
    by_git = install(tmp_path / "git", f"{{name: 'file://{clone}', type: git, version: v0.1.0}}")
    run(tmp_path, str(ANSIBLE / "ansible-galaxy"), "collection", "build", str(clone), "--output-path=dist")
    by_file = install(tmp_path / "file", f"{{name: {tmp_path}/dist/scheduled_tasks-deploy-0.1.0.tar.gz, type: file}}")
    assert by_git == by_file
    needed = {"playbooks/site.yml", "roles/scheduled_tasks/tasks/main.yml", "scheduled_tasks/cli/__init__.py"}
    assert needed <= set(by_git)
    assert not [name for name in by_git if name.startswith(("tests/", "bin/", ".git"))]
