"""The report of an import or export: one entry for each job or line, in the order of the files, as Markdown and JSON.

An entry's outcome follows from its differences, so that nothing with a difference is reported as exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from scheduled_tasks.schedule import occurrences
from scheduled_tasks.schedule.trigger import Cron
from scheduled_tasks.schedule.zone import Shift, shifts

OUTCOMES = {
    "exact": "exactly",
    "different": "with a difference",
    "refused": "refused",
    "kept": "taken into account",
    "note": "for information",
}
MIN_YEARS, MAX_YEARS, MIN_RUNS = 2, 10, 100  # that dates in a report cover


@dataclass(frozen=True)
class Difference:
    """One difference between the original and the result, or one remark.

    Attributes:
        kind: a word for programs: `fold`, `gap`, `phase`, `zone`, `called`, …
        text: a sentence for people.
        weight: `different` and `refused` decide the entry's outcome, a `remark` doesn't.
        dates: the dates (ISO) on which it shows, if they are known.
        instead: what to write.
    """

    kind: str
    text: str
    weight: str = "different"
    dates: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True)
class Entry:
    """One job or line: its place, its outcome and its differences."""

    file: str
    line: int
    source: str
    outcome: str
    job: str = ""
    due: str = ""
    differences: tuple[Difference, ...] = ()

    def with_outcome(self) -> Entry:
        """The entry with the outcome that follows from its differences."""
        weights = {difference.weight for difference in self.differences}
        outcome = "refused" if "refused" in weights else "different" if "different" in weights else "exact"
        return replace(self, outcome=outcome)


@dataclass(frozen=True)
class Report:
    """The entries of one import or export, and remarks about all of them."""

    origin: str
    entries: tuple[Entry, ...]
    general: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    verb: str = "imported"

    def label(self, outcome: str) -> str:
        """An outcome in words."""
        label = OUTCOMES[outcome]
        return f"{self.verb} {label}" if outcome in {"exact", "different"} else label

    def count(self, outcome: str) -> int:
        """How many entries have an outcome."""
        return sum(entry.outcome == outcome for entry in self.entries)

    def summary(self) -> str:
        """One line: how many entries have which outcome."""
        counts = [f"{self.count(outcome)} {self.label(outcome)}" for outcome in OUTCOMES if self.count(outcome)]
        return ", ".join(counts) or "nothing found"

    def to_json(self) -> str:
        """The report for programs."""
        return json.dumps(asdict(self) | {"summary": self.summary()}, indent=2, ensure_ascii=False, default=str) + "\n"

    def to_markdown(self) -> str:
        """The report for people: the summary, remarks about all jobs, then the entries in order."""
        title = "Import from" if self.verb == "imported" else "Export to"
        lines = [f"# {title} {self.origin}", "", f"{self.summary()}.", ""]
        if self.written:
            lines += ["Written:", "", *(f"- `{path}`" for path in self.written), ""]
        if self.general:
            lines += ["## For all jobs", "", *(f"- {text}" for text in self.general), ""]
        file = ""
        for entry in self.entries:
            if entry.file != file:
                file = entry.file
                lines += [f"## {file}", ""]
            lines += [*_entry(entry, self.label(entry.outcome)), ""]
        return "\n".join(lines).rstrip("\n") + "\n"


def _entry(entry: Entry, outcome: str) -> Iterator[str]:
    job = f" `{entry.job}`" if entry.job else ""
    yield f"- **line {entry.line}**{job}: {outcome}" + (f"; {entry.due}" if entry.due else "")
    if entry.source:
        yield f"  `` {entry.source} ``" if "`" in entry.source else f"  `{entry.source}`"
    for difference in entry.differences:
        dates = f" ({', '.join(difference.dates)})" if difference.dates else ""
        instead = f"; {difference.instead}" if difference.instead else ""
        yield f"  - {difference.kind}: {difference.text}{dates}{instead}"


def shifts_to_compare(trigger: Cron, now: datetime) -> list[Shift]:
    """The shifts of the next two years, or longer to cover a hundred runs, but at most ten years."""
    last = now
    for run in islice(occurrences(trigger, after=now, until=now + timedelta(days=366 * MAX_YEARS)), MIN_RUNS):
        last = run.at
    until = max(last, now + timedelta(days=366 * MIN_YEARS))
    return [shift for shift in shifts(trigger.zone, now.year, until.year) if now < shift.at <= until]
