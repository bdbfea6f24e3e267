"""The watch's part on this machine: report deployments and pauses, end expired pauses, start the jobs they blocked.

It reads this machine's files and its systemd, and needs root. `account` audits the slots afterwards, which any user
with the database can do.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks import files
from scheduled_tasks.deploy import deployment_reports, start_requests, systemd
from scheduled_tasks.deploy.apply import AnotherApplyError, Applied, apply
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import inactive_timers, read_set, read_stopped_timers, running
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.instants import from_epoch
from scheduled_tasks.operate import deployments, host_pauses, pauses, reconcile
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.operate.pending.stuck_files import StuckFiles, stuck
from scheduled_tasks.operate.slots import DeployedJob, Pause, Scope
from scheduled_tasks.operate.watch.due_times import DueTimesProblem, due_times_problems
from scheduled_tasks.render import names
from scheduled_tasks.render.unit_file import UnitFile
from scheduled_tasks.render.unit_set import NO_JOBS
from scheduled_tasks.schedule.evaluator import TICK, latest_occurrence
from scheduled_tasks.schedule.trigger import Trigger

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
WATCH_ENDS_WITHIN = 60.0  # seconds; usually one
MAX_SHOWN = 100  # a job can leave any number of corrupt files
PENDING = (*reconcile.PENDING, "reports/*.json")  # kept in the state folder until the database has it

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection


def can_report(places: Places) -> bool:
    """Whether this process may report for the machine, and there is anything to report."""
    return os.geteuid() == 0 and (places.current.is_dir() or places.reports.is_dir())


def finish_apply(places: Places) -> Applied | None:
    """Finish an apply that was killed while timers were stopped; None if none was, or an apply is running.

    The current set stays current, old or new: which one the operator wanted is not known here.
    """
    if not (can_report(places) and places.current.is_dir() and read_stopped_timers(places)):
        return None
    try:
        return apply(read_set(places.current.resolve()), places)
    except AnotherApplyError:
        return None


def report_deployed(connection: Connection, places: Places, host: str, now: datetime) -> int:
    """Report to the database what was deployed here and when; return how many jobs changed.

    A report is deleted once the database has it. The report of an apply that is still running stays pending.
    """
    manifest = _manifest(places)
    digest = deployment_reports.digest(manifest)
    paths = sorted(places.reports.glob("*-jobs.json"))
    if paths and _apply_is_running(places):
        paths.pop()
    changes = 0
    with StuckFiles(places.state, "deployments") as pending:
        reports = [(path, read) for path in paths if (read := pending.read(path, deployment_reports.read_report))]
        for number, (path, read) in enumerate(reports, 1):
            became_current = number < len(reports) or read["digest"] == digest
            changes += pending.record(path, partial(_report, connection, host, read if became_current else None)) or 0
    if not list(places.reports.glob("*-jobs.json")) and deployments.reported_digest(connection, host) != digest:
        # There was no report: the set is part of an image, or the database was restored from before it.
        new = deployments.JobsReport(json.loads(manifest)["jobs"], digest, now, now)
        changes += deployments.report(connection, host, new)
    return changes


def _report(connection: Connection, host: str, read: dict[str, Any] | None) -> int:
    if read is None:
        return 0
    at, new_from = from_epoch(read["at"]), from_epoch(read["new_from"])
    new = deployments.JobsReport(read["jobs"], read["digest"], at, new_from, read["by"])
    return deployments.report(connection, host, new)


def report_pauses(connection: Connection, places: Places, host: str, now: datetime) -> None:
    """End this host's pauses that are past their `until`, and report its pauses and stopped timers."""
    with StuckFiles(places.state, "pauses") as pending:
        for pause in host_pauses.active(places, host):
            if pause.until and pause.until <= now:
                try:
                    host_pauses.end(places, pause, by="until", at=now)
                except ConfigurationError as error:
                    pending.add(host_pauses.path_of(places, pause.scope), str(error))
        for path in host_pauses.without_effect(places):
            pending.add(path, "it pauses nothing: no clock or job has this name")
        for path in sorted(places.reports.glob("*-pause.json")):
            if ended := pending.read(path, host_pauses.read_report):
                pending.record(path, partial(pauses.report, connection, [ended]))
    active = host_pauses.active(places, host)
    settled = not _apply_is_running(places)
    stopped = _stopped(places, host, now) if settled else []
    pauses.report(connection, active + stopped)
    if settled:
        local_ids = [pause.local_id for pause in active + stopped if pause.local_id]
        pauses.end_unreported(connection, host, local_ids, now)


