"""Run run-task as a job's service does: in a process of its own, in a project's folder; read and validate its lines."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import jsonschema

import scheduled_tasks.run

PROJECTS = Path(__file__).parent / "projects"
SCHEMA = json.loads(Path(scheduled_tasks.run.__file__).with_name("log_line.schema.json").read_text())
DEADLINE = 240  # seconds; a run that takes longer hangs

Line = dict[str, Any]


def read_line(text: str | bytes) -> Line:
    """Parse one log line and validate it against the shipped schema."""
    line: Line = json.loads(text)
    jsonschema.validate(line, SCHEMA)
    return line


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    exit_code: int
    lines: list[Line]
    stderr: str

    @property
    def own(self) -> list[Line]:
        return [line for line in self.lines if "status" in line]

    @property
    def statuses(self) -> list[str]:
        return [line["status"] for line in self.own]

    @property
    def end(self) -> Line:
        """The run's last own line."""
        return self.own[-1]

    def messages(self, *, level: str) -> list[str]:
        """The messages at a level, except the run's own lines."""
        return [line["message"] for line in self.lines if line["level"] == level and "status" not in line]


@dataclass
class Running:
    """A run in progress: `line()` waits for its next line."""

    process: subprocess.Popen[bytes]
    lines: list[Line] = field(default_factory=list)
    _unread: bytes = b""

    def line(self) -> Line:
        deadline = time.monotonic() + DEADLINE
        while b"\n" not in self._unread:
            chunk = self._read(deadline)
            assert chunk, f"ended after {self.lines}"
            self._unread += chunk
        first, _, self._unread = self._unread.partition(b"\n")
        self.lines.append(read_line(first))
        return self.lines[-1]

    def wait_for(self, message: str) -> None:
        while self.line()["message"] != message:
            pass

    def finish(self) -> Finished:
        deadline = time.monotonic() + DEADLINE
        while chunk := self._read(deadline):
            self._unread += chunk
        assert self._unread == b"" or self._unread.endswith(b"\n"), self._unread
        self.lines += map(read_line, self._unread.splitlines())
        exit_code = self.process.wait(DEADLINE)
        assert self.process.stderr is not None
        self.process.stderr.seek(0)
        return Finished(exit_code, self.lines, self.process.stderr.read().decode())

    def _read(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"hangs after {self.lines}"
        return os.read(self.process.stdout.fileno(), 1 << 16)


@dataclass(frozen=True)
class Project:
    """A project's folder, and the environment its runs get."""

    folder: Path
    errors: Path
    environment: dict[str, str]

    def start(self, *argv: str, stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.PIPE, **env: str) -> Running:
        self.errors.touch()
        stderr: IO[bytes] = self.errors.open("r+b")
        stderr.truncate()
        command = [sys.executable, "-P", "-m", "scheduled_tasks.run.main", *argv]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment | env, stdin=stdin, stdout=stdout, stderr=stderr
        )
        process.stderr = stderr  # a file, so that the run goes on even if nobody reads it
        return Running(process)

    def run(self, *argv: str, **env: str) -> Finished:
        running = self.start(*argv, **env)
        try:
            return running.finish()
        finally:
            close(running)


def copy(name: str, folder: Path, **environment: str) -> Project:
    """A copy of one of the projects beside this file, for a test of its own."""
    target = folder / name
    shutil.copytree(PROJECTS / name, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    plain = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    here = str(Path(scheduled_tasks.__file__).parents[1])
    return Project(
        target,
        folder / "stderr",
        plain | {"PYTHONPATH": here, "PYTHONWARNINGS": "default,ignore::ResourceWarning"} | environment,
    )


def close(running: Running) -> None:
    """Kill the run and close its streams, whatever state the test left it in."""
    running.process.kill()
    running.process.wait(DEADLINE)
    for stream in (running.process.stdin, running.process.stdout, running.process.stderr):
        if stream is not None:
            stream.close()
