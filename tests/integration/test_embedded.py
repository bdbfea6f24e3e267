"""The embedded PostgreSQL of a project: one user's own, whoever has used one on this machine before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduled_tasks.render.names import ALL_SERVICES, Places
from scheduled_tasks.run import settings
from tests.documented import ROOT

PYPROJECT = """
[tool.scheduled_tasks]
domains = "shop.tasks"
clocks = "shop.clocks"
"""


@pytest.fixture
def project() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="shop-"))  # the path of a socket must be short
    folder.chmod(0o755)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    yield folder
    clocks(folder, "setup", "--stop")
    shutil.rmtree(folder)


def clocks(project: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    without = {"DATABASE_URL", "OPERATORS_DATABASE_URL", "XDG_RUNTIME_DIR"}
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    config = str(project / "pyproject.toml")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scheduled_tasks.cli", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**inherited, "PYTHONPATH": str(ROOT), "SCHEDULED_TASKS_CONFIG": config, **environment},
    )  # fmt: skip
    return done.returncode, done.stderr


def test_another_users_lock_is_not_in_the_way(project: Path, tmp_path: Path) -> None:
    (tmp_path / ".lockfile").mkdir()  # like another user's file, it can't be opened
    tmp_path.chmod(0o755)
    assert clocks(project, "setup", TMPDIR=str(tmp_path)) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_the_server_of_another_user_is_refused_in_one_sentence(project: Path) -> None:
    state = project / ".scheduled-tasks"
    state.mkdir()
    os.chown(state, 65534, 65534)
    expected = (
        f"clocks: the embedded PostgreSQL of {project} is nobody's: clone the project for yourself, or set DATABASE_URL"
        " to a PostgreSQL of your own\n"
    )
    assert clocks(project, "setup") == (78, expected)
    assert clocks(project, "history") == (
        78,
        f"{expected}clocks: the project could not be set up; the reason is above\n",
    )
    shutil.rmtree(state)


def test_a_predictable_folder_of_another_user_is_not_trusted(project: Path, tmp_path: Path) -> None:
    ours = tmp_path / f"scheduled-tasks-{os.geteuid()}"
    (tmp_path / "theirs").mkdir()
    ours.symlink_to(tmp_path / "theirs")
    code, error = clocks(project, "setup", TMPDIR=str(tmp_path))
    assert (code, error.partition(":")[0]) == (78, "clocks")
    assert f"{ours} is not a folder of yours" in error
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_project_that_is_applied_to_this_machine_gets_no_embedded_server(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = tmp_path / "10-every-job.conf"
    monkeypatch.setattr(settings, "DEPLOYED_SERVICES", services)
    configuration = settings.Settings(project / "pyproject.toml", {}, deployed=False)
    assert configuration.sets_up
    services.write_text("[Service]\nEnvironment=SCHEDULED_TASKS_CONFIG=/srv/another/pyproject.toml\n")
    assert configuration.sets_up
    services.write_text(f"[Service]\nEnvironment=SCHEDULED_TASKS_CONFIG={project}/pyproject.toml\n")
    assert not configuration.sets_up


def test_the_file_that_names_a_machines_configuration_is_where_an_apply_links_it() -> None:
    assert Places().current / ALL_SERVICES == settings.DEPLOYED_SERVICES
