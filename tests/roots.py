"""Minimal Debian roots: a fresh machine, without Python and sudo.

Debian 13's even has a kernel: its systemd 257 is called in a chroot and booted in a virtual machine. Each root is made
once, by debootstrap from apt's configured mirror, and kept for later test runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kept import kept

# The commands that machine tests need, and their Debian packages. Without those for booting, all are left out.
BOOTING = {"systemd-nspawn": "systemd-container", "dbus-daemon": "dbus"}
FOR_SOME = {
    "debootstrap": "debootstrap", "faketime": "faketime",
    "mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86", "amtool": "prometheus-alertmanager",
    "chromium": "chromium", "nginx": "nginx", "caddy": "caddy",
}  # fmt: skip
ON_DEBIAN_13 = "_on_debian_13"  # the end of the name of a group of tests that boot its root
BOOTS = "systemd,systemd-sysv,dbus,tzdata"
WITH_KERNEL = f"{BOOTS},udev,zstd,initramfs-tools,linux-image-cloud-amd64"


def lacking(what: str, commands: dict[str, str], *, root: bool = True) -> str:
    """Return what this machine lacks for a test, with the command that installs it; "" if nothing.

    Args:
        what: the purpose.
        commands: each needed command, and its Debian package.
        root: whether it needs root.
    """
    packages = [package for command, package in commands.items() if shutil.which(command) is None]
    if packages:
        return f"{what} needs {', '.join(packages)}: run 'apt-get install {' '.join(packages)}' as root"
    if root and os.geteuid() != 0:
        return f"{what} needs root: run 'sudo bin/test'"
    return ""


def require(lack: str) -> None:
    """Skip the test if the machine lacks something; in CI, where no test is skipped, fail it."""
    if lack and os.environ.get("CI") == "true":
        pytest.fail(lack, pytrace=False)
    if lack:
        pytest.skip(lack)


def debian_13() -> Path:
    """The root. Its tz database is this machine's, so that both systemds know the same zones."""
    return _root("debian-13", "trixie", WITH_KERNEL)


def debian_12() -> Path:
    """The root of the oldest Debian that units are written for, with systemd 252 and without a kernel."""
    return _root("debian-12", "bookworm", BOOTS)


def _root(name: str, suite: str, packages: str) -> Path:
    require(lacking(f"a {name} root", {"debootstrap": "debootstrap"}))
    return kept(name, lambda root: _make(root, suite, packages))


def _make(root: Path, suite: str, packages: str) -> None:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    mirrors = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    mirror = next(line.split()[0] for line in mirrors if line and "security" not in line)
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(root), mirror]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    shutil.rmtree(root / "usr/share/zoneinfo")
    shutil.copytree("/usr/share/zoneinfo", root / "usr/share/zoneinfo", symlinks=True)
