"""Identify this machine and its row of `host`: a host is its machine ID, its hostname is a label.

Two machines with one name would account for each other's runs: the second would record the first one's running job as
lost. So whatever reports for a machine checks in first, and a second machine of a name is refused. A machine with a new
name is recognised, and its open runs and jobs move to the new name. docs/decisions/0015-hosts.md has the rules.
"""

from __future__ import annotations

import hmac
import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.deploy import systemd
from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError, UsageError
from scheduled_tasks.instants import from_epoch, shown
from scheduled_tasks.operate import account, deployments, host_pauses
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.slots import Pause, Scope

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection

MACHINE_ID = Path("/etc/machine-id")
APPLICATION = UUID("dc95e81b-48fe-4468-87b1-8f822c1df29d")  # of this project, for sd_id128_get_machine_app_specific(3)
# An earlier boot of a machine ID without a heartbeat for so long is over: a running watch has one every minute.
BOOT_TIMEOUT = 2 * account.HEARTBEAT_INTERVAL
PAUSED_BY = "clocks watch"  # who pauses all jobs of a machine that is refused


class OtherMachineError(ConfigurationError):
    """Another machine has this one's name."""


class RestartedError(ServiceUnavailableError):
    """This machine was restarted a moment ago: it waits until its last heartbeat can't be another machine's."""


class Machine(NamedTuple):
    """A machine.

    Attributes:
        name: its hostname.
        machine_id: its machine ID, hashed for this project, because machine-id(5) asks to keep the ID itself secret.
        booted_at: when its systemd started, by its own clock: tells a clone of its disk apart.
        up_for: how long ago that was.
    """

    name: str
    machine_id: UUID
    booted_at: datetime
    up_for: timedelta


class _Row(NamedTuple):
    name: str
    machine_id: UUID | None
    booted_at: datetime | None
    heartbeat_at: datetime


class _Boot(Enum):
    """Which boot of a machine ID recorded a row's last heartbeat."""

    OWN = auto()  # this one, or an earlier one of this machine
    UNKNOWN = auto()  # an earlier one of this machine, or that of another machine, which is still up
    OTHER = auto()  # that of another machine: it had a heartbeat after this boot began


def this_machine() -> Machine:
    """Read who this machine is.

    Raises:
        ConfigurationError: it has no machine ID.
    """
    try:
        machine_id = UUID(MACHINE_ID.read_text().strip())
    except (OSError, ValueError):
        raise ConfigurationError(f"{MACHINE_ID} has no machine ID: run 'systemd-machine-id-setup'") from None
    [manager] = systemd.show("UserspaceTimestamp,UserspaceTimestampMonotonic")
    return Machine(
        name=socket.gethostname(),
        machine_id=app_specific(machine_id),
        booted_at=from_epoch(systemd.timestamp(manager["UserspaceTimestamp"])),
        up_for=timedelta(seconds=time.monotonic(), microseconds=-int(manager["UserspaceTimestampMonotonic"])),
    )


def app_specific(machine_id: UUID) -> UUID:
    """Hash a machine ID as `systemd-id128 machine-id --app-specific=` does."""
    return UUID(bytes=hmac.digest(machine_id.bytes, APPLICATION.bytes, "sha256")[:16], version=4)


def require_own_name(connection: Connection, machine: Machine, now: datetime) -> None:
    """Refuse a second machine of a name. Changes nothing.

    Raises:
        OtherMachineError: the name belongs to another machine; says which, and what to do.
    """
    if row := _row(connection, machine.name):
        with suppress(RestartedError):  # it may well be this machine's
            _require_own(row, machine, now)


def twins(connection: Connection, machine: Machine) -> list[str]:
    """The names of other hosts that have this machine's ID: one was cloned from the other."""
    rows = connection.execute(
        "SELECT name FROM host WHERE machine_id = %s AND name <> %s ORDER BY name", [machine.machine_id, machine.name]
    )
    return [name for (name,) in rows]


