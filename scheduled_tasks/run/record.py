"""Record a run in PostgreSQL, the ledger: a row at its start, completed at its end.

One statement at the start claims the slot and reads what decides whether the task runs (its flag, pauses); one at the
end completes the row. The row is the claim: the host that inserts it runs the slot. docs/explanation/ledger.md has the
rules; the functions open_run and close_run of the database carry them out.
"""

from __future__ import annotations

import json
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scheduled_tasks import masking
from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.instants import iso8601
from scheduled_tasks.run import database, settings, statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduled_tasks.run.current import Run
    from scheduled_tasks.run.status import RunStatus

T = TypeVar("T")

MAX_MESSAGE = 2_000  # characters of an error's text in the table; the journal has all of it
STOP_SECONDS = 90  # how long systemd lets a service stop (DefaultTimeoutStopSec=) before it kills it
DEFAULT_TIMEOUT = 86_400  # seconds after which the claim of a run by hand, which has no time limit, expires
# For how many seconds a run with a slot retries PostgreSQL: it may be restarting, or at busy times out of connections.
DATABASE_RETRY_TIMEOUT = 30.0


class ClaimResult(NamedTuple):
    """The answer of the statement at the start.

    Attributes:
        attempt: which attempt at its slot this run is; None if the slot isn't this run's.
        is_active: the flag's state; None if the table lacks it.
        switch_expired: whether the flag has that state because a temporary switch has expired.
        paused: why, and by whom, the job is paused; empty if it isn't.
        skip_reason: why the slot isn't this run's; empty if it is.
    """

    attempt: int | None
    is_active: bool | None
    switch_expired: bool
    paused: str
    skip_reason: str


class ClaimTerms(NamedTuple):
    """The terms of a claim: `timeout` in seconds; `overlap` ("skip" or "queue") while the job runs for another slot."""

    timeout: float | None = None
    is_idempotent: bool = False
    overlap: str = ""


def open_run(run: Run, terms: ClaimTerms, release: str) -> ClaimResult:
    """Claim the run's slot and write its row; read its flag and its pauses.

    A run with a slot waits for PostgreSQL (`database_retry_timeout`) and, with `overlap="queue"`, for the job's other
    run to end.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable.
        ConfigurationError: no database is configured, or it lacks our tables.
    """
    if run.is_retried_by_pods:
        from scheduled_tasks.run.kubernetes import pod

        run.attempt = _with_retries(lambda: pod.next_attempt(run))
        run.enter_trace()
    asked = {
        **start_values(run, release),
        "expires_in": (terms.timeout or DEFAULT_TIMEOUT) + STOP_SECONDS,
        "is_idempotent": terms.is_idempotent,
        "is_exclusive": bool(terms.overlap) and not run.slot_host,  # on one host systemd starts no second run
        "overlap": terms.overlap,
        "is_requested": run.is_requested,
        "is_repeated": run.is_requested and run.trigger in {"manual", "backfill"},
        "is_forced": run.is_forced,
        "feature": run.feature,
    }
    if run.slot_host is None:
        claim, _ = _ask(run, asked)
        return claim
    while True:
        claim, is_queued = _with_retries(lambda: _ask(run, asked))
        if not is_queued:
            return claim
        time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - so that hosts don't retry all at once


def _ask(run: Run, asked: dict[str, Any]) -> tuple[ClaimResult, bool]:
    """Send the statement at the start; return its answer, and whether to send it again while another slot runs."""
    values = json.dumps(asked | {"age": run.duration}, default=iso8601)
    [(attempt, is_active, switch_expired, paused, skip_reason, is_queued)] = database.execute(
        statements.OPEN, {"run": values}
    )
    claim = ClaimResult(attempt, is_active, bool(switch_expired), paused or "", skip_reason or "")
    return claim, is_queued


def start_values(run: Run, release: str) -> dict[str, Any]:
    """The columns that a run knows when it starts (`columns.START`)."""
    return {
        "run_id": run.run_id,
        "task": run.task,
        "clock": run.clock or None,
        "job": run.job or None,
        "scheduled_at": run.scheduled_at,
        "slot_host": run.slot_host,
        "host": run.host,
        "trigger": run.trigger,
        "attempt": run.attempt,
        "release": release or None,
        "invocation_id": run.invocation_id or None,
        "lag": run.lag,
        "traceparent": run.traceparent or None,
    }


class Result(NamedTuple):
    """A run's result: the columns that its end fills (`columns.END`), kept on disk while PostgreSQL is unreachable."""

    run_id: str
    attempt: int
    status: RunStatus
    exit_code: int
    duration: float
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    memory_peak: int | None = None
    cpu_seconds: float | None = None


def close_run(run: Run, result: Result) -> bool:
    """Complete the run's row; False if it is no longer this run's. Raises what `open_run` does."""
    close = partial(database.execute, statements.CLOSE, {"result": json.dumps(result._asdict())})
    [(is_closed,)] = _with_retries(close) if run.slot_host is not None else close()
    database.close()
    return bool(is_closed)


def _with_retries(act: Callable[[], T]) -> T:
    """Call a function that needs PostgreSQL; while that is unreachable, retry with growing pauses."""
    timeout = float(settings.load().get("database_retry_timeout") or DATABASE_RETRY_TIMEOUT)
    deadline, pause = time.monotonic() + timeout, 0.1
    while True:
        try:
            return act()
        except ServiceUnavailableError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - so that many runs don't reconnect at once
            pause = min(pause * 2, 5.0)


def storable(text: str) -> str:
    """An error's text as the table keeps it: cut, without passwords, NUL and lone surrogates (of file names)."""
    # PostgreSQL's text can't hold the latter two.
    plain = text.encode(errors="backslashreplace").decode().replace("\0", "")
    return masking.mask(plain)[:MAX_MESSAGE]


def read_flag(name: str) -> bool | None:
    """The state of a flag; None if the table lacks it. Raises what `open_run` does."""
    rows = database.execute(statements.FLAG, {"feature": name})
    return bool(rows[0][0]) if rows else None
