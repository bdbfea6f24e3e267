"""The machine fixture itself: what the other machine tests rely on."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("machine")  # one machine for all tests


def test_it_boots_without_a_failed_unit(machine: Machine) -> None:
    assert machine.run("systemctl", "is-system-running", check=False).stdout == "running\n"


def test_it_has_its_own_name_and_machine_id(machine: Machine) -> None:
    assert machine.run("hostname").stdout == "machine\n" != f"{platform.node()}\n"
    assert machine.run("cat", "/etc/machine-id").stdout != Path("/etc/machine-id").read_text()


def test_files_that_it_writes_do_not_reach_the_host(machine: Machine) -> None:
    machine.run("sh", "-c", "echo written >/opt/by-the-machine")
    assert not Path("/opt/by-the-machine").exists()


def test_a_memory_limit_is_enforced(machine: Machine) -> None:
    take = "x = bytearray(200_000_000); print('taken')"
    run = ("systemd-run", "--wait", "--pipe", "--quiet", "--unit=greedy")
    limits = ("-p", "MemoryMax=50M", "-p", "MemorySwapMax=0")
    assert machine.run(*run, "python3", "-c", take).stdout == "taken\n"
    done = machine.run(*run, *limits, "python3", "-c", take, check=False)
    assert done.stdout == ""
    assert done.returncode != 0


def test_a_task_limit_is_enforced(machine: Machine) -> None:
    many = "sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait"
    run = ("systemd-run", "--wait", "--pipe", "--quiet", "-p", "TasksMax=3")
    assert "fork" in machine.run(*run, "sh", "-c", many, check=False).stderr


def test_the_journal_is_read_as_json(machine: Machine) -> None:
    machine.run("systemd-run", "--wait", "--quiet", "--unit=prints", "echo", '{"printed": "this"}')
    assert machine.log_lines("prints.service") == [{"printed": "this"}]
