"""The corpus of imports: cases written without looking at the importer, several in one file, and how one is judged.

tests/import_corpus/*.txt say their own form. A case is imported by the command itself, in a folder of its own; what was
called exact must run as APScheduler says: its own triggers, which the case writes out, are asked.
"""

from __future__ import annotations

import json
import re
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from traceback import format_exception
from typing import Any

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.run import settings
from tests.unit.importers.golden_import import NOW, ROOT, texts

CORPUS = ROOT / "tests/import_corpus"
RUNS = 100
TRIGGERS = {
    "CronTrigger": CronTrigger,
    "IntervalTrigger": IntervalTrigger,
    "DateTrigger": DateTrigger,
    "OrTrigger": OrTrigger,
}
REPR = re.compile(r"<ast\.|\b(Call|Name|Constant|Attribute)\(\w+=|object at 0x|UnknownValue\(|Reference\(")


@dataclass(frozen=True)
class Expected:
    """What an import says of one call or line."""

    outcome: str
    named: str
    original: str
    word: str


@dataclass(frozen=True)
class Case:
    """One import: its arguments, its files and what is expected."""

    name: str
    arguments: tuple[str, ...]
    files: dict[str, str]
    expected: tuple[Expected, ...]


@dataclass(frozen=True)
class Imported:
    """What an import wrote, the report's entries of jobs, and what it printed."""

    files: dict[str, str]
    entries: list[dict[str, Any]]
    output: str


def cases(file: str, default: str) -> list[Case]:
    """The cases of a corpus; the default arguments can name the case's first file as {}."""
    return [_case(text, default) for text in (CORPUS / file).read_text().split("\n==== ")[1:]]


def _case(text: str, default: str) -> Case:
    head, *parts = re.split(r"^---- ", text, flags=re.MULTILINE)
    files = dict(part.partition("\n")[::2] for part in parts)
    expected = tuple(
        Expected(*map(str.strip, re.split(r" \|(?: |$)", line))) for line in files.pop("expected").strip().splitlines()
    )
    name, _, arguments = head.strip().partition("\narguments: ")
    words = (arguments or default).format(next(iter(files))).split()
    return Case(
        name,
        tuple(words),
        {path: text.replace("{CR}", "\r").replace("{END}\n", "") for path, text in files.items()},
        expected,
    )


def run(case: Case, kind: str, folder: Path) -> Imported:
    """Import a case with `clocks import` in this folder."""
    for path, text in case.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, newline="")
    (folder / "pyproject.toml").write_text('[tool.scheduled_tasks]\ntimezone = "Europe/Paris"\n')
    variables = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    settings.load.cache_clear()
    try:
        with chdir(folder):
            done = CliRunner(env=variables).invoke(main, ["import", kind, *case.arguments, "--from", NOW])
    finally:
        settings.load.cache_clear()
    assert done.exit_code in {0, 3}, (done.output, done.exc_info and "".join(format_exception(*done.exc_info)))
    report = json.loads((folder / "imported/report.json").read_text())
    entries = [entry for entry in report["entries"] if entry["outcome"] not in {"kept", "note"}]
    return Imported(texts(folder / "imported"), entries, done.output)


def judge(case: Case, imported: Imported, jobs: dict[str, list[str]]) -> list[str]:
    """What is wrong with an import; `jobs` are the runs of its jobs by their names."""
    faults = [f"{path}: {match[0]}" for path, text in imported.files.items() if (match := REPR.search(text))]
    left = list(imported.entries)
    for expected in case.expected:
        entry = next((entry for entry in left if expected.named in f"{entry['job']} {entry['source']}"), None)
        if entry is None:
            faults.append(f"lost: {expected}")
            continue
        parts = [other for other in left if other is entry or _is_part(entry, other)]
        left = [other for other in left if not any(other is part for part in parts)]
        faults += [
            f"{fault}\n  {json.dumps(entry, ensure_ascii=False)}" for fault in _faults(expected, parts, imported, jobs)
        ]
    return faults + [f"not expected: {json.dumps(entry, ensure_ascii=False)}" for entry in left]


def _is_part(entry: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two entries are one line's jobs for its day and its weekday."""
    kinds = {difference["kind"] for difference in entry["differences"]}
    return (entry["file"], entry["line"]) == (other["file"], other["line"]) and "or" in kinds


def _faults(
    expected: Expected, parts: list[dict[str, Any]], imported: Imported, jobs: dict[str, list[str]]
) -> list[str]:
    outcomes = {"different", "refused"} if expected.outcome == "careful" else {expected.outcome}
    outcome, faults = parts[0]["outcome"], []
    if not outcomes.issuperset(part["outcome"] for part in parts):
        faults.append(f"{outcome}, not {expected.outcome}: {expected.named}")
    said = json.dumps([part["differences"] for part in parts], ensure_ascii=False).replace('\\"', '"')
    if expected.word not in (
        said + "".join([*imported.files.values(), imported.output]) if outcome == "exact" else said
    ):
        faults.append(f"nothing says {expected.word!r}: {expected.named}")
    if outcome == "exact":
        ours = sorted({at for part in parts for at in jobs[part["job"]]})[:RUNS]
        if expected.original == "?" or ours != runs(expected.original):
            faults.append(f"WRONG, called exact: {expected.named}")
    return faults


def runs(original: str) -> list[str]:
    """The next hundred runs of an APScheduler trigger, written as in Python."""
    trigger = eval(original, TRIGGERS)
    return [at.isoformat() for at in islice(_runs(trigger, datetime.fromisoformat(NOW)), RUNS)]


def _runs(trigger: Any, now: datetime) -> Any:
    now += timedelta(microseconds=1)  # strictly after, as this project counts
    at = trigger.get_next_fire_time(None, now)
    while at is not None:
        yield at.astimezone(UTC)
        at = trigger.get_next_fire_time(at, at)
