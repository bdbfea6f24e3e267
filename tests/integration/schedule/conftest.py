"""Fixtures of the differential tests: systemd in two versions."""

from __future__ import annotations

import os

import pytest

from tests.roots import debian_13, lacking, require

from .systemd import Systemd


@pytest.fixture(scope="session")
def systemds() -> tuple[Systemd, ...]:
    """This machine's systemd (252 on Debian 12) and Debian 13's (257).

    Outside CI only the first, if the second is not available.
    """
    require(lacking("asking systemd-analyze", {"systemd-analyze": "systemd"}, root=False))
    here = Systemd(())
    lack = lacking("asking Debian 13's", {"debootstrap": "debootstrap"})
    if lack and os.environ.get("CI") != "true":
        return (here,)
    require(lack)
    return (here, Systemd(("chroot", str(debian_13()))))
