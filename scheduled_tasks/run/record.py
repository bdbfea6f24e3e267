"""The account of a run in PostgreSQL: a row at its start, completed at its end.

One statement at the start (the row, and with it the flag's state), one at the end: what a run costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.run import database

if TYPE_CHECKING:
    from scheduled_tasks.run.current import Run

# ON CONFLICT: sent again after a lost connection, the row may be there already.
_OPEN = """
WITH opened AS (
    INSERT INTO task_run (run_id, task, clock, job, scheduled_at, host, trigger, status, started_at)
    VALUES (%(run_id)s, %(task)s, %(clock)s, %(job)s, %(scheduled_at)s, %(host)s, %(trigger)s, 'started',
            clock_timestamp())
    ON CONFLICT (run_id) DO NOTHING
)
SELECT (SELECT is_active FROM feature WHERE name = %(feature)s)
"""

_CLOSE = """
UPDATE task_run
   SET status = %(status)s, ended_at = clock_timestamp(), duration = %(duration)s, exit_code = %(exit_code)s,
       error_type = %(error_type)s, error_message = %(error_message)s
 WHERE run_id = %(run_id)s
"""

MAX_MESSAGE = 2_000  # characters of an error that the table keeps; the whole is in the journal


def open_run(run: Run) -> bool | None:
    """Writes the run's row and reads its flag: the flag's state, or None where the table lacks it.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached.
        ConfigurationError: no database is configured, or it lacks our tables.
    """
    values = {
        "run_id": run.run_id,
        "task": run.task,
        "clock": run.clock or None,
        "job": run.job or None,
        "scheduled_at": run.scheduled_at,
        "host": run.host,
        "trigger": run.trigger,
        "feature": run.feature,
    }
    [(is_active,)] = database.execute(_OPEN, values)
    return None if is_active is None else bool(is_active)


def close_run(run: Run, *, status: str, exit_code: int, error_type: str = "", error_message: str = "") -> None:
    """Completes the run's row. Errors are those of `open_run`; the row then stays `started`."""
    values = {
        "run_id": run.run_id,
        "status": status,
        "duration": run.duration,
        "exit_code": exit_code,
        "error_type": error_type or None,
        "error_message": _storable(error_message[:MAX_MESSAGE]) or None,
    }
    database.execute(_CLOSE, values)
    database.close()


def _storable(text: str) -> str:
    """What PostgreSQL's text holds: no NUL, and no half of a character, as a strange file's name has."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "")


def read_flag(name: str) -> bool | None:
    """The state of a flag, or None where the table lacks it. Errors are those of `open_run`."""
    rows = database.execute("SELECT is_active FROM feature WHERE name = %(name)s", {"name": name})
    return bool(rows[0][0]) if rows else None
