"""On the controller: builds the project's packages into wheels, once, and a bundle of all that a release is made of.

    build_release.py --cache=DIR --build-requirements=FILE --requirements=FILE [--wheelhouse=DIR] SOURCE…

A SOURCE is a package's folder or a wheel. What comes out, as JSON: the release's name, which says what is in it, and
the bundle. The same sources make the same name. Needs nothing but Python with venv, and once, for the locked build
tools, an index or a wheelhouse that has them.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

KEPT_BUNDLES = 5


def main():
    """Builds, and says what."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--build-requirements", type=Path, required=True)
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--wheelhouse", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    asked = parser.parse_args()
    for path in (*asked.sources, asked.requirements, asked.build_requirements, asked.wheelhouse):
        if path and not path.exists():
            sys.exit(f"{path}: there is no such file or folder on the controller")
    asked.cache.mkdir(parents=True, exist_ok=True)
    with (asked.cache / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=asked.cache) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two plays at once share builder and bundles
        wheels = build(asked, Path(folder))
        name = release_name(wheels, asked.requirements)
        suffix = "with-dependencies" if asked.wheelhouse else "alone"
        bundle = asked.cache / f"{name}-{suffix}.tar"
        if not bundle.exists():
            write_bundle(bundle, wheels, asked)
        bundle.touch()
        bundles = sorted(asked.cache.glob("*.tar"), key=lambda path: path.stat().st_mtime)
        for old in bundles[:-KEPT_BUNDLES]:
            old.unlink()
    print(json.dumps({"release": name, "bundle": str(bundle)}))


def build(asked, folder):
    """The wheels of the sources, in their order, in a folder."""
    tools = builder(asked)
    folders = [folder / str(number) for number in range(len(asked.sources))]
    with ThreadPoolExecutor() as at_once:
        return list(at_once.map(wheel_of, repeat(tools), asked.sources, folders))


def wheel_of(tools, source, into):
    """The wheel of one source, in a folder of its own."""
    into.mkdir()
    if source.suffix == ".whl":
        shutil.copy2(source, into)
    else:
        options = ["--no-deps", "--no-index", "--no-build-isolation", f"--wheel-dir={into}"]
        pip = [str(tools / "bin/pip"), "wheel", "--quiet", "--disable-pip-version-check", *options]
        run([*pip, str(source)], f"{source} can't be built into a wheel")
    [wheel] = into.glob("*.whl")
    return wheel


def builder(asked):
    """A venv with the locked build tools and nothing else; made once for each list of them."""
    text = asked.build_requirements.read_text()
    key = hashlib.sha256(f"{sys.version_info[:3]} {text}".encode()).hexdigest()[:8]
    venv = asked.cache / f"builder-{key}"
    if not (venv / ".complete").exists():
        lacking = "the controller's Python has no venv module ('apt-get install python3-venv')"
        run([sys.executable, "-m", "venv", "--clear", str(venv)], lacking)
        offline = ["--no-index", f"--find-links={asked.wheelhouse}"] if asked.wheelhouse else []
        pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        where = "wheelhouse" if asked.wheelhouse else "index"
        problem = f"the locked build tools ({asked.build_requirements}) can't be installed from the {where}"
        run([*pip, *offline, f"--requirement={asked.build_requirements}"], problem)
        (venv / ".complete").touch()
    return venv


def release_name(wheels, requirements):
    """NAME-VERSION-HASH, of the last package: the user's own. What is in the wheels counts, not when they were made."""
    content = hashlib.sha256(requirements.read_bytes())
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                content.update(name.encode() + b"\0" + hashlib.sha256(archive.read(name)).digest())
    name, version = wheels[-1].name.split("-")[:2]
    return f"{name}-{version}-{content.hexdigest()[:8]}"


def write_bundle(bundle, wheels, asked):
    """Writes requirements, wheels and, of the wheelhouse, those that the requirements have the hashes of."""
    unfinished = bundle.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as archive:
        archive.add(asked.requirements, "requirements.txt")
        for wheel in wheels:
            archive.add(wheel, f"wheels/{wheel.name}")
        if asked.wheelhouse:
            hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", asked.requirements.read_text()))
            for path in sorted(asked.wheelhouse.glob("*.whl")):
                if hashlib.sha256(path.read_bytes()).hexdigest() in hashes:
                    archive.add(path, f"dependencies/{path.name}")
    unfinished.rename(bundle)


def run(command, problem):
    """Runs a command; where it fails, exits with the problem and what it said."""
    # The same sources make the same wheel: setuptools writes the time into it, unless it is told one.
    environment = {"SOURCE_DATE_EPOCH": "315532800", **os.environ}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{problem}:\n{done.stdout}{done.stderr}")


main()
