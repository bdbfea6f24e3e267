"""An Ansible controller for tests: a user's repository with the collection installed from its file, and its machines.

From a play's output it reads which tasks ran, and which of them changed something on which host.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.documented import command
from tests.kept import kept
from tests.machine.machine import Machine, environment

REPOSITORY = Path(__file__).parents[2]
SHOP = Path(__file__).parent / "shop"
ANSIBLE = Path(sys.prefix, "bin")
PYTHONS = ("3.11", "3.13")  # of Debian 12 and 13
SECRET = "p4ssw0rd-that-nobody-may-see"  # of the database; no play may ever print it


@dataclass(frozen=True)
class Play:
    """A play that was run.

    Attributes:
        exit_code: ansible-playbook's.
        changed: host → the tasks that changed something there, in their order.
        ran: how many tasks ran, on all hosts.
        seconds: how long it took.
        output: everything that it printed.
    """

    exit_code: int
    changed: Mapping[str, list[str]]
    ran: int
    seconds: float
    output: str


def read_play(exit_code: int, output: str, seconds: float) -> Play:
    """Parse the output of ansible-playbook, as its default callback prints it."""
    changed: dict[str, list[str]] = {}
    task, ran = "", 0
    for line in output.splitlines():
        if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(?:[\w.]+ : )?(.*)\] \**$", line):
            task = match[1]
        elif match := re.match(r"(ok|changed|fatal|failed): \[(\w+)(?: -> \w+)?\]", line):
            ran += 1
            changed_there = changed.setdefault(match[2], [])
            if match[1] == "changed" and task not in changed_there:
                changed_there.append(task)
    return Play(exit_code, changed, ran, seconds, output)


@dataclass
class Controller:
    """A folder with a user's repository and the installed collection.

    Attributes:
        folder: the folder.
        machines: host → machine.
        variables: the variables for all hosts that a vault would have.
        host_variables: host → the variables that its `host_vars` would have.
        table: the plays so far, for people: step, tasks run, tasks changed, seconds.
    """

    folder: Path
    machines: dict[str, Machine]
    variables: dict[str, object]
    host_variables: dict[str, dict[str, object]] = field(default_factory=dict)
    table: list[tuple[str, int, int, float]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        """The user's repository."""
        return self.folder / "shop"

    def write(self, path: str, text: str) -> None:
        """Write a file of the user's repository."""
        (self.project / path).parent.mkdir(parents=True, exist_ok=True)
        (self.project / path).write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the user's repository."""
        text = (self.project / path).read_text()
        assert old in text, (path, old)
        (self.project / path).write_text(text.replace(old, new))

    def play(self, step: str, *options: str, playbook: str = "site", fails: bool = False) -> Play:
        """Run a playbook of the collection, as docs/how-to/deploy.md says."""
        begun = time.monotonic()
        with self.started(*options, playbook=playbook) as process:
            output, _ = process.communicate(timeout=600)
        done = read_play(process.returncode, output, time.monotonic() - begun)
        sys.stdout.write(output)  # pytest shows it if a test fails
        assert (done.exit_code != 0) == fails, f"{step}: exit code {done.exit_code}\n{output[-6000:]}"
        assert SECRET not in output
        changes = sum(len(tasks) for tasks in done.changed.values())
        self.table.append((step, done.ran, changes, done.seconds))
        return done

    @contextmanager
    def started(self, *options: str, playbook: str = "site") -> Iterator[subprocess.Popen[str]]:
        """A playbook's process, in a process group of its own: killing the group kills the controller."""
        hosts = {
            name: {
                "ansible_connection": "in_machine",
                "ansible_user": "root",
                "machine_leader": machine.leader,
                "machine_environment": environment(),
                **self.host_variables.get(name, {}),
            }
            for name, machine in self.machines.items()
        }
        (self.folder / "machines.json").write_text(json.dumps({"scheduled_tasks": {"hosts": hosts}}))
        (self.folder / "vault.json").write_text(json.dumps(self.variables))
        process = subprocess.Popen(
            [
                *command("how-to/deploy.md", "plays", "ansible-playbook", f"scheduled_tasks.deploy.{playbook}"),
                *options,
                f"--inventory={self.folder}/machines.json", f"--extra-vars=@{self.folder}/vault.json",
            ],
            cwd=self.project,
            env=os.environ | self.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        with process:
            yield process

    def environment(self) -> dict[str, str]:
        """The environment of ansible-playbook, in addition to the tests' own."""
        return {
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / ".ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{ANSIBLE}:{os.environ['PATH']}",
        }

    def show_table(self) -> str:
        """The plays so far, as a table."""
        rows = [f"{step:44} {ran:4} {changed:7} {seconds:7.1f}" for step, ran, changed, seconds in self.table]
        return "\n".join((f"{'step':44} {'ran':>4} {'changed':>7} {'seconds':>7}", *rows))


def set_up(
    folder: Path,
    machines: dict[str, Machine],
    variables: dict[str, object],
    host_variables: dict[str, dict[str, object]] | None = None,
) -> Controller:
    """Build the collection, install it from its file and copy the user's repository; return the controller."""
    shutil.copytree(SHOP, folder / "shop")
    (folder / "ansible.cfg").write_text(
        f"[defaults]\ncollections_path = {folder}/collections\n"
        f"connection_plugins = {Path(__file__).parent}/connection\ninterpreter_python = auto_silent\n"
        "internal_poll_interval = 0.01\n"
        "[connection]\npipelining = true\n"
    )
    source = copy_repository(folder / "source")
    dist = folder / "shop/dist"
    galaxy = [str(ANSIBLE / "ansible-galaxy"), "collection"]
    controller = Controller(folder, machines, variables, host_variables or {})
    for arguments in (
        [*galaxy, "build", str(source), f"--output-path={dist}"],
        [*command("how-to/deploy.md", "plays", "ansible-galaxy"), "--offline"],
    ):
        done = subprocess.run(
            arguments, cwd=folder / "shop", capture_output=True, text=True, check=False,
            env=os.environ | controller.environment(),
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return controller


def copy_repository(folder: Path) -> Path:
    """Copy the repository as a clone has it, without the ignored files of a checkout."""
    for name in listed_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    return folder


def listed_files() -> list[str]:
    """The repository's files, including those that aren't committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [name for name in filter(None, listed.split("\0")) if os.path.lexists(REPOSITORY / name)]


def wheelhouse(*requirements: Path) -> Path:
    """A folder with the wheels of locked requirements, for every Python of the machines; kept for the next tests."""
    key = hashlib.sha256(b"".join(path.read_bytes() for path in requirements)).hexdigest()[:12]
    platforms = [f"--platform={platform}_x86_64" for platform in ("manylinux_2_28", "manylinux2014", "linux")]

    def download(folder: Path) -> None:
        for path in requirements:
            for python in PYTHONS:
                command = [
                    sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps",
                    "--only-binary=:all:", f"--python-version={python}", *platforms, f"--requirement={path}",
                    f"--dest={folder}",
                ]  # fmt: skip
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr

    return kept(f"wheelhouse-{key}", download)
