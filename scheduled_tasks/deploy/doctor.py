"""What is wrong with a deployment, and the command that mends it: pure, from the facts of a machine to findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduled_tasks.deploy.plan import Facts, links_of, plan

LEAST_HORIZON = timedelta(days=2 * 365)  # what remains of the years that a timer's corrections are written for


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be: where, what, and the command that mends it."""

    where: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}\n    {self.mend}"


def machine_findings(facts: Facts, failed: Iterable[str]) -> Iterator[Finding]:
    """What differs between the set in force and the machine.

    Args:
        facts: the machine, as it was read for the set in force.
        failed: the units that systemd calls failed.
    """
    if not facts.files:
        yield Finding("units", "no set is in force", "clocks apply")
        return
    yield from _of_the_files(facts)
    yield from _of_the_units(facts, frozenset(failed))


def _of_the_files(facts: Facts) -> Iterator[Finding]:
    todo = plan(facts.files, facts)
    for refusal in facts.refusals:
        yield Finding(refusal.path, refusal.found, refusal.instead)
    if todo.unfinished:
        yield Finding("units", "an apply did not come to its end", "clocks apply")
    if todo.reload:
        yield Finding("units", "systemd has not read the units that are in force", "clocks apply")
    in_the_way = {refusal.path.rpartition("/")[2] for refusal in facts.refusals}
    for link in todo.missing_links:
        if link.rpartition("/")[2] not in in_the_way:
            yield Finding(link, "the link to it is missing", "clocks apply")
    for link in sorted(facts.links.keys() - links_of(facts.files)):
        yield Finding(link, "a link to a unit that is no more", "clocks apply")


def _of_the_units(facts: Facts, failed: frozenset[str]) -> Iterator[Finding]:
    for unit in sorted(failed & facts.files.keys()):
        yield Finding(unit, "failed", f"journalctl --unit={unit}; systemctl reset-failed {unit}")
    for unit in sorted(set(plan(facts.files, facts).start) - failed):
        yield Finding(unit, "not started: its jobs are not run", f"systemctl start {unit}")
    for unit, loaded in sorted(facts.loaded.items()):
        service = unit.removesuffix("timer") + "service"
        due = loaded.next_run or service in facts.running  # a timer waits while its job runs
        if unit.endswith(".timer") and unit in facts.files and loaded.active and not due:
            yield Finding(unit, "has no next run", f"systemctl cat {unit}; mend the clock file; clocks apply")


def horizon_findings(exact_until: Mapping[str, datetime | None], now: datetime) -> Iterator[Finding]:
    """The timers that are to be rendered anew before the corrections of their clock's nights of change end."""
    for timer, until in sorted(exact_until.items()):
        if until is not None and until - now < LEAST_HORIZON:
            yield Finding(timer, f"its due times are exact until {until:%Y-%m-%d} only", "clocks apply")
