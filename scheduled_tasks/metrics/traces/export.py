"""Export spans: rows of `span_outbox` go in, requests to an OTLP/HTTP receiver go out, at least once for each change.

A trigger of the ledger queues an attempt when it is over, and again if its row is corrected later
(migrations/0006_traces.sql). A row of the outbox is deleted once its span is exported as the ledger has it then. One
sender of all hosts at a time exports, after everything else that it sends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from scheduled_tasks.alert.delivery.error import DeliveryError
from scheduled_tasks.alert.delivery.http import request
from scheduled_tasks.alert.one_at_a_time import one_at_a_time
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.metrics.traces.spans import export_request, has_ids
from scheduled_tasks.operate.history import RunRow
from scheduled_tasks.quantities import counted

if TYPE_CHECKING:
    from scheduled_tasks.metrics.traces.trace_settings import TraceSettings
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings

BATCH = 512  # rows of the outbox in a request: about 400 kB
SPLIT = 8  # into how many parts a batch is split that was refused
TIMEOUT = 10.0  # seconds of a request
MAX_SECONDS = 20.0  # of all requests of one sender; the next one goes on
# The failure service corrects how a run that was killed ended, a moment after the run itself has recorded it.
SETTLE = timedelta(seconds=10)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)  # after tries that failed
MAX_AGE, MAX_WAITING = timedelta(days=1), 200_000  # of rows: what can't be exported by then is dropped
REFUSED = {400, 413, 422}  # answers about the spans themselves: they would be the same the next time
MAX_QUOTED = 200  # characters of an answer
WANTED_INTERVAL = timedelta(hours=1)  # in which a host says that it exports; the trigger believes it for a day


class Exported(NamedTuple):
    """What was exported: the number of spans, and a line for each problem."""

    spans: int = 0
    problems: tuple[str, ...] = ()


class _Batch(NamedTuple):
    """Rows of the outbox, and the attempts that they are about: none of a row that was pruned, or is running again.

    Nor of a run whose id a task has chosen so that its span has none.
    """

    ids: Sequence[int]
    attempts: Sequence[RunRow]


def record_wanted(connection: Connection, now: datetime) -> None:
    """Record that this host exports spans, so that attempts are queued."""
    connection.execute(
        "INSERT INTO trace_export AS known (wanted_at) VALUES (%(now)s) ON CONFLICT (is_only) DO UPDATE"
        " SET wanted_at = excluded.wanted_at WHERE known.wanted_at < excluded.wanted_at - %(interval)s",
        {"now": now, "interval": WANTED_INTERVAL},
    )


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether spans are waiting to be exported now."""
    query = (
        "SELECT FROM trace_export WHERE coalesce(retry_at, '-infinity') <= %(now)s"
        " AND EXISTS (SELECT FROM span_outbox WHERE queued_at <= %(settled)s ORDER BY id LIMIT 1)"
    )
    return bool(connection.execute(query, {"now": now, "settled": now - SETTLE}).rowcount)


def export_spans(
    connection: Connection,
    settings: Settings,
    traces: TraceSettings,
    now: datetime,
    between: Callable[[], object] = lambda: None,
) -> Exported:
    """Export the spans that are waiting, unless another sender is doing so.

    What the receiver can't take now is tried again later, with growing pauses; what it refuses, and what has waited for
    a day, is dropped, counted in `trace_export` and named in a problem.

    Args:
        connection: on which each statement is a transaction of its own.
        settings: the configuration, which has the credentials.
        traces: its checked table `[traces]`.
        now: the database's time.
        between: called after each request, for what is more urgent.
    """
    if not traces or not is_due(connection, now):
        return Exported()
    with one_at_a_time(connection, "span_outbox") as is_ours:
        if not is_ours:
            return Exported()
        spans, problems = 0, _drop_old(connection, now)
        ends, size = time.monotonic() + MAX_SECONDS, BATCH
        while (batch := _next_batch(connection, now, size)).ids and time.monotonic() < ends:
            try:
                problem = _post(connection, settings, traces, batch)
            except ScheduledTasksError as error:
                if _is_refused(error) and size > 1:  # perhaps because of one of them
                    size = max(1, size // SPLIT)
                    continue
                if not _is_refused(error):
                    problems.append(f"can't export traces: {error}")
                    _pause(connection, now, str(error))
                    break
                problems.append(_drop(connection, batch.ids, len(batch.attempts), str(error)))
            else:
                size = min(BATCH, size * SPLIT)
                spans += len(batch.attempts)
                problems += filter(None, [problem])
            between()
    return Exported(spans, tuple(problems))


_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, RunRow._fields[:-1]))
# One statement, and so one snapshot: of each row that it deletes later, it has read the change that queued it.
_NEXT = sql.SQL("""
WITH batch AS (
    SELECT run_id, attempt, array_agg(id) AS ids FROM (
        SELECT id, run_id, attempt FROM span_outbox WHERE queued_at <= %s ORDER BY id LIMIT %s) AS waiting
     GROUP BY run_id, attempt
)
SELECT batch.ids, found.* FROM batch LEFT JOIN LATERAL (
    (SELECT {columns}, NULL::timestamptz AS replaced_at FROM task_run
      WHERE run_id = batch.run_id AND attempt = batch.attempt AND status <> 'started')
    UNION ALL
    (SELECT {columns}, replaced_at FROM past_attempt
      WHERE run_id = batch.run_id AND attempt = batch.attempt ORDER BY replaced_at DESC LIMIT 1)
    LIMIT 1) AS found ON true
 ORDER BY batch.ids
""").format(columns=_COLUMNS)


