"""The facts of an incident, from the ledger: its run, the log lines, what changed, the next run, and what to do."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scheduled_tasks.alert.incidents import OF_RESULTS, Incident, Kind
from scheduled_tasks.alert.message.changes import changes
from scheduled_tasks.alert.message.words import Times
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.masking import mask
from scheduled_tasks.operate import deployments, history, status
from scheduled_tasks.operate.on_call import handbook, run_logs
from scheduled_tasks.render.names import service_name
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.terminal import printable

if TYPE_CHECKING:
    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.run.database import Connection

logger = logging.getLogger(__name__)

LOG_LINES = 20  # the last ones, of those that are stored
ID_LENGTH = 8  # characters of a run's ID: enough for `clocks show`


@dataclass(frozen=True)
class Facts:
    """What is known of an incident.

    Attributes:
        incident: the incident.
        times: of its job's zone.
        task, owner, runbook: of the job; "" if unknown.
        run: the last bad run or slot; None for a host's incident.
        last_good: the last run that ended well before it.
        next_run: when the job is due next; None if never, or while it is paused.
        paused: by whom it is paused, and why; "" if it isn't.
        changes: what changed since it last worked.
        reason: of the last bad result, without secrets.
        log_lines: the last of its run, as JSON.
        means, do: the incident's row in the handbook, with its names; in Markdown.
        page: where more is to be seen; "" for nowhere.
    """

    incident: Incident
    times: Times
    task: str = ""
    owner: str = ""
    runbook: str = ""
    run: RunRow | None = None
    last_good: RunRow | None = None
    next_run: datetime | None = None
    paused: str = ""
    changes: tuple[str, ...] = ()
    reason: str = ""
    log_lines: tuple[str, ...] = ()
    means: str = ""
    do: str = ""
    page: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether its last result is a run that was lost."""
        return self.run is not None and self.run.status == RunStatus.LOST

    @property
    def commands(self) -> list[str]:
        """The commands to run next."""
        return handbook.commands(self.do)


def facts_of(connection: Connection, incident: Incident, now: datetime, *, page_url: str = "") -> Facts:
    """Gather the facts of an incident, as its reader needs them; of a closed one, not what to do."""
    try:
        return _gather(connection, incident, now, page_url)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # For example the schedule of a newer release, of which this one knows nothing. Somebody has to be told anyway.
        logger.warning("the facts of incident %s can't be gathered: %r", incident.id, error)
        return Facts(incident, Times(now), reason=_clean(incident.reason), page=_page(page_url, incident))


def _gather(connection: Connection, incident: Incident, now: datetime, page_url: str) -> Facts:
    run = history.get_run(connection, incident.run_id) if incident.run_id else None
    job = _job(connection, incident, now)
    known: dict[str, Any] = {**job, "run": run, "reason": _clean(incident.reason), "page": _page(page_url, incident)}
    if not incident.is_open:
        return Facts(incident, **known)
    alarm = alarm_of(incident, run)
    names = names_of(incident, run)
    known |= {"means": handbook.placed(alarm.means, names), "do": handbook.placed(alarm.do, names)}
    if run and (stored := run_logs.stored(connection, run.run_id)):
        known["log_lines"] = tuple(map(mask, stored.lines[-LOG_LINES:]))
    if run and incident.kind in OF_RESULTS:
        good = history.last_good(connection, incident.clock, incident.job, incident.host, now)
        known["last_good"] = good
        known["changes"] = tuple(changes(connection, good, run, job["times"])) if good else ()
    return Facts(incident, **known)


def _clean(text: str) -> str:
    return printable(mask(text))


def _job(connection: Connection, incident: Incident, now: datetime) -> dict[str, Any]:
    """What is known of its job."""
    if not incident.job:
        return {"times": Times(now)}
    deployed = deployments.deployed_now(connection, incident.clock, incident.job)
    if not deployed:
        return {"times": Times(now)}
    own_host = incident.host or incident.run_host
    job = next((job for job in deployed if job.host == own_host), deployed[0])
    options, clock, name = job.options, incident.clock, incident.job
    [state] = status.jobs(connection, now, clock, name)
    pause = next((pause for pause in state.paused if pause.scope.host in {None, own_host}), None)
    paused = "in its clock file" if state.paused_in_file else f"by {pause.by}: {pause.reason}" if pause else ""
    return {
        "times": Times(now, job.trigger.zone),
        "task": job.task,
        "owner": str(options.get("owner") or ""),
        "runbook": str(options.get("runbook") or ""),
        "next_run": None if paused else state.next_run,
        "paused": paused,
    }


def alarm_of(incident: Incident, run: RunRow | None) -> handbook.Alarm:
    """The row of the handbook that an incident belongs to."""
    if incident.kind not in OF_RESULTS:
        return handbook.of_kind(incident.kind)
    if run is None:
        return handbook.of_run(handbook.Failed(RunStatus.MISSED if incident.kind == Kind.MISSED else RunStatus.FAILED))
    text = " ".join(filter(None, (run.reason, run.error_message)))
    return handbook.of_run(handbook.Failed(run.status, run.exit_code, run.error_type or "", text))


def names_of(incident: Incident, run: RunRow | None) -> dict[str, str]:
    """What stands in place of the handbook's placeholders, for an incident."""
    names = {"HOST": incident.host or incident.run_host}
    if incident.job:
        names |= {
            "CLOCK": incident.clock,
            "JOB": incident.job,
            "UNIT": service_name(incident.clock, incident.job),
            "FROM": rfc3339(incident.first_at),
            "TO": rfc3339(incident.last_at),
            "SLOT": rfc3339(incident.last_at),
        }
    if run:
        names["RUN"] = str(run.run_id)[:ID_LENGTH]
    return {name: value for name, value in names.items() if value}


def _page(url: str, incident: Incident) -> str:
    """The configured URL, with the incident's names in place of {clock}, {job}, {host} and {run}."""
    values = {"clock": incident.clock, "job": incident.job, "host": incident.host or incident.run_host,
              "run": str(incident.run_id or "")}  # fmt: skip
    return re.sub(r"\{(clock|job|host|run)\}", lambda match: quote(values[match[1]], safe=""), url)
