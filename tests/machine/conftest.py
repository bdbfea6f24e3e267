"""The fixtures of the machine tests: a booted systemd, one for each module, always cleaned up; a project on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import standing_in
from tests.machine.machine import Machine, booted
from tests.machine.project import SmallProject, set_up
from tests.roots import debian_13, lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {"systemd-nspawn": "systemd-container", "dbus-daemon": "dbus"}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A freshly booted machine; where none can be booted the tests are skipped, in CI they fail."""
    require(lacking("booting machines", COMMANDS))
    with booted("machine") as one:
        yield one


@pytest.fixture(scope="module", params=["this machine's", "Debian 13's"])
def either_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The same, with this machine's systemd, and with Debian 13's, 257."""
    require(lacking("booting machines", COMMANDS))
    with booted("machine", debian_13() if request.param == "Debian 13's" else Path("/")) as one:
        yield one


@pytest.fixture(scope="module")
def project(either_machine: Machine) -> Iterator[SmallProject]:
    """The small project on each of them, with its commands standing by."""
    with standing_in(either_machine) as inside:
        yield set_up(either_machine, inside)
