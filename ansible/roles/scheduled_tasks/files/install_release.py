"""Install a release from its bundle into a new venv and mark it complete. Runs on the host.

    install_release.py BUNDLE RELEASE

An unfinished release is installed afresh. If another play is still installing one, as after a killed controller, wait
for it. The requirements must have a hash for everything that pip installs; if the bundle contains the dependencies'
wheels, no network is used. Needs only Python with venv.
"""

import fcntl
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

MAX_BUNDLE_AGE = 24 * 60 * 60  # seconds; no play takes that long


def main(bundle, release):
    """Install the release, or exit with the error."""
    releases = os.open(release.parent, os.O_RDONLY)
    fcntl.flock(releases, fcntl.LOCK_EX)  # until this process ends
    if not (release / ".complete").exists():
        install(bundle, release)
    bundle.unlink(missing_ok=True)
    for leftover in release.parent.glob("*.tar"):  # left by a controller that was killed before the installation
        if leftover.stat().st_mtime < time.time() - MAX_BUNDLE_AGE:
            leftover.unlink()


def install(bundle, release):
    """Install the release, and at the end create the file that marks it complete."""
    run([sys.executable, "-m", "venv", "--clear", str(release)])
    with tempfile.TemporaryDirectory(dir=release) as folder:
        with tarfile.open(bundle) as archive:
            extract_options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in Debian 12's Python
            archive.extractall(folder, **extract_options)
        dependencies, wheels = Path(folder, "dependencies"), sorted(Path(folder, "wheels").iterdir())
        offline = ["--no-index", f"--find-links={dependencies}"] if dependencies.is_dir() else []
        pip = [str(release / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, *offline, "--require-hashes", "--only-binary=:all:", f"--requirement={folder}/requirements.txt"])
        run([*pip, "--no-index", "--no-deps", *map(str, wheels)])
    run([str(release / "bin/clocks"), "install-help", str(release / "share")])  # /usr/local/share has links to it
    (release / ".complete").touch()


def run(command):
    """Run a command; exit with its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


main(Path(sys.argv[1]), Path(sys.argv[2]))
