"""The watch of this machine: what is deployed and paused here is told, pauses end in time, what they held is caught up.

In come the machine's files and its systemd, and the database; `watch.account` judges the slots afterwards. Needs root:
as anybody else one can only judge.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks import files
from scheduled_tasks.deploy import deployment_reports, start_requests, systemd
from scheduled_tasks.deploy.apply import AnotherApplyError, Applied, apply
from scheduled_tasks.deploy.machine_state import inactive_timers, read_machine_state, read_set, read_stopped_timers
from scheduled_tasks.operate import deployments, host_pauses, pauses
from scheduled_tasks.operate import reconcile as ledger
from scheduled_tasks.operate.verdicts import DeployedJob
from scheduled_tasks.render import names
from scheduled_tasks.render.unit_set import NO_JOBS, UnitSet
from scheduled_tasks.schedule.evaluator import latest_occurrence
from scheduled_tasks.schedule.trigger import Trigger

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
WAITS = (*ledger.KEPT, "reports/*.json")  # what the state folder has until the database is told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduled_tasks.operate.pauses import PauseRow
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection


def is_ours(places: Places) -> bool:
    """Whether this process may speak for the machine, and there is something to say."""
    return os.geteuid() == 0 and (places.current.is_dir() or places.reports.is_dir())


def finish_apply(places: Places) -> Applied | None:
    """Brings an apply to its end that was killed while it had timers stopped; None where there is none, or one at work.

    What is in force stays so, the old set or the new one: what an operator wanted is not known here.
    """
    if not (is_ours(places) and places.current.is_dir() and read_stopped_timers(places)):
        return None
    try:
        return apply(read_set(places.current.resolve()), places)
    except AnotherApplyError:
        return None


def tell_deployed(connection: Connection, places: Places, host: str, now: datetime) -> int:
    """Tells the database what was deployed here and when; how many jobs that changed.

    Each note goes once the database has it. A note of an apply that is still at work waits for the next time.
    """
    in_force = _jobs_in_force(places)
    digest = deployment_reports.digest(in_force)
    paths = sorted(places.reports.glob("*-jobs.json"))
    if paths and _an_apply_is_at_work(places):
        paths.pop()
    notes = [(path, noted) for path in paths if (noted := files.read(path, deployment_reports.read_report))]
    changes = 0
    for number, (path, noted) in enumerate(notes, 1):
        came_into_force = number < len(notes) or noted["digest"] == digest
        if came_into_force:
            told = deployments.Told(noted["jobs"], noted["digest"], _utc(noted["at"]), _utc(noted["new_from"]))
            changes += deployments.tell(connection, host, told)
        path.unlink()
    if not list(places.reports.glob("*-jobs.json")) and deployments.told_digest(connection, host) != digest:
        # Never noted: a set that an image brought, or a database from before it.
        told = deployments.Told(json.loads(in_force)["jobs"], digest, now, now)
        changes += deployments.tell(connection, host, told)
    return changes


def tell_pauses(connection: Connection, places: Places, host: str, now: datetime) -> None:
    """Ends this host's pauses whose time is over, and tells the database of them and of stopped timers."""
    for row in host_pauses.in_force(places, host):
        if row.until and row.until <= now:
            host_pauses.end(places, row, by="until", at=now)
    paths = sorted(places.reports.glob("*-pause.json"))
    over = [ended for path in paths if (ended := files.read(path, host_pauses.read_note))]
    here = host_pauses.in_force(places, host)
    settled = not _an_apply_is_at_work(places)
    stopped = _stopped(places, host, now) if settled else []
    pauses.tell_pauses(connection, over + here + stopped)
    for path in paths:
        path.unlink(missing_ok=True)
    if settled:
        pauses.end_gone(connection, host, [row.local_id for row in here + stopped if row.local_id], now)


def catch_up(connection: Connection, places: Places, host: str, since: datetime, now: datetime) -> list[str]:
    """Starts what pauses that ended since an instant held back: which services.

    A job that says catch_up_after_pause=True gets its last slot of the pause. Every job gets the last slot that fell
    due after a pause's `until`, before its file went.
    """
    ended = [row for row in pauses.ended_between(connection, since, now) if row.scope.host in {None, host}]
    if not ended:
        return []
    holding = pauses.in_force(connection, now)
    wanted: dict[str, datetime] = {}
    for each in deployments.deployed_now(connection):
        if each.host != host or each.options.get("paused"):
            continue
        if any(row.holds(each.clock, each.job, host) for row in holding):
            continue
        for row in ended:
            if row.holds(each.clock, each.job, host) and (slot := _owed(each, row, now)):
                unit = names.service_name(each.clock, each.job)
                wanted[unit] = max(slot, wanted.get(unit, slot))
    for unit in start_requests.busy(list(wanted)):
        del wanted[unit]  # its run goes on; a second start would be none
    for unit, slot in wanted.items():
        start_requests.write(places, unit, at=slot, trigger="watch")
    if wanted:
        start_requests.start(wanted)
    return sorted(wanted)


