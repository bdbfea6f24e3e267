"""Fixtures of the machine tests: one booted systemd per module, always cleaned up, and a project on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import python_inside
from tests.machine.machine import Machine, booted
from tests.machine.project import SmallProject, set_up
from tests.roots import debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator


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
