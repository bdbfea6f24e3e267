"""The steps of the container image, as written: without a builder, each RUN is executed here, in other folders.

Then the image's command is run as in a container: by a user other than root, who can write nothing, with the credential
in a file.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.roots import require

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 65532
CONFIGURATION = """\
domains = "scheduled_tasks.domains"
clocks = "scheduled_tasks.clocks"
features = "scheduled_tasks.domains.features:FeatureToggle"
app = "scheduled_tasks.domains.application:create_app"
timezone = "Europe/Paris"
"""


def steps() -> list[tuple[str, str]]:
    return re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_image_has_a_build_stage_and_a_small_final_stage_that_does_not_run_as_root() -> None:
    words = dict(steps())
    assert words["USER"] == f"{NOBODY}:{NOBODY}"
    assert words["CMD"] == '["run-task", "--help"]'
    stages = [value for name, value in steps() if name == "FROM"]
    assert stages == ["python:${PYTHON}-slim AS build", "python:${PYTHON}-slim"]
    assert "RUN" not in DOCKERFILE.rpartition("FROM")[2]


def python_for_everybody() -> str:
    """A Python that other users can run: root's is often in a folder that only root can enter."""
    for python in (sys.executable, "/usr/bin/python3"):
        probe = [python, "-c", "import ensurepip, venv"]
        try:
            done = subprocess.run(probe, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    require("the image needs a Python for everybody: run 'apt-get install python3-venv' as root")
    raise AssertionError


@pytest.fixture(scope="session")
def image() -> Iterator[Path]:
    """The content of the image's /opt/app."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    source = folder / "src"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ignored = tuple((ROOT / ".dockerignore").read_text().split())
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith(ignored):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(python_for_everybody())
    environment = dict(os.environ, PATH=f"{folder / 'bin'}:{os.environ['PATH']}")
    environment.pop("VIRTUAL_ENV", None)
    for name, command in steps():
        if name == "RUN":
            here = command.replace("/opt/app", str(folder / "app")).replace("--no-cache-dir ", "")
            done = subprocess.run(
                here, shell=True, cwd=source, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
    shutil.rmtree(source)  # the second stage does not have it
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def over_tcp(database_url: str) -> Iterator[str]:
    """The database's URL over TCP, as in a pod: only the server's user can use its socket."""
    parts = conninfo_to_dict(database_url)
    path = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"

    class Forwarder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(path)
                other = {self.request: server, server: self.request}
                while True:
                    for readable in select.select(list(other), [], [])[0]:
                        data = readable.recv(1 << 16)
                        if not data:
                            return
                        other[readable].sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forwarder) as forwarding:
        forwarding.daemon_threads = True
        thread = threading.Thread(target=forwarding.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"postgresql://{parts['user']}@127.0.0.1:{forwarding.server_address[1]}/{parts['dbname']}"
        forwarding.shutdown()
        thread.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user: sudo bin/test")
def test_run_task_runs_in_the_image_as_a_user_other_than_root(image: Path, over_tcp: str) -> None:
    (image / "credentials").mkdir()
    (image / "credentials/database_url").write_text(over_tcp)
    (image / "config.toml").write_text(CONFIGURATION)
    environment = {
        "PATH": f"{image}/app/bin:/usr/bin:/bin",
        "SCHEDULED_TASKS_CONFIG": str(image / "config.toml"),
        "CREDENTIALS_DIRECTORY": str(image / "credentials"),
    }
    done = subprocess.run(
        ["run-task", "booking.cancel_expired_bookings", "--clock=booking", "--job=cancel_expired_bookings"],
        executable=str(image / "app/bin/run-task"), cwd="/", env=environment,
        user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    end = [line for line in map(json.loads, done.stdout.splitlines()) if "status" in line][-1]
    assert (end["status"], end["job"]) == ("ended", "cancel_expired_bookings")


def test_the_image_is_small(image: Path) -> None:
    size = sum(path.stat().st_size for path in (image / "app").rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 120_000_000
