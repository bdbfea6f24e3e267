"""bin/setup, with a package of our own in place of those of requirements/local.txt, and no index of packages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.documented import ROOT

DEBIANS = "/usr/bin/python3"  # that users other than root can run, wherever this one is


pytestmark = pytest.mark.xdist_group("setup")  # its module-scoped checkout is set up once
NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"
STEPS = [
    "Setting up .venv, once, with the 2 packages of requirements/local.txt:",
    "  making a virtual environment",
    "  finding and downloading the packages",
    "  unpacking them",
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("checkout"))


def make_checkout(folder: Path) -> Path:
    (folder / "bin").mkdir()
    (folder / "requirements").mkdir()
    shutil.copy(ROOT / "bin/setup", folder / "bin")
    require(folder, {name: make_wheel(folder, name) for name in ("tiny", "small")})
    return folder


def make_wheel(folder: Path, name: str) -> str:
    """Make a wheel with an empty module; return its hash."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def require(checkout: Path, digests: dict[str, str]) -> None:
    lines = [f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in digests.items()]
    (checkout / "requirements/local.txt").write_text("".join(lines))


def set_up(checkout: Path, *, user: int | None = None, python: str = sys.executable) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(checkout / "bin/setup"), "local"],
        env=environment(checkout, python), user=user, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def environment(checkout: Path, python: str = sys.executable) -> dict[str, str]:
    only_ours = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout), "PIP_CONFIG_FILE": os.devnull}
    inherited = {name: value for name, value in os.environ.items() if name != NO_BYTE_CODE}
    return {**inherited, **only_ours, "PYTHON": python}


@pytest.fixture(scope="module")
def done(checkout: Path) -> tuple[int, str, str]:
    return set_up(checkout)


def test_it_tells_each_step_on_standard_error(done: tuple[int, str, str]) -> None:
    code, output, errors = done
    assert (code, output) == (0, "")
    *steps, last = errors.splitlines()
    assert steps == STEPS
    assert last.startswith("  done in ")


@pytest.mark.usefixtures("done")
def test_what_it_installed_can_be_imported_and_pip_itself_runs(checkout: Path) -> None:
    python = str(checkout / ".venv/bin/python")
    assert subprocess.run([python, "-c", "import tiny, small"], check=False).returncode == 0
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()[2:]] == ["pip", "small", "tiny"]


@pytest.mark.parametrize(("variables", "compiled"), [({}, set()), ({NO_BYTE_CODE: "1"}, {"tiny", "small"})])
def test_packages_are_compiled_at_once_only_if_commands_may_keep_no_byte_code(
    tmp_path: Path, variables: dict[str, str], compiled: set[str]
) -> None:
    checkout = make_checkout(tmp_path)
    command = [str(checkout / "bin/setup"), "local"]
    subprocess.run(command, env=environment(checkout) | variables, check=True, capture_output=True)
    found = checkout.glob(".venv/lib/*/site-packages/__pycache__/*.pyc")
    assert {path.name.partition(".")[0] for path in found} & {"tiny", "small"} == compiled


@pytest.mark.usefixtures("done")
def test_a_second_call_says_and_does_nothing(checkout: Path) -> None:
    assert set_up(checkout) == (0, "", "")


@pytest.mark.usefixtures("done")
def test_it_says_that_it_waits_for_another_command(checkout: Path) -> None:
    with (checkout / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [str(checkout / "bin/setup"), "local"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(checkout)) as waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline() == "Waiting for another command that sets up .venv ...\n"
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert waiting.wait() == 0


@pytest.mark.usefixtures("done")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_checkout_is_refused_in_one_sentence(checkout: Path) -> None:
    for folder in (checkout, *checkout.parents[:3]):
        folder.chmod(0o755)
    code, _, errors = set_up(checkout, user=65534, python=DEBIANS)
    assert code == 77
    assert errors == f"{checkout} belongs to root, and you can't write it: clone the project for yourself.\n"


@pytest.mark.usefixtures("done")
def test_a_terminal_gets_a_bar(checkout: Path) -> None:
    for file in (checkout / ".venv/.local", *checkout.glob(".venv/lib/*/site-packages/*-1.0.dist-info/METADATA")):
        file.unlink()
    ours, theirs = pty.openpty()
    command = [str(checkout / "bin/setup"), "local"]
    code = subprocess.run(command, stderr=theirs, env=environment(checkout), check=False).returncode
    os.close(theirs)
    assert code == 0
    shown = os.read(ours, 1 << 16).decode()
    assert "[##########----------] 1/2 " in shown
    assert "[####################] 2/2 " in shown
    os.close(ours)


@pytest.mark.usefixtures("done")
def test_pips_reason_is_shown_if_it_fails_and_the_next_call_tries_again(checkout: Path) -> None:
    require(checkout, {"missing": "0" * 64})
    code, _, errors = set_up(checkout)
    assert code == 1
    assert "pip failed:" in errors
    assert "No matching distribution found for missing==1.0" in errors
    assert set_up(checkout)[0] == 1
