"""Install a release from its bundle into a new venv and mark it complete. Runs on the host.

    install_release.py BUNDLE RELEASE CURRENT

An unfinished release is installed afresh. If another play is still installing one, as after a killed controller, wait
for it. The requirements must have a hash for everything that pip installs; if the bundle contains the dependencies'
wheels, no network is used. If CURRENT, the release that is active now, has the same requirements, its dependencies are
copied: pip takes ten times as long. Needs only Python with venv.
"""

import base64
import csv
import ensurepip
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

MAX_BUNDLE_AGE = 24 * 60 * 60  # seconds; no play takes that long


class ChangedError(Exception):
    """A release isn't as it was installed."""


def main(bundle, release, current):
    """Install the release, or exit with the error."""
    releases = os.open(release.parent, os.O_RDONLY)
    fcntl.flock(releases, fcntl.LOCK_EX)  # until this process ends
    if not (release / ".complete").exists():
        install(bundle, release, current.resolve())
    bundle.unlink(missing_ok=True)
    for leftover in release.parent.glob("*.tar"):  # left by a controller that was killed before the installation
        if leftover.stat().st_mtime < time.time() - MAX_BUNDLE_AGE:
            leftover.unlink()


def install(bundle, release, current):
    """Install the release, and at the end create the file that marks it complete and names its dependencies."""
    run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(release)])
    with tempfile.TemporaryDirectory(dir=release) as folder:
        with tarfile.open(bundle) as archive:
            extract_options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in Debian 12's Python
            archive.extractall(folder, **extract_options)
        requirements = Path(folder, "requirements.txt")
        dependencies, wheels = Path(folder, "dependencies"), sorted(Path(folder, "wheels").iterdir())
        own = [wheel.name.split("-")[0] for wheel in wheels]
        key = hashlib.sha256(f"{sys.version} {own} {requirements.read_text()}".encode()).hexdigest()
        offline = ["--no-index", f"--find-links={dependencies}"] if dependencies.is_dir() else []
        pip = [str(release / "bin/python"), unpack_pip(folder), "install", "--quiet", "--disable-pip-version-check"]
        if not copy_dependencies(key, own, current, release):
            run([*pip, *offline, "--require-hashes", "--only-binary=:all:", f"--requirement={requirements}"])
        run([*pip, "--no-index", "--no-deps", *map(str, wheels)])
    run([str(release / "bin/clocks"), "install-help", str(release / "share")])  # /usr/local/share has links to it
    (release / ".complete").write_text(key)


def unpack_pip(folder):
    """Unpack the wheel of pip that Python brings, and return what runs it.

    The venv module would install it into each release, which takes most of the time that a release takes.
    """
    wheels = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled")
    wheel = next(Path(wheels).glob(f"pip-{ensurepip.version()}-*.whl"))
    zipfile.ZipFile(wheel).extractall(Path(folder, "tools"))
    return f"{folder}/tools/pip"


def copy_dependencies(key, own, current, release):
    """Copy what pip installed into the current release, but the project's own packages; return whether it was possible.

    It is if that release has these dependencies, for this Python, and each file still is as pip recorded it.
    """
    try:
        if (current / ".complete").read_text() != key:
            return False
        files = list(installed_files(current, own))
    except (FileNotFoundError, ChangedError):  # there is no current release, or somebody changed it
        return False
    for source in files:
        target = release / source.relative_to(current)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        if target.parent == release / "bin":  # a script's first line has the path of its release
            target.write_bytes(source.read_bytes().replace(os.fsencode(current), os.fsencode(release)))
    return True


def installed_files(release, own):
    """Yield the files that pip installed into a release, but those of the project's own packages.

    Raises ChangedError if one isn't as pip recorded it.
    """
    for record in release.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        if record.parent.name.split("-")[0] not in own:
            for path, digest, _ in csv.reader(record.read_text().splitlines()):
                file = Path(os.path.normpath(record.parent.parent / path))
                # pip has no digest of byte code; a copied script was changed.
                if digest and file.parent != release / "bin" and digest != digest_of(file.read_bytes()):
                    raise ChangedError
                yield file


def digest_of(content):
    """Return the digest of a file's content as RECORD has it (PEP 376, PEP 427)."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def run(command):
    """Run a command; exit with its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


main(*map(Path, sys.argv[1:]))