def reconcile(connection: Connection, places: Places, host: str) -> ledger.Reconciled:
    """Writes what runs here couldn't write themselves, and closes rows whose run can't be alive any more."""
    jobs = json.loads(_jobs_in_force(places))["jobs"]
    return ledger.reconcile(connection, places.state, host=host, jobs=jobs, invocations=_invocations)


def take_over(places: Places, lost: Iterable[ledger.Lost], host: str) -> list[str]:
    """Starts what may be taken over, where it is deployed here and not running; the claim decides who gets it."""
    here = {(each["clock"], each["job"]) for each in json.loads(_jobs_in_force(places))["jobs"]}
    wanted = {
        names.service_name(each.clock, each.job): each.scheduled_at
        for each in lost
        if (each.clock, each.job) in here and each.slot_host in {"", host}
    }
    for unit in start_requests.busy(list(wanted)):
        del wanted[unit]
    for unit, slot in wanted.items():
        start_requests.write(places, unit, at=slot, trigger="watch")
    if wanted:
        start_requests.start(wanted)
    return sorted(wanted)


def _invocations(units: Iterable[str]) -> dict[str, str | None]:
    """The invocation of each service that runs; None where it waits to be tried again."""
    shown = systemd.show("Id,ActiveState,SubState,InvocationID", *units)
    return {
        unit["Id"]: None if unit["SubState"].startswith("auto-restart") else unit["InvocationID"]
        for unit in shown
        if unit["ActiveState"] in systemd.RUNNING_STATES
    }


def sweep(places: Places) -> None:
    """Removes what was asked of starts that are over."""
    start_requests.sweep(places)


def _owed(job: DeployedJob, row: PauseRow, now: datetime) -> datetime | None:
    """The slot of a pause that ended which is to run now; None for none."""
    if row.until and row.resumed_at and row.until < row.resumed_at:  # its file went a little later
        late = latest_occurrence(job.trigger, at_or_before=min(row.resumed_at, now))
        if late and late.at >= max(row.until, job.since):
            return late.at
    end = min(each for each in (row.until, row.resumed_at) if each)
    held = latest_occurrence(job.trigger, at_or_before=end - deployments.TICK)
    wanted = held and bool(job.options.get("catch_up_after_pause"))
    return held.at if held and wanted and held.at >= max(row.at, job.since) else None


def jobs_here(places: Places) -> set[tuple[str, str]]:
    """(clock, job) of all that is deployed on this machine."""
    return {(each["clock"], each["job"]) for each in json.loads(_jobs_in_force(places))["jobs"]}


def deployed_here(places: Places, host: str) -> list[DeployedJob]:
    """What is deployed on this machine, by its set of units; since when is not asked."""
    since = datetime.fromtimestamp(0, UTC)
    return [
        DeployedJob(
            host, each["clock"], each["job"], each["task"], Trigger.from_json(each["schedule"]), each["options"], since
        )
        for each in json.loads(_jobs_in_force(places))["jobs"]
    ]


def _jobs_in_force(places: Places) -> str:
    try:
        return (places.current / names.JOBS).read_text()
    except FileNotFoundError:  # nothing is deployed, or a release before this one did it
        return NO_JOBS


def _stopped(places: Places, host: str, now: datetime) -> list[PauseRow]:
    """Jobs whose timer is deployed and stopped: somebody's pause in all but name."""
    stopped = inactive_timers(places) if places.is_running else {}
    if not stopped:
        return []
    rows = []
    for each in json.loads(_jobs_in_force(places))["jobs"]:
        clock, job, timer = each["clock"], each["job"], names.timer_name(each["clock"], each["job"])
        if timer in stopped and not each["options"]["paused"]:
            since = stopped[timer]
            at = _utc(since) if since else now
            local_id = f"{host}:{timer}:{since or BOOT_ID.read_text().strip()}"
            reason = f"its timer is stopped on {host}"
            rows.append(
                pauses.PauseRow(pauses.Scope(clock, job, host), at, pauses.STOPPED, reason, None, local_id=local_id)
            )
    return rows


def _an_apply_is_at_work(places: Places) -> bool:
    with suppress(FileNotFoundError), (places.runtime / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def refused(places: Places) -> list[Path]:
    """What said nothing and was set aside, of all that waits to be told."""
    if places.home:
        return []
    aside = (Path(pattern).with_suffix(files.QUARANTINED) for pattern in WAITS)
    return sorted(path for pattern in aside for path in places.state.glob(str(pattern)))


def leave(places: Places, *, has_database: bool) -> None:
    """Takes away this machine's state, once nothing of it is to be told and nothing runs that could have more."""
    state = places.state
    if places.home or not places.is_running:
        return
    if has_database and any(path for pattern in WAITS for path in state.glob(pattern)):
        return
    if not read_machine_state(places, UnitSet()).running:
        for folder in (state, places.private_state):
            shutil.rmtree(folder, ignore_errors=True)
