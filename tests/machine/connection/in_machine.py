"""An Ansible connection into a booted test machine: in place of ssh, nsenter(1) enters the namespaces of its PID 1.

Commands get only the environment that the inventory lists in `machine_environment`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: in_machine
short_description: enters a test machine
description: Enters the namespaces of a test machine's PID 1.
options:
  leader:
    description: the machine's PID 1, as the host numbers it
    type: int
    vars: [{name: machine_leader}]
  environment:
    description: the environment inside
    type: list
    elements: str
    vars: [{name: machine_environment}]
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(ConnectionBase):  # type: ignore[misc]  # Ansible ships no types
    """Run commands in a machine, and copy files with them."""

    transport = "in_machine"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        """Mark the connection as closed: nothing else is open."""
        self._connected = False

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:  # noqa: FBT001, FBT002 - Ansible's signature
        """Run a command with sh; return its exit code and its output."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = self._inside(["/bin/sh", "-c", cmd], in_data or b"")
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the machine."""
        super().put_file(in_path, out_path)
        self._inside(["/bin/sh", "-c", 'cat >"$0"', out_path], Path(in_path).read_bytes()).check_returncode()

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the machine."""
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._inside(["cat", in_path]).stdout)

    def _inside(self, command: list[str], data: bytes = b"") -> subprocess.CompletedProcess[Any]:
        enter = ["nsenter", "--target", str(self.get_option("leader")), "--all", "env", "--ignore-environment"]
        clean = [*enter, "--chdir=/", *self.get_option("environment")]
        return subprocess.run([*clean, *command], input=data, capture_output=True, check=False)
