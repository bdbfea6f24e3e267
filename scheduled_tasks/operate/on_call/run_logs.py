"""Keep the last log lines of runs in the ledger, so that any host can show them, even when the run's host is dead.

A run that fails or is lost requests its lines (migrations/0003), a person those of any other run. Here a host reads the
requested lines from its journals, masks the secrets in them and stores them, and commands and messages read them.
decisions/0031-log-lines.md has the reasons.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from scheduled_tasks.deploy import log_entries, systemd
from scheduled_tasks.errors import ScheduledTasksError, UsageError
from scheduled_tasks.masking import mask_value
from scheduled_tasks.readable_log import in_zone
from scheduled_tasks.render.names import service_name

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.run.database import Connection

MAX_LINES = 50
MAX_BYTES = 16_384  # of all lines together; migrations/0003 has it too
MAX_TEXT = 8_192  # bytes of one field that are kept of a line that is too long: its end
MAX_RUNS = 200  # whose lines one call stores; the next pass of the watch continues
MAX_SHOWN_RUNS = 20  # of other hosts
SYNC_TIMEOUT = 10.0  # seconds


class Request(NamedTuple):
    """A run whose lines its host has not stored yet."""

    run_id: UUID
    clock: str
    job: str
    invocation_id: UUID

    @property
    def unit(self) -> str:
        """The service that ran it."""
        return service_name(self.clock, self.job)


@dataclass(frozen=True)
class StoredLog:
    """The stored lines of a run.

    Attributes:
        run_id, clock, job, host: the run, and the host whose journal had the lines.
        captured_at: when they were stored; None while they are requested.
        lines: as run/log_line.schema.json describes them, oldest first.
    """

    run_id: UUID
    clock: str
    job: str
    host: str
    captured_at: datetime | None
    lines: tuple[str, ...]


def store_requested(connection: Connection, state: Path, host: str) -> int:
    """Store the lines that this host's runs, or people, requested; return of how many runs.

    The runs of a service that still runs wait for its end.
    """
    # Of many processes that failures start at once, one stores the lines. The others wait for it: what they start
    # next, such as a notice about their failure, needs the lines.
    with os.fdopen(os.open(state / "run-logs.lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        requests = _requests(connection, host)
        if not requests:
            return 0
        # Runs of a removed job have no service any more.
        services = {unit["Id"]: unit for unit in systemd.show(_SHOWN, *sorted({request.unit for request in requests}))}
        _sync({unit["LogNamespace"] for unit in services.values()})
        ended = [request for request in requests if not _runs_now(request, services.get(request.unit, {}))]
        return sum(_store(connection, request, host, read_lines(request)) for request in ended)


_SHOWN = "Id,ActiveState,SubState,InvocationID,LogNamespace"


def _requests(connection: Connection, host: str) -> list[Request]:
    rows = connection.execute(
        "SELECT run_id, clock, job, invocation_id FROM run_log WHERE host = %s AND captured_at IS NULL"
        " ORDER BY requested_at DESC LIMIT %s",
        [host, MAX_RUNS],
    )
    return [Request(*row) for row in rows]


def _runs_now(request: Request, service: Mapping[str, str]) -> bool:
    return (
        service.get("InvocationID") == request.invocation_id.hex
        and service["ActiveState"] in systemd.RUNNING_STATES
        and not service["SubState"].startswith("auto-restart")  # that attempt has ended
    )


def _sync(namespaces: Iterable[str]) -> None:
    """Have journald write what it has received: the last lines of a run that failed a moment ago."""
    for namespace in {"", *namespaces}:
        journal = [f"--namespace={namespace}"] if namespace else []
        try:
            subprocess.run(["journalctl", *journal, "--sync"], capture_output=True, check=False, timeout=SYNC_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired):  # the lines that are there are better than none
            return


def read_lines(request: Request) -> list[str]:
    """The last lines of a run in this host's journals, oldest first, without secrets and in MAX_BYTES."""
    # Of its own service only: a task could name the invocation of another.
    matches = log_entries.of_invocations(str(request.invocation_id), unit=request.unit)
    names = {request.unit: (request.clock, request.job)}
    try:
        return bounded([entry.fields for entry in log_entries.read(matches, f"--lines={MAX_LINES}", names=names)])
    except ScheduledTasksError as error:  # a broken journal must not fail the watch: its reader sees why
        return bounded([{"level": "warning", "logger": "clocks", "message": f"the log lines can't be read: {error}"}])


