"""Fixtures of the machine tests: one booted systemd per module, always cleaned up, and a project on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import python_inside
from tests.machine.machine import Machine, booted
from tests.machine.project import SmallProject, set_up
from tests.roots import ON_DEBIAN_13, debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a module's tests on Debian 13's systemd be a group of their own, which another process can run."""
    for item in items:
        group = item.get_closest_marker("xdist_group")
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if group and any(value in {"Debian 13's", "257"} for value in map(str, parameters)):
            item.add_marker(pytest.mark.xdist_group(f"{group.args[0]}{ON_DEBIAN_13}"), append=False)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A freshly booted machine. If none can be booted, the tests are skipped; in CI they fail."""
    with booted("machine") as one:
        yield one


@pytest.fixture(scope="module", params=["this machine's", "Debian 13's"])
def either_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A freshly booted machine with this host's systemd, then one with Debian 13's (257)."""
    with booted("machine", debian_13() if request.param == "Debian 13's" else Path("/")) as one:
        yield one


@pytest.fixture(scope="module")
def project(either_machine: Machine) -> Iterator[SmallProject]:
    """The small project on each of these machines, with its commands loaded."""
    with python_inside(either_machine) as inside:
        yield set_up(either_machine, inside)
