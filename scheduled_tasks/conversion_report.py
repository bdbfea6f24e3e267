"""The report of an import: each job or line found has one entry, in the order of the files; as Markdown and as JSON.

What comes in: entries. What goes out: two texts. An entry's outcome follows from its differences, so that nothing is
called exact that has a difference.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from scheduled_tasks.schedule import occurrences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduled_tasks.schedule import Trigger

OUTCOMES = {
    "exact": "exactly",
    "different": "with a difference",
    "refused": "refused",
    "kept": "taken into account",
    "note": "to know",
}


YEARS, MOST_YEARS = 2, 10
RUNS = 100


@dataclass(frozen=True)
class Difference:
    """One thing to say of an entry.

    Attributes:
        kind: a word for programs: `fold`, `gap`, `phase`, `zone`, `called`, …
        text: a sentence for people.
        weight: `difference` and `refusal` decide the outcome, a `remark` doesn't.
        dates: on which dates (ISO) it is seen, where that can be said.
        instead: what to write.
    """

    kind: str
    text: str
    weight: str = "different"
    dates: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True)
class Entry:
    """One job or line: where it stands, what becomes of it, and everything that is to be said of it."""

    file: str
    line: int
    source: str
    outcome: str
    job: str = ""
    due: str = ""
    differences: tuple[Difference, ...] = ()

    def with_outcome(self) -> Entry:
        """The entry of a job, with the outcome that its differences make."""
        weights = {difference.weight for difference in self.differences}
        outcome = "refused" if "refused" in weights else "different" if "different" in weights else "exact"
        return replace(self, outcome=outcome)


@dataclass(frozen=True)
class Report:
    """The entries of one import, and what holds for all of them."""

    origin: str
    entries: tuple[Entry, ...]
    general: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    verb: str = "imported"

    def words(self, outcome: str) -> str:
        """An outcome in words."""
        said = OUTCOMES[outcome]
        return f"{self.verb} {said}" if outcome in {"exact", "different"} else said

    def count(self, outcome: str) -> int:
        """How many entries have an outcome."""
        return sum(entry.outcome == outcome for entry in self.entries)

    def summary(self) -> str:
        """One line: how many of which outcome."""
        counts = [f"{self.count(outcome)} {self.words(outcome)}" for outcome in OUTCOMES if self.count(outcome)]
        return ", ".join(counts) or "nothing found"

    def to_json(self) -> str:
        """For programs."""
        return json.dumps(asdict(self) | {"summary": self.summary()}, indent=2, ensure_ascii=False, default=str) + "\n"

    def to_markdown(self) -> str:
        """For people: the summary, what holds for all, then each entry in its order."""
        title = f"Import from {self.origin}" if self.verb == "imported" else f"Export to {self.origin}"
        lines = [f"# {title}", "", f"{self.summary()}.", ""]
        if self.written:
            lines += ["Written:", "", *(f"- `{path}`" for path in self.written), ""]
        if self.general:
            lines += ["## For all jobs", "", *(f"- {text}" for text in self.general), ""]
        file = ""
        for entry in self.entries:
            if entry.file != file:
                file = entry.file
                lines += [f"## {file}", ""]
            lines += [*_entry(entry, self.words(entry.outcome)), ""]
        return "\n".join(lines).rstrip("\n") + "\n"


def _entry(entry: Entry, outcome: str) -> Iterable[str]:
    job = f" `{entry.job}`" if entry.job else ""
    yield f"- **line {entry.line}**{job}: {outcome}" + (f"; {entry.due}" if entry.due else "")
    if entry.source:
        yield f"  `` {entry.source} ``" if "`" in entry.source else f"  `{entry.source}`"
    for difference in entry.differences:
        dates = f" ({_listed(difference.dates)})" if difference.dates else ""
        instead = f"; {difference.instead}" if difference.instead else ""
        yield f"  - {difference.kind}: {difference.text}{dates}{instead}"


def _listed(dates: tuple[str, ...]) -> str:
    return ", ".join(dates)


def dates_until(trigger: Trigger, now: datetime) -> datetime:
    """Until when dates are said: for two years, and for a hundred runs where they come within ten."""
    last = now
    for each in islice(occurrences(trigger, after=now, until=now + timedelta(days=366 * MOST_YEARS)), RUNS):
        last = each.at
    return max(last, now + timedelta(days=366 * YEARS))
