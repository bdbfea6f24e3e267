"""clocks import --into: put imported clocks and tasks where a project's configuration has them, made if there is none.

Nothing is overwritten: a clock or a tasks' module that is there already ends the import before anything is written.
"""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.importers.new_project import DetectedProject, InitialFiles, detect_project, initial_files
from scheduled_tasks.importers.request import module_name
from scheduled_tasks.schedule.zone import why_no_zone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS = ("clocks", "domains")  # the folders of an import, by the configuration's keys


class Target:
    """A project to import into: its configuration, or the one that will be written."""

    def __init__(self, folder: Path, package: str, timezone: str) -> None:
        self.shown, self.folder = folder, folder.resolve()
        self.initial = InitialFiles({}, {})
        folder = self.folder
        file = folder / "pyproject.toml"
        document = tomllib.loads(file.read_text()) if file.is_file() else {}
        self.values: dict[str, str] = document.get("tool", {}).get("scheduled_tasks", {})
        if self.values:
            return
        if why_no_zone(timezone):
            raise UsageError(f"a new configuration needs the zone of the jobs' times: --timezone, not {timezone!r}")
        project = _project(folder, package)
        self.initial = initial_files(folder, project, timezone, example=False)
        table = tomllib.loads(self.initial.appended["pyproject.toml"][0])
        self.values = table["tool"]["scheduled_tasks"]

    def places(self, files: Mapping[str, str]) -> dict[str, Path]:
        """Where each imported file goes.

        Raises:
            UsageError: something is there already.
        """
        places = {}
        for name in files:
            kind, _, file = name.partition("/")
            package = self.values["clocks" if kind == "clocks" else "domains"]
            places[name] = self.folder.joinpath(*package.split("."), file)
        if taken := [str(path) for path in places.values() if path.exists()]:
            raise UsageError(f"{', '.join(taken)}: there already, and nothing is overwritten")
        return places

    def beside(self, files: Mapping[str, str]) -> list[str]:
        """The modules of the project that the imported tasks use and that are not in its package."""
        package = self.values["domains"].partition(".")[0]
        trees = (ast.parse(text) for text in files.values())
        nodes = [node for tree in trees for node in ast.walk(tree)]
        names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
        names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        tops = {name.partition(".")[0] for name in names} - {package}
        return sorted(top for top in tops if (self.folder / f"{top}.py").is_file() or (self.folder / top).is_dir())

    def write(self, files: Mapping[str, str]) -> list[str]:
        """Write the configuration, if it is new, and the imported files; return their paths below the project."""
        places = self.places(files)
        texts = {self.folder / path: text for path, (text, _) in self.initial.files.items()}
        for path, (text, _) in self.initial.appended.items():
            before = (self.folder / path).read_text() if (self.folder / path).is_file() else ""
            texts[self.folder / path] = f"{before}{text}" if before else text.lstrip("\n")
        texts |= {places[name]: text for name, text in files.items()}
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return [str(file.relative_to(self.folder)) for file in texts]


def _project(folder: Path, package: str) -> DetectedProject:
    """The project's package; one of the folder's name if there is none yet."""
    has_package = (folder / "manage.py").is_file() or any(folder.glob("*/__init__.py"))
    return detect_project(folder, package or ("" if has_package else module_name(folder.name, "jobs")))