def check_in(connection: Connection, machine: Machine, now: datetime) -> str:
    """Make sure that this machine's row is its own, before anything is reported for it or decided about its runs.

    Returns:
        its former name, if it has been renamed; its open runs and jobs move to the new one. "" otherwise.

    Raises:
        OtherMachineError: the name belongs to another machine.
        RestartedError: it is too early to tell a restart of this machine from a clone of it.
    """
    former = ""
    with connection.transaction():
        row = _row(connection, machine.name, lock=True)
        if row is None:  # two machines may check in for the first time at once
            connection.execute("LOCK TABLE host IN SHARE ROW EXCLUSIVE MODE")
            row = _row(connection, machine.name)
        if row is None:
            former = _adopt_former_row(connection, machine, now)
        else:
            _require_own(row, machine, now)
            if (row.machine_id, row.booted_at) == (machine.machine_id, machine.booted_at):
                return ""
        connection.execute(
            # The slots of an earlier host of this name were accounted for when it was forgotten.
            "INSERT INTO host (name, heartbeat_at, heartbeats_since, accounted_until, machine_id, booted_at)"
            " VALUES (%(name)s, %(now)s, %(now)s, %(now)s, %(machine_id)s, %(booted_at)s) ON CONFLICT (name)"
            " DO UPDATE SET machine_id = excluded.machine_id, booted_at = excluded.booted_at",
            {**machine._asdict(), "now": now},
        )
    return former


def check_in_here(connection: Connection, places: Places, now: datetime) -> str:
    """Check this machine in, as `check_in` does; while it is refused, every job is paused on it.

    Its jobs would run under the other machine's name, which would record them as lost and run idempotent ones again.
    """
    machine = this_machine()
    scope = Scope(None, None, machine.name)
    try:
        former = check_in(connection, machine, now)
    except OtherMachineError:
        reason = f"another machine has the name {machine.name}: see 'clocks doctor'"
        host_pauses.write(places, Pause(scope, now, PAUSED_BY, reason, None))
        raise
    for pause in host_pauses.active(places, machine.name):
        if pause.by == PAUSED_BY:
            host_pauses.end(places, replace(pause, scope=scope), by=PAUSED_BY, at=now)
    return former


def _row(connection: Connection, name: str, *, lock: bool = False) -> _Row | None:
    select = "SELECT name, machine_id, booted_at, heartbeat_at FROM host WHERE name = %s"
    row = connection.execute(f"{select} FOR UPDATE" if lock else select, [name]).fetchone()
    return _Row(*row) if row else None


def _require_own(row: _Row, machine: Machine, now: datetime) -> None:
    if row.machine_id not in {None, machine.machine_id}:
        raise OtherMachineError(
            f"the name {row.name} belongs to another machine, whose last heartbeat was at {shown(row.heartbeat_at)}:"
            " nothing is recorded for this one. Give it a name of its own ('hostnamectl set-hostname NAME'); if it"
            f" replaces the other, which no longer exists, run 'clocks forget-host {row.name}' first"
        )
    match _boot(row, machine, now):
        case _Boot.OTHER:
            raise OtherMachineError(
                f"another machine has the name {row.name} and this one's machine ID, and was up at"
                f" {shown(row.heartbeat_at)}: one is a clone of the other. Nothing is recorded for this one. Give it a"
                f" machine ID ('rm {MACHINE_ID}; systemd-machine-id-setup') and a name of its own ('hostnamectl"
                " set-hostname NAME'), then reboot it"
            )
        case _Boot.UNKNOWN:
            raise _too_early(row)


def _boot(row: _Row, machine: Machine, now: datetime) -> _Boot:
    since = now - row.heartbeat_at
    if row.booted_at in {None, machine.booted_at} or since >= BOOT_TIMEOUT:
        return _Boot.OWN
    return _Boot.OTHER if since < machine.up_for else _Boot.UNKNOWN


def _too_early(row: _Row) -> RestartedError:
    until = row.heartbeat_at + BOOT_TIMEOUT
    return RestartedError(
        f"{row.name} had a heartbeat at {shown(row.heartbeat_at)}, before this boot: nothing is recorded until"
        f" {shown(until)}, because until then it could be another machine's"
    )


def _adopt_former_row(connection: Connection, machine: Machine, now: datetime) -> str:
    """Rename the row that this machine had under another name, if there is one; return that name."""
    rows = connection.execute(
        "SELECT name, machine_id, booted_at, heartbeat_at FROM host WHERE machine_id = %s ORDER BY heartbeat_at DESC",
        [machine.machine_id],
    )
    for row in map(_Row._make, rows.fetchall()):
        match _boot(row, machine, now):
            case _Boot.OWN:
                _rename(connection, row.name, machine.name, now)
                return row.name
            case _Boot.UNKNOWN:
                raise _too_early(row)
            case _Boot.OTHER:  # a clone with a name of its own: `twins` finds it
                pass
    return ""


