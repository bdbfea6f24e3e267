"""The package's structure: imports follow the order of the rooms, and rooms, modules and functions stay small.

`python -m tests.unit.test_structure` prints the import graph of the rooms, and what exceeds a limit.
"""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import scheduled_tasks

PACKAGE = Path(scheduled_tasks.__file__).parent
MODULES = {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
MAX_MODULES, MAX_LINES, MAX_FUNCTION_LINES = 20, 320, 50


# Each room imports only rooms before it.
ORDER = (
    *(
        "errors",
        "terminal",
        "quantities",
        "project_process",
        "files",
        "instants",
        "quantities",
        "readable_log",
        "masking",
        "sandbox_advice",
        "features",
        "migrations",
        "the public face",
        "faults",
        "schedule",
        "run",
        "options",
    ),
    *(
        "decorators",
        "bundled",
        "domains",
        "clocks",
        "clock",
        "clock_arguments",
        "clock_job",
        "clock_data",
        "clock_file",
        "conversion_report",
    ),
    *("render", "exporters", "deploy", "operate", "alert", "metrics", "page", "project", "testing", "importers", "cli"),
)


def name_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__").replace("__init__", "")


NAMES = {name_of(path) for path in MODULES}


def room(name: str) -> str:
    """The folder of a module; a module of the top folder is a room of its own."""
    return name.partition(".")[0] or "the public face"


def imports(tree: ast.Module, *, lazy: bool) -> set[str]:
    """The package's modules that a module imports; without `lazy`, only when it is imported itself."""
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    types = {id(node) for guard in guards for node in ast.walk(guard)}
    nodes = ast.walk(tree) if lazy else iter(tree.body)
    full: set[str] = set()
    for node in nodes:
        if id(node) in types:
            continue
        if isinstance(node, ast.Import):
            full |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("scheduled_tasks.") for name in full if name.startswith("scheduled_tasks.")} & NAMES


def rooms() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for path, tree in MODULES.items():
        here = room(name_of(path))
        graph.setdefault(here, set()).update({room(name) for name in imports(tree, lazy=True)} - {here})
    return graph


def too_large() -> list[str]:
    large = []
    for folder in {path.parent for path in MODULES}:
        count = sum(path.parent == folder and path.name not in {"__init__.py", "__main__.py"} for path in MODULES)
        large += [f"{folder}: {count} modules"] if count > MAX_MODULES else []
    for path, tree in MODULES.items():
        lines = len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
        large += [f"{path}: {lines} lines"] if lines > MAX_LINES else []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                large += [f"{path}: {node.name} has {length} lines"] if length > MAX_FUNCTION_LINES else []
    return sorted(large)


def test_no_import_cycle_between_modules() -> None:
    graph = {
        name: {imported for imported in imports(tree, lazy=False) if not f"{name}.".startswith(f"{imported}.")}
        for name, tree in ((name_of(path), tree) for path, tree in MODULES.items())
    }
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)


def test_no_room_imports_a_later_one() -> None:
    graph = rooms()
    assert set(graph) == set(ORDER)
    upward = [(room, other) for room in graph for other in graph[room] if ORDER.index(other) > ORDER.index(room)]
    assert upward == []


def test_folders_modules_and_functions_stay_small() -> None:
    assert too_large() == []


if __name__ == "__main__":
    lines = [f"{name}: {', '.join(sorted(imported)) or '-'}" for name, imported in sorted(rooms().items())]
    sys.stdout.write("\n".join([*lines, *too_large(), ""]))
