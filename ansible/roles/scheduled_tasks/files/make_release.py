"""On the host: makes a release of a bundle, in a venv of its own, and marks it complete.

    make_release.py BUNDLE RELEASE

One that was broken off is made anew; where another play's is at work yet, as after a controller that was killed, that
one is waited for. Whatever pip installs has to have its hash in the bundle's requirements; where the
bundle brings the dependencies' wheels, no network is used. Needs nothing but Python with venv.
"""

import fcntl
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

A_DAY = 24 * 60 * 60  # seconds; no play is at work for as long


def main(bundle, release):
    """Makes the release, or exits with what went wrong."""
    releases = os.open(release.parent, os.O_RDONLY)
    fcntl.flock(releases, fcntl.LOCK_EX)  # until this process ends
    if not (release / ".complete").exists():
        make(bundle, release)
    bundle.unlink(missing_ok=True)
    for left in release.parent.glob("*.tar"):  # by a controller that was killed before it came to make a release of it
        if left.stat().st_mtime < time.time() - A_DAY:
            left.unlink()


def make(bundle, release):
    """Makes the release, and last the file that says that it is whole."""
    run([sys.executable, "-m", "venv", "--clear", str(release)])
    with tempfile.TemporaryDirectory(dir=release) as folder:
        with tarfile.open(bundle) as archive:
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Debian 12's Python has none
            archive.extractall(folder, **safely)
        dependencies, wheels = Path(folder, "dependencies"), sorted(Path(folder, "wheels").iterdir())
        offline = ["--no-index", f"--find-links={dependencies}"] if dependencies.is_dir() else []
        pip = [str(release / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, *offline, "--require-hashes", "--only-binary=:all:", f"--requirement={folder}/requirements.txt"])
        run([*pip, "--no-index", "--no-deps", *map(str, wheels)])
    (release / ".complete").touch()


def run(command):
    """Runs a command; where it fails, exits with what it said."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


main(Path(sys.argv[1]), Path(sys.argv[2]))
