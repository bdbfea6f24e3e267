"""Read a Procfile: the clock files by process name, and a report entry for each line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
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


def read_procfile(path: Path, shown_path: str) -> Processes:
    """Read a Procfile. A process is a clock if the Python file it runs mentions APScheduler."""
    entries = []
    started: dict[Path, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = PROCESS.fullmatch(line.strip())
        if not match:
            continue
        name, command = match[1], match[2]
        source = _python_file(command, path.parent)
        where = source.relative_to(path.parent) if source else ""
        outcome = "kept"
        if source is None or "apscheduler" not in source.read_text().lower():
            difference = Difference("process", "not a clock: leave it to whatever runs it now", "remark")
        elif source in started:
            text = f"{where} is started by {started[source]} too: each of its jobs ran twice; now it is one clock"
            outcome, difference = "different", Difference("replicas", text)
        else:
            started[source] = name
            text = f"the clock {name} is {where}; remove this line when its timers run"
            difference = Difference("process", text, "remark")
        entries.append(Entry(shown_path, number, line.strip(), outcome, differences=(difference,)))
    return Processes(tuple((name, source) for source, name in started.items()), tuple(entries))


def _python_file(command: str, folder: Path) -> Path | None:
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    candidates: list[Path] = []
    for word, following in pairwise([*words, ""]):
        if word.endswith(".py"):
            candidates.append(folder / word)
        elif word == "-m" and following:
            base = folder.joinpath(*following.split("."))
            candidates += [base.with_suffix(".py"), base / "__main__.py"]
    return next(filter(Path.is_file, candidates), None)
