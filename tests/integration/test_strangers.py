"""The wheel in other people's projects: a Flask bakery and a Django library that do not know this one.

The wheel is built, installed as pip does it into an environment of its own (its dependencies are this environment's,
lent by a path file), and only its console scripts are called.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import scheduled_tasks
import scheduled_tasks.testing

pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("strangers")]  # the wheel is installed once

ROOT = Path(__file__).parents[2]
STRANGERS = ROOT / "tests/strangers"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the console scripts of an environment that the wheel was installed into."""
    folder = tmp_path_factory.mktemp("stranger")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    [site] = folder.glob("venv/lib/python3*/site-packages")
    install = [sys.executable, "-m", "pip", "--python", str(folder / "venv/bin/python"), "install", "-q", "--no-deps",
               "--no-index", "--disable-pip-version-check", str(wheel)]  # fmt: skip
    subprocess.run(install, check=True)
    # Lend this environment's packages, on which the wheel depends, but not this checkout, which a path file names.
    lent = folder / "lent"
    lent.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.suffix != ".pth":
            (lent / entry.name).symlink_to(entry)
    (site / "lent.pth").write_text(f"{lent}\n")
    return folder / "venv/bin"


@pytest.fixture
def call(scripts: Path, database_url: str) -> Command:
    def call(
        name: str, *arguments: str, cwd: Path, exit_code: int = 0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        plain = {"PATH": f"{scripts}:/usr/bin:/bin", "HOME": os.environ["HOME"], "DATABASE_URL": database_url}
        command = [str(scripts / name), *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=plain | dict(environment or {}), capture_output=True, text=True, check=False
        )
        assert done.returncode == exit_code, done.stderr + done.stdout
        return done

    return call


def stranger(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(STRANGERS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")))


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_without_a_configuration_the_worked_example_is_not_available(call: Command, tmp_path: Path) -> None:
    message = call("clocks", "list", cwd=tmp_path, exit_code=78).stderr
    assert "no configuration" in message
    assert "clocks init" in message
    failed = call("run-task", "booking.cancel_expired_bookings", cwd=tmp_path, exit_code=78)
    assert lines(failed)[-1]["status"] == "failed"


def test_the_package_that_runs_is_the_wheels(scripts: Path, tmp_path: Path) -> None:
    command = [str(scripts / "python"), "-P", "-c", "import scheduled_tasks; print(scheduled_tasks.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(scripts.parent))


def test_a_typed_project_is_checked_against_the_wheel(scripts: Path, tmp_path: Path) -> None:
    typed = Path(shutil.copy(STRANGERS / "typed.py", tmp_path))
    used = set(re.findall(r"\w+", typed.read_text()))
    assert used > {*scheduled_tasks.__all__, *scheduled_tasks.testing.__all__}
    command = [sys.executable, "-m", "mypy", "--strict", f"--python-executable={scripts / 'python'}", "typed.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "package", "app"),
    [("flask_bakery", "bakery", "bakery:create_app"), ("django_library", "library", "library.scheduled:set_up")],
)
def test_init_writes_a_configuration_that_works(
    call: Command, tmp_path: Path, name: str, package: str, app: str
) -> None:
    project = stranger(name, tmp_path)
    before = (project / "pyproject.toml").read_text()
    assert "would write" in call("clocks", "init", "--timezone", "Europe/Paris", "--dry-run", cwd=project).stdout
    assert (project / "pyproject.toml").read_text() == before
    call("clocks", "init", "--timezone", "Europe/Paris", cwd=project)
    after = (project / "pyproject.toml").read_text()
    assert after.startswith(before)
    assert f'app = "{app}"' in after
    listed = json.loads(call("clocks", "list", "--json", cwd=project).stdout)
    assert [(job["clock"], job["task"]) for job in listed] == [("example", "example.say_hello")]
    call("clocks", "features", "sync", cwd=project)
    done = lines(call("run-task", "example.say_hello", cwd=project))
    assert [line["message"] for line in done if "status" not in line] == ["hello"]
    assert done[-1]["feature"] == "EXAMPLE"
    call("clocks", "features", "disable", "EXAMPLE", cwd=project)
    assert lines(call("run-task", "example.say_hello", cwd=project))[-1]["status"] == "skipped"
    units = project / "units"
    call("clocks", "render", str(units), cwd=project)
    assert "bin/run-task example.say_hello" in (units / "clock-example-say_hello.service").read_text()
    again = call("clocks", "init", "--timezone", "Europe/Paris", cwd=project, exit_code=78)
    assert "already" in again.stderr
    assert not (project / package / "domains").exists()


def test_init_makes_a_project_in_an_empty_folder_and_git_leaves_its_database_and_secrets_out(
    call: Command, tmp_path: Path
) -> None:
    assert "--package" in call("clocks", "init", "--timezone", "UTC", cwd=tmp_path, exit_code=64).stderr
    assert "not the name of a package" in call(
        "clocks", "init", "--timezone", "UTC", "--package", "web-shop", cwd=tmp_path, exit_code=64
    ).stderr  # fmt: skip
    call("clocks", "init", "--timezone", "UTC", "--package", "web_shop", cwd=tmp_path)
    call("run-task", "example.say_hello", cwd=tmp_path)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "wheels"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / "wheels/web_shop-0.1.0-py3-none-any.whl") as wheel:
        assert {"web_shop/tasks/example.py", "web_shop/clocks/example.py"} <= set(wheel.namelist())
        assert b"Requires-Dist: scheduled-tasks" in wheel.read("web_shop-0.1.0.dist-info/METADATA")
    for secret in (".scheduled-tasks/postgresql", "credentials/database_url", ".venv/bin"):
        (tmp_path / secret).parent.mkdir(exist_ok=True)
        (tmp_path / secret).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    untracked = {line.split()[1].split("/")[0] for line in listed.stdout.splitlines()}
    assert untracked == {".gitignore", "pyproject.toml", "web_shop", "wheels"}


def test_init_adds_what_an_existing_gitignore_lacks(call: Command, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n/credentials")
    call("clocks", "init", "--timezone", "UTC", "--package", "shop", cwd=tmp_path)
    ignored = (tmp_path / ".gitignore").read_text()
    assert ignored == "*.log\n/credentials\n# the embedded PostgreSQL\n/.scheduled-tasks/\n"


@pytest.mark.parametrize("command", [("check",), ("plan",), ("plan", "--root", "image"), ("apply", "--root", "image")])
def test_jobs_without_a_database_are_refused_with_what_to_write(
    call: Command, tmp_path: Path, command: tuple[str, ...]
) -> None:
    call("clocks", "init", "--timezone", "UTC", "--package", "shop", cwd=tmp_path)
    file = tmp_path / "credentials/database_url"
    if "--root" not in command:
        done = call("clocks", *command, cwd=tmp_path, exit_code=65)
        assert f"the jobs have no database: write the URL of a PostgreSQL into {file}" in done.stdout + done.stderr
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("credentials =", "# credentials ="))
    done = call("clocks", *command, cwd=tmp_path, exit_code=65)
    assert f'write credentials = ["database_url"] into {pyproject}, and ' in done.stdout + done.stderr
    assert not (tmp_path / ".scheduled-tasks").exists()
    assert not (tmp_path / "image").exists()


def test_a_service_sets_up_no_database(call: Command, tmp_path: Path) -> None:
    call("clocks", "init", "--timezone", "UTC", "--package", "shop", cwd=tmp_path)
    service = {"DATABASE_URL": "", "STATE_DIRECTORY": "/var/lib/scheduled-tasks/results/clock-example-say_hello"}
    failed = call("run-task", "example.say_hello", cwd=tmp_path, exit_code=78, environment=service)
    assert "no database is configured: give the service a credential database_url" in lines(failed)[-1]["reason"]
    assert failed.stderr.count("\n") <= 1
    assert not (tmp_path / ".scheduled-tasks").exists()
    assert (
        '"failed": "database"'
        in call("run-task", "--probe", "example.say_hello", cwd=tmp_path, environment=service).stdout
    )


def test_the_bakerys_clock_moves_in_and_its_task_runs_in_flask(call: Command, tmp_path: Path) -> None:
    project = stranger("flask_bakery", tmp_path)
    call("clocks", "init", "--timezone", "Europe/Paris", cwd=project)
    summary = call("clocks", "import", "apscheduler", "clock.py", cwd=project).stdout
    assert summary.startswith("1 imported exactly, 1 imported with a difference")
    shutil.copy(project / "imported/clocks/clock.py", project / "bakery/clocks/oven.py")
    shutil.copy(project / "imported/tasks/clock.py", project / "bakery/tasks/clock.py")
    listed = json.loads(call("clocks", "list", "--json", cwd=project).stdout)
    assert [job["job"] for job in listed if job["clock"] == "oven"] == ["bake", "bake_for_noon"]
    done = lines(call("run-task", "clock.bake", "--clock=oven", "--job=bake", cwd=project))
    assert [line["message"] for line in done if line["level"] == "warning"] == ["baked 0"]
    assert done[-1]["status"] == "ended"


REMIND = '''"""Reminders."""

import logging

from loans.models import Loan

from scheduled_tasks import cron_context, log_cron


@log_cron
@cron_context
def remind(app):
    """Remind of loans."""
    logging.getLogger(__name__).info("%s loans, %s", Loan.objects.count(), app.ready)
'''
DESK = '''"""The desk's clock."""

from library.tasks.desk import remind
from scheduled_tasks import Clock, app

scheduler = Clock()
scheduler.add_job(remind, "cron", [app], id="remind", day_of_week="mon-fri", hour=7)
'''


def test_a_task_of_the_library_uses_djangos_models(call: Command, scripts: Path, tmp_path: Path) -> None:
    project = stranger("django_library", tmp_path)
    call("clocks", "init", "--timezone", "Europe/Berlin", cwd=project)
    (project / "library/tasks/desk.py").write_text(REMIND)
    (project / "library/clocks/desk.py").write_text(DESK)
    migrate = [str(scripts / "python"), "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=project, check=True)
    listed = json.loads(call("clocks", "list", "--json", cwd=project).stdout)
    assert [job["job"] for job in listed] == ["remind", "say_hello"]
    done = lines(call("run-task", "desk.remind", cwd=project))
    assert [line["message"] for line in done if "status" not in line] == ["0 loans, True"]
    call("clocks", "import", "crontab", "crontab", cwd=project)
    shutil.copy(project / "imported/clocks/crontab.py", project / "library/clocks/old_crontab.py")
    listed = json.loads(call("clocks", "list", "--json", cwd=project).stdout)
    assert ("old_crontab", "command.run") in [(job["clock"], job["task"]) for job in listed]