def catch_up(connection: Connection, places: Places, host: str, since: datetime, now: datetime) -> list[str]:
    """Start the jobs whose slots were blocked by pauses that ended since an instant; return their services.

    A job with catch_up_after_pause=True runs its last slot of the pause. Every job runs the last slot that became due
    after a pause's `until`, but before its file was removed.
    """
    ended = [pause for pause in pauses.ended_between(connection, since, now) if pause.scope.host in {None, host}]
    if not ended:
        return []
    active = pauses.active(connection, now)
    wanted: dict[str, datetime] = {}
    for job in deployments.jobs_of(connection, host):
        if job.options.get("paused"):
            continue
        if any(pause.covers(job.clock, job.job, host) for pause in active):
            continue
        for pause in ended:
            if pause.covers(job.clock, job.job, host) and (slot := _slot_to_catch_up(job, pause, now)):
                unit = names.service_name(job.clock, job.job)
                wanted[unit] = max(slot, wanted.get(unit, slot))
    return _start(places, wanted)


def reconcile_host(connection: Connection, places: Places, host: str) -> reconcile.Reconciled:
    """Record what runs here could not, and close rows whose run cannot be alive any more."""
    return reconcile.reconcile(
        connection, places.state, host=host, jobs=_jobs(places), invocations=_running_invocations
    )


def start_listener(places: Places) -> None:
    """Start the listener, if the current set has one and it does not run."""
    if places.is_running and (places.current / names.LISTEN).exists() and not start_requests.busy([names.LISTEN]):
        start_requests.start([names.LISTEN])


def store_run_logs(connection: Connection, places: Places, host: str) -> int:
    """Store the log lines that runs here, or people, requested; return of how many runs."""
    return run_logs.store_requested(connection, places.state, host) if places.is_running else 0


def check_due_times(connection: Connection, places: Places, host: str, now: datetime) -> None:
    """Record in the host's row why due times of its timers are wrong, or will be: `clocks status` is bad then."""
    problems = [f"{found.where}: {found.problem}" for found in due_times_here(places, now)]
    connection.execute("UPDATE host SET problems = %s WHERE name = %s AND problems <> %s", [problems, host, problems])


def due_times_here(places: Places, now: datetime) -> list[DueTimesProblem]:
    """Why due times of this machine's current set are wrong, or will be."""

    def lines_of(timer: str) -> tuple[str, ...]:
        return UnitFile((places.current / timer).read_text()).values("OnCalendar")

    return list(due_times_problems(_manifest(places), lines_of, now))


def reset_recorded_failures(places: Places) -> list[str]:
    """Reset the failed units of reports that have reached the ledger after all; return them."""
    prefix = names.FAILED.removesuffix(".service")
    failed = systemd.list_units(["failed"], f"{prefix}*.service", manager=places.manager)
    waiting = {path.name for path in (places.state / reconcile.NOTES).glob("*.note")}
    units = [
        unit
        for unit in failed
        if not any(note.startswith(f"{unit.removeprefix(prefix).removesuffix('.service')}.") for note in waiting)
    ]
    Effects(places.manager).systemctl("reset-failed", units)
    return units


def take_over(places: Places, lost: Iterable[reconcile.LostRun], host: str) -> list[str]:
    """Start the jobs of lost runs that are deployed and not running here; the claim decides which host runs a slot."""
    here = jobs_here(places)
    wanted = {
        names.service_name(run.clock, run.job): run.scheduled_at
        for run in lost
        if (run.clock, run.job) in here and run.slot_host in {"", host}
    }
    return _start(places, wanted)


def _start(places: Places, wanted: dict[str, datetime]) -> list[str]:
    """Start services for slots, except running ones, which cannot be started again; return those that were started."""
    busy = start_requests.busy(list(wanted))
    units = sorted(unit for unit in wanted if unit not in busy)
    for unit in units:
        start_requests.write(places, unit, at=wanted[unit], trigger="watch")
    if units:
        start_requests.start(units)
    return units