def bounded(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last of some log lines that fit, as JSON without secrets; of one that is too long itself, its texts' ends."""
    lines: list[str] = []
    room = MAX_BYTES
    for fields in reversed(entries[-MAX_LINES:]):
        line = _json(mask_value(fields))
        if not lines and _size(line) > room:
            line = _shortened(mask_value(fields))
        room -= _size(line)
        if room < 0:
            break
        lines.append(line)
    return lines[::-1]


def _json(fields: object) -> str:
    # A lone surrogate can't be stored, its escape can, and JSON reads it as the same.
    return json.dumps(fields, ensure_ascii=False).encode(errors="backslashreplace").decode()


def _size(line: str) -> int:
    return len(line.encode()) + 1  # its line break


def _shortened(fields: Mapping[str, Any]) -> str:
    keep = MAX_TEXT
    while _size(line := _json(_ends(fields, keep))) > MAX_BYTES and keep:
        keep //= 2
    return line if keep else _json({"message": "(a line that is too long)"})


def _ends(value: Any, keep: int) -> Any:
    if isinstance(value, Mapping):
        return {key: _ends(inner, keep) for key, inner in value.items()}
    if isinstance(value, str) and len(encoded := value.encode(errors="backslashreplace")) > keep:
        return f"(cut) … {encoded[-keep:].decode(errors='ignore')}"
    return value


def _store(connection: Connection, request: Request, host: str, lines: Sequence[str]) -> int:
    return connection.execute(
        "UPDATE run_log SET lines = %s, captured_at = clock_timestamp()"
        " WHERE run_id = %s AND invocation_id = %s AND host = %s",
        ["\n".join(lines), request.run_id, request.invocation_id, host],
    ).rowcount


def request(connection: Connection, run: RunRow) -> None:
    """Request the lines of a run; its host stores them with the next pass of its watch, within a minute.

    Raises:
        UsageError: it is not a run of a job's service.
    """
    if not (run.clock and run.job and run.invocation_id):
        raise UsageError(f"the run {run.run_id} was not started by systemd: no journal has its lines")
    connection.execute(
        "INSERT INTO run_log AS known (run_id, clock, job, host, invocation_id) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (run_id) DO UPDATE SET requested_at = excluded.requested_at, captured_at = NULL"
        " WHERE known.captured_at IS NOT NULL",
        [run.run_id, run.clock, run.job, run.host, run.invocation_id],
    )


_STORED = "SELECT run_id, clock, job, host, captured_at, lines FROM run_log"


def stored(connection: Connection, run_id: UUID | str) -> StoredLog | None:
    """The stored lines of a run; None if nobody requested them, or they are too old."""
    row = connection.execute(f"{_STORED} WHERE run_id = %s", [run_id]).fetchone()
    return _stored_log(row) if row else None


def stored_elsewhere(  # noqa: PLR0913 - the filters
    connection: Connection,
    host: str,
    *,
    clock: str = "",
    job: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[StoredLog]:
    """The stored lines of the last runs of other hosts, oldest first: of all, of a clock or of one job."""
    rows = connection.execute(
        f"{_STORED} WHERE host <> %(host)s AND lines <> ''"
        " AND (%(clock)s = '' OR clock = %(clock)s) AND (%(job)s = '' OR job = %(job)s)"
        " AND requested_at BETWEEN coalesce(%(since)s::timestamptz, '-infinity')"
        " AND coalesce(%(until)s::timestamptz, 'infinity')"
        " ORDER BY requested_at DESC LIMIT %(runs)s",
        {"clock": clock, "job": job, "host": host, "since": since, "until": until, "runs": MAX_SHOWN_RUNS},
    )
    return [_stored_log(row) for row in rows][::-1]


def _stored_log(row: Sequence[Any]) -> StoredLog:
    run_id, clock, job, host, captured_at, lines = row
    return StoredLog(run_id, clock, job, host, captured_at, tuple(lines.split("\n") if lines else ()))


def readable(lines: Iterable[str], zone: str) -> list[str]:
    """Stored lines for people, with times in a zone."""
    log = in_zone(zone)
    return [text for line in lines for text in log.text(json.loads(line)).splitlines()]
