"""The columns of `task_run`, named once, with their types in PostgreSQL.

A new column is added here, in a migration, where a run fills it (`start_values` or `Result` in record.py), and in
operate/history.py, which shows it.
"""

from __future__ import annotations

from collections.abc import Mapping

# The slot: these four are unique if slot_host is not null.
SLOT = {"clock": "text", "job": "text", "scheduled_at": "timestamptz", "slot_host": "text"}
# Known when the run starts. PostgreSQL adds `started_at`.
START = {
    "run_id": "uuid", "task": "text", **SLOT, "host": "text", "trigger": "text", "attempt": "integer",
    "release": "text", "invocation_id": "uuid", "lag": "double precision",
    "traceparent": "text",
}  # fmt: skip
# The terms of its claim. PostgreSQL adds `expires_at`.
TERMS = {"is_idempotent": "boolean", "is_exclusive": "boolean"}
# Known when it ends. PostgreSQL adds `ended_at`.
END = {
    "status": "text", "duration": "double precision", "exit_code": "integer", "reason": "text", "error_type": "text",
    "error_message": "text", "memory_peak": "bigint", "cpu_seconds": "double precision",
}  # fmt: skip


def without(columns: Mapping[str, str], *names: str) -> dict[str, str]:
    """The columns except some."""
    return {name: kind for name, kind in columns.items() if name not in names}


def listed(columns: Mapping[str, str], form: str = "{0}") -> str:
    """Format each column and join them with commas for SQL; in `form`, {0} is the name and {1} the type."""
    return ", ".join(form.format(name, kind) for name, kind in columns.items())
