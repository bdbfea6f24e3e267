"""Put the tests' own Python into a root directory without one: interpreter, standard library, and `clocks`'s imports.

A virtual machine can't be entered from outside as a container can (see inside.py): what runs there has to be stored
there. The libraries of the C runtime are the machine's own, which are newer than any that the tests run on.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FOLDER = "/opt/python"
# As a shell command. The loader gets the path of the libraries as an option, not by the environment: the commands that
# Python runs must use the machine's.
INTERPRETER = f"/lib64/ld-linux-x86-64.so.2 --library-path {FOLDER}/lib {FOLDER}/bin/python"
SITE = f"{FOLDER}/site"
PYTHON = (
    f"env PYTHONHOME={FOLDER} PYTHONPATH={SITE}:/srv/small SCHEDULED_TASKS_CONFIG=/srv/small/config.toml {INTERPRETER}"
)
# Parts of the standard library that `clocks` doesn't need.
UNUSED = shutil.ignore_patterns(
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
    "site-packages",
    "config-*",
    "turtledemo",
    "pydoc_data",
)
C_RUNTIME = re.compile(r"(libc|libm|libdl|librt|libpthread|libutil|ld-linux.*|linux-vdso)\.so")
IMPORTED = (
    "import sys, scheduled_tasks.cli, scheduled_tasks.deploy.sets, jinja2.ext, apscheduler.triggers.cron\n"
    "import scheduled_tasks.run.record, pythonjsonlogger.json, rich.table\n"
    "scheduled_tasks.cli.main.get_command(None, 'all')\n"
    "print('\\n'.join(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
)


def give_python(root: Path) -> None:
    """Put Python below FOLDER."""
    home = root / FOLDER.lstrip("/")
    library = Path(sysconfig.get_path("stdlib"))
    copied = home / "lib" / library.name
    shutil.copytree(library, copied, ignore=UNUSED)
    (home / "bin").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), home / "bin/python")
    for file in (home / "bin/python", *(copied / "lib-dynload").glob("*.so")):
        original = Path(sys.executable).resolve() if file.name == "python" else library / "lib-dynload" / file.name
        for name, path in re.findall(r"^\s*(\S+) => (/\S+)", _ldd(original), re.MULTILINE):
            if not C_RUNTIME.match(name) and not (home / "lib" / name).exists():
                shutil.copy2(path, home / "lib" / name)
    site = home / "site"
    packages = Path(sysconfig.get_path("purelib"))
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in {
        Path(path).relative_to(packages).parts[0] for path in done.stdout.splitlines() if _is_in(path, packages)
    }:
        site.mkdir(exist_ok=True)
        for source in (packages / name, packages / f"{name}.libs"):  # the shared libraries of a wheel are beside it
            if source.is_dir():
                shutil.copytree(source, site / source.name)
            elif source.exists():
                shutil.copy2(source, site / source.name)
    for name in ("scheduled_tasks", "units"):
        shutil.copytree(REPOSITORY / name, site / name)


def _ldd(file: Path) -> str:
    return subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout


def _is_in(path: str, folder: Path) -> bool:
    return Path(path).is_relative_to(folder)