def _next_batch(connection: Connection, now: datetime, size: int) -> _Batch:
    rows = connection.execute(_NEXT, [now - SETTLE, size]).fetchall()
    runs = [RunRow(*run) for _, *run in rows if run[0] is not None]
    return _Batch([id_ for ids, *_ in rows for id_ in ids], list(filter(has_ids, runs)))


def _post(connection: Connection, settings: Settings, traces: TraceSettings, batch: _Batch) -> str:
    """Post a batch and delete its rows; return what the receiver says about a part that it has not taken.

    Raises:
        DeliveryError: the receiver has not accepted it.
        ConfigurationError, NotRootError: its URL or its headers can't be read.
    """
    problem, rejected = "", 0
    if batch.attempts:
        body = json.dumps(export_request(batch.attempts, traces), ensure_ascii=False).encode()
        headers = {**traces.headers(settings), "Content-Type": "application/json"}
        answer = request(traces.url(settings), body=body, headers=headers, timeout=TIMEOUT)
        rejected, why = _rejected(answer)
        if rejected or why:
            problem = f"the receiver of traces has dropped {counted(rejected, 'span')}: {why}"
    with connection.transaction():
        _delete(connection, batch.ids)
        connection.execute(
            "UPDATE trace_export SET exported_at = clock_timestamp(), exported = exported + %(spans)s - %(rejected)s,"
            " dropped = dropped + %(rejected)s, tries = 0, retry_at = NULL, error = nullif(%(problem)s, ''),"
            " dropped_at = CASE WHEN %(rejected)s > 0 THEN clock_timestamp() ELSE dropped_at END",
            {"spans": len(batch.attempts), "rejected": rejected, "problem": problem},
        )
    return problem


def _rejected(answer: bytes) -> tuple[int, str]:
    """How many spans the receiver dropped, and why: the partial success of its answer, which is not to be repeated."""
    try:
        partial: dict[str, Any] = json.loads(answer or b"{}").get("partialSuccess") or {}
        return int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or "")[:MAX_QUOTED]
    except (ValueError, TypeError, AttributeError):  # it may answer in another format: the spans are accepted
        return 0, ""


def _is_refused(error: ScheduledTasksError) -> bool:
    return isinstance(error, DeliveryError) and error.status in REFUSED


def _pause(connection: Connection, now: datetime, error: str) -> None:
    """Record a try that failed, and when the next one may be made."""
    connection.execute(
        "UPDATE trace_export SET tries = tries + 1, error = %(error)s,"
        " retry_at = %(now)s + least(%(first)s * power(2, least(tries, 10)), %(longest)s)",
        {"error": error, "now": now, "first": FIRST_PAUSE, "longest": LONGEST_PAUSE},
    )


def _drop_old(connection: Connection, now: datetime) -> list[str]:
    """Drop what has waited for too long, or is too much."""
    rows = connection.execute(
        "DELETE FROM span_outbox WHERE queued_at < %s OR id <= (SELECT max(id) FROM span_outbox) - %s"
        " RETURNING run_id, attempt",
        [now - MAX_AGE, MAX_WAITING],
    ).fetchall()
    if not rows:
        return []
    why = "they could not be exported in time"
    return [_drop(connection, [], len(set(rows)), why)]


def _drop(connection: Connection, ids: Sequence[int], spans: int, why: str) -> str:
    """Delete rows of the outbox without exporting them, and count the spans; return a sentence about that."""
    with connection.transaction():
        _delete(connection, ids)
        connection.execute(
            "UPDATE trace_export SET dropped = dropped + %s, dropped_at = clock_timestamp(), error = %s", [spans, why]
        )
    return f"dropped {counted(spans, 'span')}: {why}"


def _delete(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute("DELETE FROM span_outbox WHERE id = ANY (%s)", [list(ids)])
