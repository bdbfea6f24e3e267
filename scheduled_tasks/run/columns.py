"""The columns of `task_run`, named once, with their types in PostgreSQL.

A new column is added here, in a migration, where a run fills it (`start_values` or `Result` in record.py), and in
operate/history.py, which shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# The slot: these four are unique where slot_host is not null.
SLOT = {"clock": "text", "job": "text", "scheduled_at": "timestamptz", "slot_host": "text"}
# What a run knows when it starts.
START = {
    "run_id": "uuid",
    "task": "text",
    **SLOT,
    "host": "text",
    "trigger": "text",
    "attempt": "integer",
    "release": "text",
    "invocation_id": "uuid",
    "lag": "double precision",
}
# On what terms it holds its slot; PostgreSQL adds `expires_at`.
TERMS = {"is_idempotent": "boolean", "is_exclusive": "boolean"}
# What it knows when it ends. PostgreSQL adds `ended_at`.
END = {
    "status": "text",
    "duration": "double precision",
    "exit_code": "integer",
    "reason": "text",
    "error_type": "text",
    "error_message": "text",
    "memory_peak": "bigint",
    "cpu_seconds": "double precision",
}


def without(columns: Mapping[str, str], *names: str) -> dict[str, str]:
    """Some columns without others."""
    return {name: kind for name, kind in columns.items() if name not in names}


def listed(columns: Iterable[str], form: str = "{}") -> str:
    """The names in a row, each in a form: `{0} = excluded.{0}` updates them on a conflict."""
    return ", ".join(form.format(name) for name in columns)


def typed(columns: Mapping[str, str], form: str = "{} {}") -> str:
    """The names with their types, each in a form: `%({})s::{}` is a parameter."""
    return ", ".join(form.format(name, kind) for name, kind in columns.items())