def _rename(connection: Connection, old: str, new: str, now: datetime) -> None:
    """Move what is still open to a machine's new name; what is decided keeps the old one.

    Slots up to an instant are decided, and belong to the old name. Later ones belong to the new name: of jobs with
    per_host=True, even those that have already run.
    """
    account.account_for_one(connection, old, now)
    longest = max((job.overdue_after for job in deployments.jobs_of(connection, old)), default=timedelta())
    names = {"old": old, "new": new, "since": now - longest}
    request_rows.rename_host(connection, old, new)
    connection.execute(
        "UPDATE task_run SET slot_host = %(new)s FROM deployed_job AS deployed WHERE deployed.host = %(old)s"
        " AND deployed.valid_until IS NULL AND task_run.clock = deployed.clock AND task_run.job = deployed.job"
        " AND task_run.slot_host = %(old)s AND task_run.scheduled_at > %(since)s",
        names,
    )
    connection.execute(
        "UPDATE task_run SET host = %(new)s, slot_host = CASE slot_host WHEN %(old)s THEN %(new)s ELSE slot_host END"
        " WHERE status = 'started' AND host = %(old)s",
        names,
    )
    connection.execute(
        "WITH closed AS (UPDATE deployed_job SET valid_until = greatest(valid_from, %(since)s)"
        "  WHERE host = %(old)s AND valid_until IS NULL RETURNING *)"
        " INSERT INTO deployed_job (host, clock, job, task, schedule, options, source, valid_from, deployed_by)"
        " SELECT %(new)s, clock, job, task, schedule, options, source, valid_until, deployed_by FROM closed",
        names,
    )
    connection.execute("UPDATE pause SET host = %(new)s WHERE host = %(old)s AND resumed_at IS NULL", names)
    connection.execute("UPDATE host SET name = %(new)s WHERE name = %(old)s", names)


class Forgotten(NamedTuple):
    """What was recorded when a host was forgotten: how many slots and how many runs, and how many jobs it had."""

    slots: int
    runs: int
    jobs: int


def forget(connection: Connection, name: str, now: datetime, *, by: str, even_if_alive: bool = False) -> Forgotten:
    """Forget a host that no longer exists: decide what became of its runs and slots, and delete its row.

    Raises:
        UsageError: there is no such host, or it still has heartbeats.
    """
    with connection.transaction():
        row = _row(connection, name, lock=True)
        if row is None:
            known = [host for (host,) in connection.execute("SELECT name FROM host ORDER BY name")]
            raise UsageError(f"there is no host {name!r}; the hosts are: {', '.join(known) or 'none'}")
        if now - row.heartbeat_at < account.HOST_TIMEOUT and not even_if_alive:
            raise UsageError(
                f"{name} is alive: its last heartbeat was at {shown(row.heartbeat_at)}; switch it off or run 'clocks"
                " remove --all' on it first, or write --yes if it is another machine that had the name"
            )
        jobs = deployments.jobs_of(connection, name)
        runs = _close_open_runs(connection, row, by)
        connection.execute(
            "UPDATE deployed_job SET valid_until = greatest(valid_from, %s) WHERE host = %s AND valid_until IS NULL",
            [now, name],
        )
        verdicts = account.account_for_one(connection, name, now, is_gone=True)
        connection.execute(
            "UPDATE pause SET resumed_at = greatest(paused_at, %(now)s), resumed_by = %(by)s"
            " WHERE host = %(name)s AND resumed_at IS NULL",
            {"name": name, "by": by, "now": now},
        )
        connection.execute("DELETE FROM host WHERE name = %s", [name])
    return Forgotten(len(verdicts), runs, len(jobs))


def _close_open_runs(connection: Connection, row: _Row, by: str) -> int:
    """Record a host's open runs as lost at its last heartbeat; those that another host can take over are left to it."""
    taken_over = (
        "is_idempotent AND slot_host = '' AND EXISTS (SELECT FROM deployed_job AS other WHERE other.host <> %(name)s"
        " AND other.valid_until IS NULL AND other.clock = task_run.clock AND other.job = task_run.job)"
    )
    values = row._asdict() | {
        "reason": f"its host was forgotten (clocks forget-host, {by}), and how it ended is unknown",
    }
    connection.execute(
        "UPDATE task_run SET expires_at = least(expires_at, clock_timestamp())"  # noqa: S608 - our own text
        f" WHERE status = 'started' AND host = %(name)s AND {taken_over}",
        values,
    )
    return connection.execute(
        "UPDATE task_run SET status = 'lost', ended_at = greatest(started_at, %(heartbeat_at)s), reason = %(reason)s"  # noqa: S608 - our own text
        f" WHERE status = 'started' AND host = %(name)s AND NOT ({taken_over})",
        values,
    ).rowcount
