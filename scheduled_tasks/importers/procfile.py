"""Read a Procfile: the Python files of the processes that are clocks, under their names, and an entry for each line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from scheduled_tasks.conversion_report import Difference, Entry

PROCESS = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")


@dataclass(frozen=True)
class Processes:
    """The clock files by process name, in order, and the Procfile's entries."""

    files: tuple[tuple[str, Path], ...]
    entries: tuple[Entry, ...]


def is_procfile(path: Path) -> bool:
    """Whether a file is a Procfile, by its name."""
    return path.name.startswith("Procfile")


def read_procfile(path: Path, shown: str) -> Processes:
    """Read a Procfile. A process is a clock if the Python file it runs mentions APScheduler."""
    files: list[tuple[str, Path]] = []
    entries = []
    started: dict[Path, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = PROCESS.fullmatch(line.strip())
        if not match:
            continue
        name, command = match[1], match[2]
        source = _python_file(command, path.parent)
        if source is None or "apscheduler" not in source.read_text().lower():
            difference = Difference("process", "not a clock: leave it to whatever runs it now", "remark")
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
            "process", f"the clock {name} is {where}; remove this line when its timers run", "remark"
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
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    return None
