"""The log lines of jobs in this machine's journals: run-task's, what tasks print, and what systemd says of a service.

Every entry becomes the fields of a log line, as run/log_line.schema.json describes them; one that isn't run-task's has
fewer.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scheduled_tasks.errors import NotRootError, ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.instants import from_epoch, rfc3339

LEVELS = ("critical", "critical", "critical", "error", "warning", "notice", "info", "debug")  # by syslog's priority
# systemd also logs each start and each end that went well; run-task's lines say so.
TOLD_BY_SYSTEMD = tuple(f"PRIORITY={LEVELS.index(level)}" for level in ("error", "warning", "notice"))


class JournalError(ScheduledTasksError):
    """journalctl failed."""

    exit_code = 71


class LogEntry(NamedTuple):
    """An entry of the journal: its fields, the line of JSON for programs, and its place, from which to continue."""

    fields: Mapping[str, Any]
    json: str
    cursor: str


def of_units(units: Sequence[str], *, user: bool = False) -> tuple[str, ...]:
    """The matches of journalctl(1) for all lines of some services; with `user`, of the user's own systemd."""
    if not user:
        lines, about = ([f"{field}={unit}" for unit in units] for field in ("_SYSTEMD_UNIT", "UNIT"))
        return (*lines, "+", *about, "_PID=1", *TOLD_BY_SYSTEMD)
    me = f"_UID={os.getuid()}"
    lines, about = ([f"{field}={unit}" for unit in units] for field in ("_SYSTEMD_USER_UNIT", "USER_UNIT"))
    return (*lines, me, "+", *about, me, *TOLD_BY_SYSTEMD)


def of_invocations(*invocations: str, unit: str = "") -> tuple[str, ...]:
    """The matches for some invocations of services; with `unit`, only if they are of that one."""
    numbers = [invocation.replace("-", "") for invocation in invocations]
    lines, about = (
        [f"{field}={number}" for number in numbers] for field in ("_SYSTEMD_INVOCATION_ID", "INVOCATION_ID")
    )
    if unit:
        lines, about = [*lines, f"_SYSTEMD_UNIT={unit}"], [*about, f"UNIT={unit}"]
    return (*lines, "+", *about, "_PID=1", *TOLD_BY_SYSTEMD)


def read(
    matches: Sequence[str], *options: str, names: Mapping[str, tuple[str, str]] | None = None
) -> Iterator[LogEntry]:
    """Yield the entries that match, oldest first, as journalctl prints them; with --follow, for ever.

    Args:
        matches: what to look for.
        options: more options of journalctl.
        names: the clock and the job of units, for lines that don't name them.

    Raises:
        NotRootError: this user can't read the journal.
        ServiceUnavailableError: this machine has no journalctl.
        JournalError: it failed.
    """
    # A clock can have its own journal (log_namespace).
    command = ["journalctl", "--namespace=*", "--output=json", "--all", "--no-pager", "--quiet", *options, *matches]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise ServiceUnavailableError("journalctl is not installed: this machine has no journal") from None
    with process:
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        try:
            for line in process.stdout:
                yield entry_of(json.loads(line), names or {})
        except BaseException:
            process.terminate()
            raise
        problem = process.stderr.read().decode(errors="replace").strip()
    if process.returncode and problem:
        if os.geteuid() != 0 and "permission" in problem.lower():
            raise NotRootError("the journal can't be read: run this as root, or as a member of systemd-journal")
        raise JournalError(f"journalctl: {problem}")


def stored_entry(line: str) -> LogEntry:
    """The entry of a line that was stored as JSON."""
    return LogEntry(json.loads(line), line, "")


def entry_of(entry: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> LogEntry:
    """Convert an entry, as journalctl --output=json prints it; run-task's lines are kept as they are."""
    message, cursor = text_of(entry.get("MESSAGE")), str(entry.get("__CURSOR", ""))
    if message.startswith("{"):
        try:
            fields = json.loads(message)
        except (ValueError, RecursionError):
            fields = {}
        if fields.get("type") == "cron" and isinstance(fields.get("timestamp"), str) and "message" in fields:
            return LogEntry(fields, message, cursor)
    at = from_epoch(int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1e6)
    priority = text_of(entry.get("PRIORITY"))
    fields = {
        "timestamp": rfc3339(at, "milliseconds"),
        "level": LEVELS[int(priority)] if priority in {*map(str, range(len(LEVELS)))} else "info",
        "logger": text_of(entry.get("SYSLOG_IDENTIFIER")) or text_of(entry.get("_COMM")),
        "message": message,
        "host": text_of(entry.get("_HOSTNAME")),
    }
    units = (entry.get(key) for key in ("UNIT", "USER_UNIT", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT"))
    for unit in units:
        if isinstance(unit, str) and unit in names:
            fields["clock"], fields["job"] = names[unit]
            break
    return LogEntry(fields, json.dumps(fields, ensure_ascii=False), cursor)


def text_of(value: object) -> str:
    """The text of a field in journalctl's JSON: an array has the bytes of unprintable text, or several values."""
    if isinstance(value, list) and value and all(isinstance(byte, int) for byte in value):
        return bytes(value).decode(errors="backslashreplace")
    if isinstance(value, list):
        return text_of(value[-1]) if value else ""
    return value if isinstance(value, str) else ""
