"""A release is built and installed without any network: from a wheelhouse, in a network namespace that has none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.machine.controller import REPOSITORY, SHOP, wheelhouse
from tests.roots import lacking, require

pytestmark = pytest.mark.thorough

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


def install(built: dict[str, str], folder: Path) -> Path:
    """Install a release and make it the current one."""
    release, current = folder / "releases" / built["release"], folder / "current"
    release.parent.mkdir(exist_ok=True)
    script = str(SCRIPTS / "install_release.py")
    without_network(sys.executable, script, built["bundle"], str(release), str(current))
    current.unlink(missing_ok=True)
    current.symlink_to(release)
    return release


@pytest.fixture(scope="module")
def host(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project in `shop` and its first release in `releases`, the current one."""
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(SHOP, folder / "shop")
    install(build(folder / "cache", wheels, REPOSITORY, folder / "shop"), folder)
    return folder


def next_release(host: Path, wheels: Path, version: str, *, lacks: str = "") -> Path:
    """Install a version of the project from a bundle that lacks a wheel of the dependencies."""
    (host / "shop/shop/version.py").write_text(f'VERSION = "{version}"\n')
    built = build(host / "cache", wheels, REPOSITORY, host / "shop")
    bundle = Path(built["bundle"])
    with tarfile.open(bundle) as archive, tarfile.open(bundle.with_suffix(".new"), "w") as smaller:
        for member in archive:
            if not lacks or not member.name.startswith(f"dependencies/{lacks}-"):
                smaller.addfile(member, archive.extractfile(member))
    bundle.with_suffix(".new").rename(bundle)
    return install(built, host)


def test_a_release_needs_no_network_and_is_named_by_its_contents(host: Path, wheels: Path) -> None:
    assert without_network("cat", "/proc/net/route").stdout.splitlines()[1:] == []  # there is no route
    release = (host / "current").resolve()
    assert release.name.startswith("shop-1.0.0-")
    assert build(host / "cache", wheels, REPOSITORY, SHOP)["release"] == release.name
    assert (release / ".complete").exists()
    listed = without_network(str(release / "bin/python"), "-c", "import shop.tasks.stock, psycopg, scheduled_tasks.cli")
    assert listed.stderr == ""


def test_a_release_takes_over_the_dependencies_of_the_current_one_unless_somebody_changed_them(
    host: Path, wheels: Path
) -> None:
    first = (host / "current").resolve()
    next_release(host, wheels, "2", lacks="rich")
    third = next_release(host, wheels, "3", lacks="rich")
    program = "import rich.table, psycopg, shop.version as v; print(v.VERSION, rich.table.__file__)"
    shown = without_network(str(third / "bin/python"), "-c", program).stdout
    table = next(third.glob("lib/*/site-packages/rich/table.py"))
    assert shown.split() == ["3", str(table)]
    assert without_network(str(third / "bin/pygmentize"), "-V").stdout.startswith("Pygments")
    assert [path for path in (third / "bin").iterdir() if str(first).encode() in path.read_bytes()] == []
    files = [{path.relative_to(release) for path in release.rglob("*")} for release in (first, third)]
    assert files[0] ^ files[1] == set()

    table.write_text("# mine")
    fourth = next_release(host, wheels, "4")
    assert "class Table" in (fourth / table.relative_to(third)).read_text()


def test_a_dependency_without_a_locked_hash_is_rejected(tmp_path: Path, wheels: Path) -> None:
    locked = tmp_path / "requirements.txt"
    text = LOCKED.read_text()
    first = text[: text.index("==", text.index("==") + 2)]  # up to the second dependency's name
    locked.write_text(text.replace(first, first.replace("--hash=sha256:", "--hash=sha256:0000"), 1))
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
        str(tmp_path / "current"),
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
