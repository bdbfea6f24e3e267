"""What a ping says of a run that has ended: one sentence, and the last lines of its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.instants import rfc3339
from scheduled_tasks.masking import mask
from scheduled_tasks.operate.on_call import run_logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from scheduled_tasks.run.database import Connection


class RunFacts(NamedTuple):
    """What the ledger knows of a run."""

    text: str
    duration: float | None
    exit_code: int | None


def facts_of(connection: Connection, runs: Sequence[UUID]) -> Mapping[object, RunFacts]:
    """What the ledger knows of some runs, by their ids."""
    rows = connection.execute(
        "SELECT run_id, status, host, scheduled_at, attempt, duration, exit_code, error_type,"
        " coalesce(error_message, reason) FROM task_run WHERE run_id = ANY (%s)",
        [list(runs)],
    )
    facts = {}
    for run_id, status, host, scheduled_at, attempt, duration, exit_code, error_type, reason in rows:
        slot = f", slot {rfc3339(scheduled_at)}" if scheduled_at else ""
        lasted = "" if duration is None else f" after {duration:.1f} s"
        code = f", exit code {exit_code}" if exit_code else ""
        tried = f", attempt {attempt}" if attempt > 1 else ""
        why = ": ".join(filter(None, (error_type, reason)))
        sentence = mask(f"{status} on {host}{lasted}{slot}{tried}{code}{f': {why}' if why else ''}")
        facts[run_id] = RunFacts("\n".join((sentence, *_lines(connection, run_id))), duration, exit_code)
    return facts


def _lines(connection: Connection, run_id: UUID) -> list[str]:
    stored = run_logs.stored(connection, run_id)
    return ["", *run_logs.readable(stored.lines, "UTC")] if stored else []
