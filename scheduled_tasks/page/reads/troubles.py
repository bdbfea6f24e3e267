"""What is wrong now: bad jobs, dead hosts and open incidents, each with its reason and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.alert import incident_rows
from scheduled_tasks.alert.incidents import OF_RESULTS, Incident
from scheduled_tasks.alert.message.facts import ID_LENGTH, alarm_of, names_of
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.masking import mask
from scheduled_tasks.operate import history, status
from scheduled_tasks.operate.on_call import handbook, run_logs
from scheduled_tasks.render.names import service_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import Failure, JobStatus
    from scheduled_tasks.run.database import Connection

DETAILED = 10  # troubles with log lines and what to do; the others are one line each
LINES_SHOWN = 4
MAX_INCIDENTS = 500


class Step(NamedTuple):
    """One thing to do, in words with commands in backticks, and the commands alone."""

    text: str
    commands: str


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        kind: the status of the last bad slot (`failed`, `missed`, `lost`), or the kind of an incident.
        clock, job: of which job; "" for a host's.
        host: on which host, if that matters.
        since: since when.
        streak: how many slots in a row are bad; 0 if slots are not counted.
        has_more: whether they may be more.
        reason: why, in its first line.
        run_id: the last bad run or slot.
        incident: the open incident that says so, if somebody was told.
        lines: the last lines of its log, for people.
        means, steps: what the handbook says of it.
        pauses: the active ones of its job.
        slot: the nominal time of the last bad slot; None of a run without one.
    """

    kind: str
    clock: str
    job: str
    host: str
    since: datetime
    reason: str
    streak: int = 0
    has_more: bool = False
    run_id: UUID | None = None
    incident: Incident | None = None
    lines: tuple[str, ...] = ()
    means: str = ""
    steps: tuple[Step, ...] = ()
    pauses: tuple[Pause, ...] = ()
    slot: datetime | None = None

    @property
    def name(self) -> str:
        """What is wrong: `CLOCK/JOB`, the host, or notices."""
        return f"{self.clock}/{self.job}" if self.job else self.host or "notices"


def troubles(connection: Connection, now: datetime, zone: str, clock: str = "", job: str = "") -> list[Trouble]:
    """Everything that is wrong now, what has been wrong for the shortest time first."""
    incidents = incident_rows.incidents(connection, clock=clock, job=job, open_only=True, limit=MAX_INCIDENTS)
    results = {(one.clock, one.job, one.host): one for one in incidents if one.kind in OF_RESULTS}
    bad = status.jobs(connection, now, clock, job, bad_only=True)
    found = [
        _of_failure(state, failure, results.get((state.clock, state.job, failure.host)))
        for state in bad
        for failure in state.failures
    ]
    found += [_of_incident(one) for one in incidents if one.kind not in OF_RESULTS]
    found.sort(key=lambda trouble: trouble.since, reverse=True)
    return [_detailed(connection, one, zone) if n < DETAILED else one for n, one in enumerate(found)]


def _of_failure(state: JobStatus, failure: Failure, incident: Incident | None) -> Trouble:
    return Trouble(
        kind=failure.status,
        clock=state.clock,
        job=state.job,
        host=failure.host,
        since=failure.since,
        reason=_first_line(failure.reason),
        streak=failure.streak,
        has_more=failure.streak_has_more,
        run_id=UUID(failure.run_id),
        incident=incident,
        pauses=state.paused,
    )


def _of_incident(incident: Incident) -> Trouble:
    return Trouble(
        kind=incident.kind,
        clock=incident.clock,
        job=incident.job,
        host=incident.host or incident.run_host,
        since=incident.first_at,
        reason=_first_line(incident.reason),
        run_id=incident.run_id,
        incident=incident,
    )


def _detailed(connection: Connection, trouble: Trouble, zone: str) -> Trouble:
    """A trouble with its log lines and its row of the handbook."""
    run = history.get_run(connection, trouble.run_id) if trouble.run_id else None
    means: str = ""
    steps: tuple[Step, ...] = ()
    if trouble.incident and trouble.incident.kind not in OF_RESULTS:
        means, steps = _placed(alarm_of(trouble.incident, run), names_of(trouble.incident, run))
    elif run:
        means, steps = what_to_do(run, since=trouble.since)
    stored = run_logs.stored(connection, trouble.run_id) if trouble.run_id else None
    lines = run_logs.readable(stored.lines, zone) if stored else []
    slot = run.scheduled_at if run and run.slot_host is not None else None
    return replace(trouble, slot=slot, lines=tuple(lines[-LINES_SHOWN:]), means=means, steps=steps)


def what_to_do(run: RunRow, since: datetime | None = None) -> tuple[str, tuple[Step, ...]]:
    """What the handbook says of a bad run or slot: what it means, and what to do, step by step."""
    text = " ".join(filter(None, (run.reason, run.error_message)))
    alarm = handbook.of_run(handbook.Failed(run.status, run.exit_code, run.error_type or "", text))
    slot = rfc3339(run.scheduled_at or run.started_at)
    names = {"RUN": str(run.run_id)[:ID_LENGTH], "SLOT": slot, "TO": slot, "FROM": rfc3339(since) if since else slot}
    if run.clock and run.job:
        names |= {"CLOCK": run.clock, "JOB": run.job, "UNIT": service_name(run.clock, run.job)}
    if run.host:
        names["HOST"] = run.host
    return _placed(alarm, names)


def _placed(alarm: handbook.Alarm, names: Mapping[str, str]) -> tuple[str, tuple[Step, ...]]:
    steps = handbook.steps(handbook.placed(alarm.do, names))
    return handbook.placed(alarm.means, names), tuple(Step(one, "\n".join(handbook.commands(one))) for one in steps)


def _first_line(text: str) -> str:
    return mask(text).partition("\n")[0]


def by_clock(found: Sequence[Trouble]) -> dict[str, int]:
    """How many jobs of each clock are bad."""
    numbers: dict[str, int] = {}
    for trouble in found:
        if trouble.job:
            numbers[trouble.clock] = numbers.get(trouble.clock, 0) + 1
    return numbers
