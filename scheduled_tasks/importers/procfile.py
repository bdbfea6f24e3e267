"""Procfiles: which of a project's processes are clocks, and what they are called.

In comes a Procfile's text; out come the Python files that its processes run, under the processes' names, and an entry
for each of its lines.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Difference, Entry

if TYPE_CHECKING:
    from pathlib import Path

PROCESS = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")


@dataclass(frozen=True)
class Processes:
    """The clock files by process name, in order, and the Procfile's entries."""

    files: tuple[tuple[str, Path], ...]
    entries: tuple[Entry, ...]


def is_procfile(path: Path) -> bool:
    """Whether a file is one by its name."""
    return path.name.startswith("Procfile")


def read_procfile(path: Path, shown: str) -> Processes:
    """Reads a Procfile; a process is a clock's if the Python file it runs mentions APScheduler."""
    files: list[tuple[str, Path]] = []
    entries = []
    started: dict[Path, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = PROCESS.fullmatch(line.strip())
        if not found:
            continue
        name, command = found[1], found[2]
        source = _python_file(command, path.parent)
        if source is None or "apscheduler" not in source.read_text().lower():
            difference = Difference("process", "not a clock: it stays with whatever runs it", "remark")
            entries.append(Entry(shown, number, line.strip(), "kept", differences=(difference,)))
            continue
        where = source.relative_to(path.parent)
        if source in started:
            text = f"{where} is started by {started[source]} too: each of its jobs ran twice; now it is one clock"
            entries.append(Entry(shown, number, line.strip(), "different", differences=(Difference("replicas", text),)))
            continue
        started[source] = name
        files.append((name, source))
        difference = Difference(
            "process", f"the clock {name} is {where}; take the line out when its timers run", "remark"
        )
        entries.append(Entry(shown, number, line.strip(), "kept", differences=(difference,)))
    return Processes(tuple(files), tuple(entries))


def _python_file(command: str, folder: Path) -> Path | None:
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    for index, word in enumerate(words):
        candidates = []
        if word.endswith(".py"):
            candidates = [folder / word]
        elif word == "-m" and index + 1 < len(words):
            base = folder.joinpath(*words[index + 1].split("."))
            candidates = [base.with_suffix(".py"), base / "__main__.py"]
        for each in candidates:
            if each.is_file():
                return each
    return None
