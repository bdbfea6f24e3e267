"""Mark the bad results that a later good one has resolved, so that a search for bad jobs need not read them.

`task_run.is_resolved` is only a hint: `status` still compares the rest with the rule. So a mark may come late, but not
early, and every change of a row takes it back (triggers in migrations/0001). Input and output are rows of `task_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.operate.status import IS_BAD, IS_PAST, RESULT_AT, ROW_BY_ROW

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.run.database import Connection

MAX_ROWS = 20_000  # that one statement marks; the next pass of the watch continues

# A good result resolves those of its own slots' host ('' if they are of all hosts), because a job can become one with
# `per_host`, and back. It is locked, so that it can't change before the marks are visible to unresolve_earlier().
_MARK = f"""
WITH unresolved AS (
    SELECT clock, job, coalesce(slot_host, host) AS judged, min({RESULT_AT}) AS first_at FROM task_run
     WHERE {IS_BAD} AND NOT is_resolved GROUP BY 1, 2, 3
), good AS (
    SELECT unresolved.*, latest.at FROM unresolved CROSS JOIN LATERAL (
        SELECT {RESULT_AT} AS at FROM task_run
         WHERE clock = unresolved.clock AND job = unresolved.job AND coalesce(slot_host, host) = unresolved.judged
           AND status = 'ended' AND {IS_PAST} AND {RESULT_AT} >= unresolved.first_at
         ORDER BY {RESULT_AT} DESC LIMIT 1 FOR SHARE SKIP LOCKED) AS latest
)
UPDATE task_run SET is_resolved = true
 WHERE {IS_BAD} AND NOT is_resolved AND ctid = ANY (ARRAY(
    SELECT bad.ctid FROM good JOIN task_run AS bad USING (clock, job)
     WHERE {IS_BAD} AND NOT is_resolved AND coalesce(slot_host, host) = judged AND {RESULT_AT} <= good.at
     LIMIT %(rows)s FOR UPDATE OF bad SKIP LOCKED))
"""  # noqa: S608 - our own text


def mark_resolved(connection: Connection, now: datetime) -> int:
    """Mark the bad results after which a run ended well, up to an instant; return how many."""
    with connection.transaction():
        connection.execute(ROW_BY_ROW)
        return connection.execute(_MARK, {"now": now, "rows": MAX_ROWS}).rowcount
