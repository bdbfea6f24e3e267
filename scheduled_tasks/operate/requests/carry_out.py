"""Work on the requests of this host: take them, start or stop the services of its jobs, and record what became of it.

Every pass of the watch calls it. Each request is a state machine in its row: what a pass leaves, the next one
continues, whether the watch was killed meanwhile or not. It does only what the host's own current set of units has, and
no request carries a command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from scheduled_tasks.errors import ScheduledTasksError, UsageError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate import history, pauses
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.render.names import service_name
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.evaluator import TICK, occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.requests.request_rows import Outcome, Request
    from scheduled_tasks.operate.requests.services import Services, ServiceState
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection

MAX_SECONDS = 20.0  # of one pass of the watch, less than a lease; the next pass continues
POLL_INTERVAL = 0.2  # seconds
MAX_SLOTS = 10_000  # of one backfill: more are probably a mistake in its first slot
AT_ONCE = 100  # slots whose rows one statement reads
HAS_RUN = {RunStatus.ENDED, RunStatus.STARTED}

Jobs = Mapping[tuple[str, str], "DeployedJob"]


class _Finished(Exception):  # noqa: N818 - not an error: how a request ended
    """A request is finished, and how."""

    def __init__(self, outcome: Outcome, why: str = "") -> None:
        super().__init__(outcome, why)
        self.outcome, self.why = outcome, why


def carry_out(  # noqa: PLR0913 - what a host has, and what is asked of it
    connection: Connection, host: str, jobs: Jobs, services: Services, now: datetime, *, seconds: float = MAX_SECONDS
) -> list[str]:
    """Work on this host's requests; return a line for each that is finished now.

    Args:
        connection: on which each statement is a transaction of its own.
        host: this host.
        jobs: those of its current set.
        services: of this host.
        now: the database's time.
        seconds: after which the next pass continues.
    """
    request_rows.expire(connection)
    worker = _Worker(connection, host, jobs, services, now)
    until = time.monotonic() + seconds
    seen: list[int] = []
    still_open: list[Request] = []
    lines: list[str] = []

    def work_on(request: Request) -> None:
        try:
            still_open.append(worker.step(request))
        except _Finished as end:
            request_rows.finish(connection, request, end.outcome, end.why)
            lines.append(f"request {request.id} to {request.kind} {request.name} by {request.asked_by}: {end.outcome}"
                         f"{f': {end.why}' if end.why else ''}")  # fmt: skip

    while request := request_rows.take(connection, host, jobs, seen):
        seen.append(request.id)
        work_on(request)
    while still_open and time.monotonic() < until:
        time.sleep(POLL_INTERVAL)
        current, still_open[:] = list(still_open), []
        for request in current:
            work_on(request)
    for request in still_open:
        request_rows.leave(connection, request)
    return lines


@dataclass(frozen=True)
class _Worker:
    connection: Connection
    host: str
    jobs: Jobs
    services: Services
    now: datetime

    def step(self, request: Request) -> Request:
        """Do what is next for a request, and return it as it is then.

        Raises:
            _Finished: nothing is left to do.
        """
        steps: dict[str, Callable[[Request, DeployedJob], Request]] = {
            "run": self._run, "stop": self._stop, "backfill": self._backfill, "log": self._log,
        }  # fmt: skip
        job = self.jobs.get((request.clock, request.job))
        if job is None:
            raise _Finished("refused", f"{request.name} is not in the current set of {self.host}: see 'clocks plan'")
        try:
            return steps[request.kind](request, job)
        except ScheduledTasksError as error:
            raise _Finished("refused" if isinstance(error, UsageError) else "failed", str(error)) from None

    def _run(self, request: Request, job: DeployedJob) -> Request:
        state = self._state(request)
        if self._status(request):
            raise _Finished("done")
        if state.is_busy:
            return self._require_own(request, state)
        if request.started_at:
            raise self._without_a_run(request, job, request.slot, state)
        self._require_runnable(request, job)
        if request.slot:
            if problem := job.why_not_due(request.slot):
                raise _Finished("refused", problem)
            self._require_not_run(request, job, request.slot)
        return self._start(request, at=request.slot, trigger="manual")

    def _stop(self, request: Request, _job: DeployedJob) -> Request:
        state = self._state(request)
        run = history.get_run(self.connection, _run_id(request))
        if request.started_at and (run is None or run.status != RunStatus.STARTED or not state.is_busy):
            raise _Finished("done")
        if request.started_at:
            return request
        if run is None or run.status != RunStatus.STARTED:
            raise _Finished("refused", f"it does not run: {run.status if run else 'the ledger has no such run'}")
        if not state.is_busy:
            raise _Finished("refused", f"its service does not run on {self.host}: the watch will record it as lost")
        if run.invocation_id is None or state.invocation != run.invocation_id.hex:
            raise _Finished("refused", "its service runs another run")
        self.services.stop(service_name(request.clock, request.job))
        return self._started(request)

    def _log(self, request: Request, _job: DeployedJob) -> Request:
        run = history.get_run(self.connection, _run_id(request))
        if run is None:
            raise _Finished("refused", "the ledger has no such run")
        if not request.started_at:
            run_logs.request(self.connection, run)
            self.services.store_logs(self.connection)
            request = self._started(request)
        stored = run_logs.stored(self.connection, run.run_id)
        if stored is None or stored.captured_at:
            raise _Finished("done")
        return request  # the lines of a run that still runs are stored at its end

    def _backfill(self, request: Request, job: DeployedJob) -> Request:
        state = self._state(request)
        ran = request.ran
        if request.run_id:
            assert request.at_slot is not None  # noqa: S101 - both are written together
            status, why = self._status(request) or ("", "")
            if state.is_busy:
                return request  # even after a failure: systemd may retry
            if not status:
                if request.started_at:
                    raise self._without_a_run(request, job, request.at_slot, state)
                return self._start(request, at=request.at_slot, trigger="backfill")
            if status not in {RunStatus.ENDED, RunStatus.SKIPPED}:
                raise _Finished("failed", f"stopped at {rfc3339(request.at_slot)}: {status}{f': {why}' if why else ''}")
            ran += 1
        elif state.is_busy:
            return request
        self._require_runnable(request, job)
        first, last = request.slot, request.until_slot
        assert first  # noqa: S101 - ask_request requires both
        assert last  # noqa: S101
        total = count_slots(self.connection, job, first, last) if request.total is None else request.total
        if total > MAX_SLOTS:
            raise _Finished("refused", f"more than {MAX_SLOTS} slots: backfill in smaller ranges")
        slot = next_to_run(self.connection, job, request.at_slot + TICK if request.at_slot else first, last)
        if slot is None:
            request_rows.count(self.connection, request, ran=ran, total=total)
            raise _Finished("done")
        request = request_rows.next_slot(self.connection, request, slot, total, ran=ran)
        return self._start(request, at=slot, trigger="backfill")

    def _state(self, request: Request) -> ServiceState:
        # Before the row of the run is read: a run has its row before its service ends.
        return self.services.state(service_name(request.clock, request.job))

    def _status(self, request: Request) -> tuple[str, str] | None:
        """The status of the request's run, and why it did not end well; None if it has no row."""
        return request_rows.statuses(self.connection, [_run_id(request)]).get(_run_id(request))

    def _start(self, request: Request, *, at: datetime | None, trigger: str) -> Request:
        unit = service_name(request.clock, request.job)
        self.services.start(unit, _run_id(request), at=at, trigger=trigger, force=request.is_forced)
        return self._started(request)

    def _started(self, request: Request) -> Request:
        request_rows.record_start(self.connection, request)
        return replace(request, started_at=self.now)

    def _require_own(self, request: Request, state: ServiceState) -> Request:
        """Require that a busy service was started for this request, by this watch or one that was killed."""
        if request.started_at:
            return request
        if state.run_id != str(request.run_id):
            raise _Finished("refused", f"{request.name} is already running on {self.host}, and never runs twice")
        return self._started(request)

    def _require_runnable(self, request: Request, job: DeployedJob) -> None:
        if request.is_forced:
            return
        for pause in pauses.active(self.connection, self.now):
            if pause.covers(job.clock, job.job, self.host):
                raise _Finished("refused", f"it is paused: {pause}")

    def _require_not_run(self, request: Request, job: DeployedJob, slot: datetime) -> None:
        status = history.statuses_of_slots(self.connection, job.slot(slot), slot).get(slot)
        if status == RunStatus.STARTED or (status == RunStatus.ENDED and not request.is_forced):
            raise _Finished("refused", f"the slot {rfc3339(slot)} has a run already, status {status}")

    def _without_a_run(
        self, request: Request, job: DeployedJob, slot: datetime | None, state: ServiceState
    ) -> _Finished:
        """How a request ended whose service was started and recorded no run."""
        if slot:
            self._require_not_run(replace(request, is_forced=False), job, slot)
        problem = state.problem or "see its log"
        return _Finished("failed", f"{request.name} was started on {self.host} and recorded no run: {problem}")


def _run_id(request: Request) -> UUID:
    assert request.run_id is not None  # noqa: S101 - ask_request or next_slot wrote it
    return request.run_id


def next_to_run(connection: Connection, job: DeployedJob, first: datetime, last: datetime) -> datetime | None:
    """The first slot of a range that has not run, by the schedule that the host has now; None if all have."""
    after = first - TICK
    while due := [found.at for found in islice(occurrences(job.trigger, after=after, until=last), AT_ONCE)]:
        known = history.statuses_of_slots(connection, job.slot(due[0]), due[-1])
        if slots := [at for at in due if known.get(at) not in HAS_RUN]:
            return slots[0]
        after = due[-1]
    return None


def count_slots(connection: Connection, job: DeployedJob, first: datetime, last: datetime) -> int:
    """How many slots of a range have not run; at most one more than `MAX_SLOTS`, whether they have run or not."""
    due = [found.at for found in islice(occurrences(job.trigger, after=first - TICK, until=last), MAX_SLOTS + 1)]
    if not due or len(due) > MAX_SLOTS:
        return len(due)
    known = history.statuses_of_slots(connection, job.slot(due[0]), due[-1])
    return sum(known.get(at) not in HAS_RUN for at in due)
