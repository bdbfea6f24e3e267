"""The account of a run in PostgreSQL, the ledger: a row at its start, completed at its end.

One statement at the start: it claims the slot, and reads what decides whether the task runs (its flag, pauses). One
at the end. The row is the claim: who writes it runs the slot, on whatever host. docs/explanation/ledger.md tells
the rules, statements.py has the text.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.run import database, settings, statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduled_tasks.run.current import Run
    from scheduled_tasks.run.status import RunStatus

T = TypeVar("T")

MAX_MESSAGE = 2_000  # characters of an error that the table keeps; the whole is in the journal
STOP_SECONDS = 90  # what systemd gives a service to stop (DefaultTimeoutStopSec=) before it kills it
UNKNOWN_TIMEOUT = 86_400  # of a run by hand, which nothing ends
# How many seconds a slot's run waits for PostgreSQL: it may restart, or have no connection left in a crowd.
PATIENCE = 30.0


class Opened(NamedTuple):
    """What the statement at the start found.

    Attributes:
        attempt: which attempt at its slot this run is; None where it isn't this run's.
        is_active: the flag's state; None where the table lacks it.
        has_expired: whether that is so because a switch for a time is over.
        paused: why, and by whom, the job is paused; empty where it isn't.
        skipped: why the slot isn't this run's; empty where it is.
    """

    attempt: int | None
    is_active: bool | None
    has_expired: bool
    paused: str
    skipped: str


class Terms(NamedTuple):
    """On what terms a slot is claimed.

    `timeout` is in seconds; `overlap` says what becomes of it while another slot's run of the job goes on.
    """

    timeout: float | None = None
    is_idempotent: bool = False
    overlap: str = ""


def open_run(run: Run, terms: Terms, release: str) -> Opened:
    """Claims the run's slot and writes its row; reads its flag and its pauses.

    A run with a slot waits for PostgreSQL (`database_retry_timeout`), and, where its job says so, until it is alone.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached.
        ConfigurationError: no database is configured, or it lacks our tables.
    """
    values = {
        **start_values(run, release),
        "expires_in": (terms.timeout or UNKNOWN_TIMEOUT) + STOP_SECONDS,
        "is_idempotent": terms.is_idempotent,
        "is_exclusive": bool(terms.overlap) and not run.slot_host,  # on one host systemd sees to it
        "is_asked_for": run.is_asked_for,
        "is_repeated": run.is_asked_for and run.trigger in {"manual", "backfill"},
        "is_forced": run.is_forced,
        "feature": run.feature,
    }
    if run.slot_host is None:
        [(is_active, has_expired, paused)] = database.execute(statements.OPEN, values)
        return Opened(run.attempt, is_active, has_expired, paused, "")
    return _patiently(lambda: _claim(values, terms.overlap))


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
        "lag": run.lag if run.scheduled_at else None,
    }


def _claim(values: dict[str, Any], overlap: str) -> Opened:
    """One claim; where the job's other slots have to be over first, as often as it takes."""
    may_be_the_same_slot = True
    while True:
        try:
            [(attempt, is_active, has_expired, paused, is_here_alone)] = database.execute(statements.CLAIM, values)
        except database.NotAloneError:
            # Two hosts in the same instant: it may be this slot that the other has; asked again, its row is seen.
            if may_be_the_same_slot:
                may_be_the_same_slot = False
                continue
            if overlap == "queue":
                time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - so that hosts don't ask all at once
                continue
            return _skip_for_another(values)
        if attempt is not None:
            return Opened(attempt, is_active, has_expired, paused or "", "")
        if is_here_alone:
            return Opened(None, is_active, has_expired, paused, f"paused on this host: {paused}")
        return Opened(None, is_active, has_expired, paused or "", _why_not_ours(values))


def _why_not_ours(values: dict[str, Any]) -> str:
    """Who has the slot. A statement of its own: the one that lost may have begun before the winner's row was there."""
    rows = database.execute(statements.WINNER, values)
    if not rows:
        return "another host has run it"
    host, status = rows[0]
    whose = "this host" if host == values["host"] else f"the host {host}"
    return f"{whose} has claimed it, and it has {status}"


def _skip_for_another(values: dict[str, Any]) -> Opened:
    rows = database.execute(statements.SKIP_FOR_ANOTHER, values)
    reason = rows[0][0] if rows else _why_not_ours(values)
    return Opened(None, None, has_expired=False, paused="", skipped=reason)


class Result(NamedTuple):
    """What became of a run: its row's last columns; they stand on disk so too while PostgreSQL is away."""

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
    """Completes the run's row; False where it isn't this run's any more. Errors are those of `open_run`."""

    def close() -> bool:
        return bool(database.execute(statements.CLOSE, result._asdict()))

    done = _patiently(close) if run.slot_host is not None else close()
    database.close()
    return done


def _patiently(act: Callable[[], T]) -> T:
    """Does something that needs PostgreSQL; while it can't be reached, again, each time after a longer pause."""
    deadline, pause = time.monotonic() + float(settings.load().get("database_retry_timeout") or PATIENCE), 0.1
    while True:
        try:
            return act()
        except ServiceUnavailableError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - so that a crowd doesn't come again as one
            pause = min(pause * 2, 5.0)


def storable(text: str) -> str:
    """What the table keeps of an error's text: cut, and without what PostgreSQL's text can't hold or nobody may read.

    That is NUL, half of a character, as a strange file's name has, and passwords as errors quote them.
    """
    plain = text.encode(errors="backslashreplace").decode().replace("\0", "")
    return settings.without_secrets(plain)[:MAX_MESSAGE]


def read_flag(name: str) -> bool | None:
    """The state of a flag, or None where the table lacks it. Errors are those of `open_run`."""
    rows = database.execute(statements.FLAG, {"feature": name})
    return bool(rows[0][0]) if rows else None
