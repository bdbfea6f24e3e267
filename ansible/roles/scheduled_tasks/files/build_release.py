"""Build the project's packages into wheels and bundle everything that a release needs. Runs on the controller.

    build_release.py --cache=DIR --build-requirements=FILE --requirements=FILE [--wheelhouse=DIR] SOURCE…

A SOURCE is a package's folder or a wheel. The script prints JSON: the release's name, which identifies its contents,
and the bundle. The same sources give the same name. Needs only Python with venv and, once, an index or a wheelhouse
with the locked build tools.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

KEPT_BUNDLES = 5
# What pip wheel --no-build-isolation does (PEP 517), in one process in place of four.
BUILD_WHEEL = """
import importlib, operator, pathlib, sys, tomllib
file = pathlib.Path("pyproject.toml")
system = tomllib.loads(file.read_text("utf-8")).get("build-system", {}) if file.exists() else {}
sys.path[0:1] = system.get("backend-path", [])
module, _, attribute = system.get("build-backend", "setuptools.build_meta:__legacy__").partition(":")
backend = importlib.import_module(module)
(operator.attrgetter(attribute)(backend) if attribute else backend).build_wheel(sys.argv[1])
"""


def main():
    """Build the release and print its name and bundle."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--build-requirements", type=Path, required=True)
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--wheelhouse", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    options = parser.parse_args()
    for path in (*options.sources, options.requirements, options.build_requirements, options.wheelhouse):
        if path and not path.exists():
            sys.exit(f"{path}: no such file or folder on the controller")
    for source in options.sources:
        check_clock_files(source)
    options.cache.mkdir(parents=True, exist_ok=True)
    with (options.cache / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=options.cache) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # concurrent plays share the builder and the bundles
        wheels = build(options, Path(folder))
        name = release_name(wheels, options.requirements)
        suffix = "with-dependencies" if options.wheelhouse else "alone"
        bundle = options.cache / f"{name}-{suffix}.tar"
        if not bundle.exists():
            write_bundle(bundle, wheels, options)
        bundle.touch()
        bundles = sorted(options.cache.glob("*.tar"), key=lambda path: path.stat().st_mtime)
        for old in bundles[:-KEPT_BUNDLES]:
            old.unlink()
    print(json.dumps({"release": name, "bundle": str(bundle)}))


def check_clock_files(source):
    """Let a project that has its own environment in .venv read its clock files: here, before any host is changed.

    Without one the controller lacks what they import; then `clocks check` on the host finds their faults.
    """
    clocks = source / ".venv/bin/clocks"
    if clocks.exists():
        plain = {name: value for name, value in os.environ.items() if name != "SCHEDULED_TASKS_CONFIG"}
        done = subprocess.run(
            [clocks.absolute(), "list", "--json"], cwd=source, env=plain, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{source}: nothing was built, because its clock files have faults:\n{done.stderr or done.stdout}")


def build(options, folder):
    """Build the wheels of the sources, in their order, below a folder."""
    tools = builder(options)
    folders = [folder / str(number) for number in range(len(options.sources))]
    with ThreadPoolExecutor() as executor:
        return list(executor.map(wheel_of, repeat(tools), options.sources, folders))


def wheel_of(tools, source, into):
    """Build the wheel of one source in a new folder."""
    into.mkdir()
    if source.suffix == ".whl":
        shutil.copy2(source, into)
    else:
        build_wheel = [str(tools.absolute() / "bin/python"), "-c", BUILD_WHEEL, str(into.absolute())]
        run(build_wheel, f"{source} can't be built into a wheel", cwd=source)
    [wheel] = into.glob("*.whl")
    return wheel


def builder(options):
    """Return a venv with only the locked build tools; created once for each list of them."""
    text = options.build_requirements.read_text()
    key = hashlib.sha256(f"{sys.version_info[:3]} {text}".encode()).hexdigest()[:8]
    venv = options.cache / f"builder-{key}"
    if not (venv / ".complete").exists():
        if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
            sys.exit("the controller's Python has no venv module: run 'apt-get install python3-venv'")
        run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(venv)], f"{venv} can't be created")
        offline = ["--no-index", f"--find-links={options.wheelhouse}"] if options.wheelhouse else []
        where = "wheelhouse" if options.wheelhouse else "index"
        problem = f"the locked build tools ({options.build_requirements}) can't be installed from the {where}"
        with tempfile.TemporaryDirectory(dir=options.cache) as folder:
            pip = [str(venv / "bin/python"), unpack_pip(folder), "install", "--quiet", "--disable-pip-version-check"]
            run([*pip, *offline, "--require-hashes", f"--requirement={options.build_requirements}"], problem)
        (venv / ".complete").touch()
    return venv


def unpack_pip(folder):
    """Unpack the wheel of pip that Python brings, and return what runs it: the venv module takes ten times as long."""
    import ensurepip  # here, because Debian's Python lacks it without python3-venv

    wheels = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled")
    wheel = next(Path(wheels).glob(f"pip-{ensurepip.version()}-*.whl"))
    zipfile.ZipFile(wheel).extractall(folder)
    return f"{folder}/pip"


def release_name(wheels, requirements):
    """Return NAME-VERSION-HASH of the last package, the user's. The hash covers the wheels' files, not their times."""
    content = hashlib.sha256(requirements.read_bytes())
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                content.update(name.encode() + b"\0" + hashlib.sha256(archive.read(name)).digest())
    name, version = wheels[-1].name.split("-")[:2]
    return f"{name}-{version}-{content.hexdigest()[:8]}"


def write_bundle(bundle, wheels, options):
    """Write requirements, wheels and those wheels of the wheelhouse whose hashes are in the requirements."""
    unfinished = bundle.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as archive:
        archive.add(options.requirements, "requirements.txt")
        for wheel in wheels:
            archive.add(wheel, f"wheels/{wheel.name}")
        if options.wheelhouse:
            hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", options.requirements.read_text()))
            for path in sorted(options.wheelhouse.glob("*.whl")):
                if hashlib.sha256(path.read_bytes()).hexdigest() in hashes:
                    archive.add(path, f"dependencies/{path.name}")
    unfinished.rename(bundle)


def run(command, problem, cwd=None):
    """Run a command; exit with the problem and its output if it fails."""
    # Without this variable setuptools writes the current time into a wheel, so the same sources would differ.
    environment = {"SOURCE_DATE_EPOCH": "315532800", **os.environ}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{problem}:\n{done.stdout}{done.stderr}")


main()