def _running_invocations(units: Iterable[str]) -> dict[str, str | None]:
    """The invocation of each service that runs; None if it waits for its next attempt."""
    return {
        unit["Id"]: None if unit["SubState"].startswith("auto-restart") else unit["InvocationID"]
        for unit in systemd.show("Id,ActiveState,SubState,InvocationID", *units)
        if unit["ActiveState"] in systemd.RUNNING_STATES
    }


def _slot_to_catch_up(job: DeployedJob, pause: Pause, now: datetime) -> datetime | None:
    """The slot of an ended pause to run now, if any."""
    if pause.until and pause.resumed_at and pause.until < pause.resumed_at:  # its file was removed a little later
        late = latest_occurrence(job.trigger, at_or_before=min(pause.resumed_at, now))
        if late and late.at >= max(pause.until, job.valid_from):
            return late.at
    if not job.options.get("catch_up_after_pause"):
        return None
    end = min(at for at in (pause.until, pause.resumed_at) if at)
    last = latest_occurrence(job.trigger, at_or_before=end - TICK)
    return last.at if last and last.at >= max(pause.at, job.valid_from) else None


def jobs_here(places: Places) -> set[tuple[str, str]]:
    """(clock, job) of every job that is deployed on this machine."""
    return {(job["clock"], job["job"]) for job in _jobs(places)}


def deployed_here(places: Places, host: str) -> list[DeployedJob]:
    """The jobs of this machine's current set. Since when it has them is unknown: `valid_from` is the epoch."""
    return [
        DeployedJob(
            host, job["clock"], job["job"], job["task"], Trigger.from_json(job["schedule"]), job["options"],
            from_epoch(0),
        )
        for job in _jobs(places)
    ]  # fmt: skip


def _manifest(places: Places) -> str:
    try:
        return (places.current / names.JOBS).read_text()
    except FileNotFoundError:  # nothing is deployed
        return NO_JOBS


def _jobs(places: Places) -> list[dict[str, Any]]:
    return list(json.loads(_manifest(places))["jobs"])


def _stopped(places: Places, host: str, now: datetime) -> list[Pause]:
    """The stopped timers of deployed jobs, as pauses."""
    stopped = inactive_timers(places) if places.is_running else {}
    stopped_jobs = []
    for job in _jobs(places) if stopped else ():
        timer = names.timer_name(job["clock"], job["job"])
        if timer in stopped and not job["options"]["paused"]:
            since = stopped[timer]
            local_id = f"{host}:{timer}:{since or BOOT_ID.read_text().strip()}"
            scope, at = Scope(job["clock"], job["job"], host), from_epoch(since) if since else now
            reason = f"its timer is stopped on {host}"
            stopped_jobs.append(Pause(scope, at, pauses.STOPPED, reason, None, local_id=local_id))
    return stopped_jobs


def _apply_is_running(places: Places) -> bool:
    with suppress(FileNotFoundError), (places.runtime / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def unrecorded(places: Places) -> dict[Path, str]:
    """The pending files that need a person, and why: the quarantined ones, and those that are stuck."""
    if places.home:
        return {}
    patterns = (Path(pattern).with_suffix(files.QUARANTINED) for pattern in PENDING)
    refused = sorted(path for pattern in patterns for path in islice(places.state.glob(str(pattern)), MAX_SHOWN))
    return dict.fromkeys(refused, "it could not be recorded in the ledger") | stuck(places.state)


def remove_state(places: Places, *, has_database: bool) -> None:
    """Remove this machine's state, once nothing is pending and nothing runs that could add to it.

    A last look of the watch, whose timer is gone, may take WATCH_ENDS_WITHIN.
    """
    state = places.state
    if places.home or not places.is_running:
        return
    deadline = time.monotonic() + WATCH_ENDS_WITHIN
    while {names.WATCH, names.LISTEN} & running(places) and time.monotonic() < deadline:
        time.sleep(0.1)
    if has_database and any(path for pattern in PENDING for path in state.glob(pattern)):
        return
    if not running(places):
        for folder in (state, places.private_state, *places.caches):
            shutil.rmtree(folder, ignore_errors=True)
