"""A release is built and installed without any network: from a wheelhouse, in a network namespace that has none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.controller import REPOSITORY, SHOP, wheelhouse
from tests.roots import lacking, require

SCRIPTS = REPOSITORY / "ansible/roles/scheduled_tasks/files"
LOCKED, TOOLS = SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt"


@pytest.fixture(scope="module")
def wheels() -> Path:
    require(lacking("a network namespace", {"unshare": "util-linux"}))
    return wheelhouse(LOCKED, TOOLS)


def without_network(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["unshare", "--net", *command], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def build(cache: Path, wheels: Path, *sources: Path) -> dict[str, str]:
    files = (f"--build-requirements={TOOLS}", f"--requirements={LOCKED}", f"--wheelhouse={wheels}")
    script = str(SCRIPTS / "build_release.py")
    done = without_network(sys.executable, script, f"--cache={cache}", *files, *map(str, sources))
    built: dict[str, str] = json.loads(done.stdout)
    return built


def test_a_release_needs_no_network_and_is_named_by_its_contents(tmp_path: Path, wheels: Path) -> None:
    assert without_network("cat", "/proc/net/route").stdout.splitlines()[1:] == []  # there is no route
    built = build(tmp_path / "cache", wheels, REPOSITORY, SHOP)
    assert built["release"].startswith("shop-1.0.0-")
    again = build(tmp_path / "cache", wheels, REPOSITORY, SHOP)
    assert again == built

    release = tmp_path / "releases" / built["release"]
    release.parent.mkdir()
    without_network(sys.executable, str(SCRIPTS / "install_release.py"), built["bundle"], str(release))
    assert (release / ".complete").exists()
    listed = without_network(str(release / "bin/python"), "-c", "import shop.tasks.stock, psycopg, scheduled_tasks.cli")
    assert listed.stderr == ""


def test_a_dependency_without_a_locked_hash_is_rejected(tmp_path: Path, wheels: Path) -> None:
    locked = tmp_path / "requirements.txt"
    locked.write_text(LOCKED.read_text().replace("--hash=sha256:", "--hash=sha256:0000", 1))
    script = (sys.executable, str(SCRIPTS / "build_release.py"), f"--cache={tmp_path}", f"--build-requirements={TOOLS}")
    wheel = build(tmp_path, wheels, SHOP)
    assert wheel["release"].startswith("shop-")
    done = without_network(*script, f"--requirements={locked}", f"--wheelhouse={wheels}", str(SHOP))
    release = tmp_path / "release"
    made = without_network(
        sys.executable,
        str(SCRIPTS / "install_release.py"),
        json.loads(done.stdout)["bundle"],
        str(release),
        check=False,
    )
    assert made.returncode != 0
    assert "hash" in made.stderr.lower()
    assert not (release / ".complete").exists()


def test_a_fault_in_a_clock_file_is_found_on_the_controller(tmp_path: Path) -> None:
    project = shutil.copytree(SHOP, tmp_path / "shop")
    (project / ".venv/bin").mkdir(parents=True)
    clocks = project / ".venv/bin/clocks"
    clocks.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m scheduled_tasks.cli "$@"\n')
    clocks.chmod(0o755)
    clock = next((project / "shop/clocks").glob("[a-z]*.py"))
    clock.write_text(clock.read_text() + "\nscheduler.add_job(nothing, 'cron', id='wrong', hour=25)\n")
    command = [sys.executable, str(SCRIPTS / "build_release.py"), f"--cache={tmp_path / 'cache'}"]
    options = [f"--build-requirements={TOOLS}", f"--requirements={LOCKED}", str(project)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{project}: nothing was built, because its clock files have faults:\n")
    assert clock.name in done.stderr
    assert not (tmp_path / "cache").exists()


def test_a_file_that_the_controller_lacks_is_named(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "build_release.py"), f"--cache={tmp_path}"]
    files = [f"--build-requirements={TOOLS}", "--requirements=/nowhere.txt", str(SHOP)]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.stderr == "/nowhere.txt: no such file or folder on the controller\n"
