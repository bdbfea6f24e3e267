"""Checks at Healthchecks for the jobs that ping it: schedule, zone and grace as they are deployed.

Deployed jobs go in; checks are created or brought up to date by its Management API, version 3. What an operator has
paused there stays paused, and names, tags and integrations stay as they are. Sentry needs none of this: each check-in
carries the schedule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from scheduled_tasks.alert.delivery.http import request
from scheduled_tasks.alert.endpoints import ping_url, read_credential
from scheduled_tasks.alert.outside.monitor import is_healthchecks, is_sentry
from scheduled_tasks.alert.outside.pings import Monitor
from scheduled_tasks.alert.outside.schedules import monitor_schedule
from scheduled_tasks.errors import ScheduledTasksError

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.alert.outside.schedules import MonitorSchedule
    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.settings import Settings

# Bounds of the API (hc/api/views.py, Spec).
MIN_SECONDS, MAX_SECONDS, MAX_SCHEDULE, MAX_NAME = 60, 31_536_000, 100, 100
TAG = "scheduled-tasks"
API_KEY = "healthchecks_api_key"  # the name of its credential, unless the configuration has another one


class Synced(NamedTuple):
    """What became of a job's check.

    Attributes:
        monitor: the job, and its host if it has a check for each.
        outcome: `created`, `updated`, `unchanged`, `left out` or `failed`.
        detail: what changed, or why not.
        is_paused: whether it is paused at Healthchecks, by a person.
    """

    monitor: Monitor
    outcome: str
    detail: str = ""
    is_paused: bool = False


@dataclass(frozen=True)
class Wanted:
    """A check that a job should have: the address of the API, its UUID or its slug, and its times."""

    monitor: Monitor
    api: str
    uuid: str
    slug: str
    times: Mapping[str, object]


class Healthchecks:
    """The Management API of a project."""

    def __init__(self, api: str, key: str) -> None:
        self._api = api
        self._headers = {"X-Api-Key": key, "Content-Type": "application/json"}

    def checks(self) -> list[dict[str, Any]]:
        """All checks of the project."""
        return list(self._call("GET", "checks/", None)["checks"])

    def create(self, values: Mapping[str, object]) -> None:
        """Create a check; one that has its slug by now is updated instead."""
        self._call("POST", "checks/", {**values, "unique": ["slug"]})

    def update(self, uuid: str, values: Mapping[str, object]) -> None:
        """Change some values of a check. Neither resumes it."""
        self._call("POST", f"checks/{uuid}", values)

    def _call(self, method: str, path: str, values: Mapping[str, object] | None) -> dict[str, Any]:
        body = None if values is None else json.dumps(values).encode()
        answer = request(f"{self._api}/api/v3/{path}", method=method, body=body, headers=self._headers)
        return dict(json.loads(answer))


def sync(
    jobs: Iterable[DeployedJob], settings: Settings, notify: NotifySettings, now: datetime, *, check: bool = False
) -> list[Synced]:
    """Bring the checks of some deployed jobs up to date; with `check`, only say what would be done.

    Raises:
        ScheduledTasksError: the API key is missing, or the API does not answer.
    """
    done: list[Synced] = []
    wanted: dict[str, list[Wanted]] = {}
    for found in _wanted(jobs, settings, notify, now):
        if isinstance(found, Synced):
            done.append(found)
        else:
            wanted.setdefault(found.api, []).append(found)
    for api, checks in wanted.items():
        project = Healthchecks(api, read_credential(notify.monitors_credential or API_KEY, settings))
        known = project.checks()
        done += [_sync_one(project, known, one, check=check) for one in checks]
    return sorted(done)


def _wanted(
    jobs: Iterable[DeployedJob], settings: Settings, notify: NotifySettings, now: datetime
) -> Iterator[Wanted | Synced]:
    """The check of each monitor of a job with a ping, or why it has none."""
    seen = set()
    for job in jobs:
        if not job.options.get("ping"):
            continue
        monitor = Monitor(job.clock, job.job, job.host if job.options.get("per_host") else "")
        if monitor in seen:
            continue
        seen.add(monitor)
        try:
            url = ping_url(job.options, job.clock, job.job, job.host, settings)
        except ScheduledTasksError as error:
            yield Synced(monitor, "failed", str(error))
            continue
        schedule = monitor_schedule(job, now)
        if is_sentry(url):
            yield Synced(monitor, "left out", "Sentry gets the schedule with each check-in")
        elif not is_healthchecks(url):
            yield Synced(monitor, "left out", "its URL is not one of Healthchecks")
        elif schedule is None:
            yield Synced(monitor, "left out", "it is paused in its clock file, or not due twice")
        else:
            last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
            uuid = last if _is_uuid(last) else ""
            yield Wanted(monitor, _api_of(url, notify), uuid, "" if uuid else last, _times(schedule))


def _times(schedule: MonitorSchedule) -> dict[str, object]:
    grace = min(max(schedule.grace, MIN_SECONDS), MAX_SECONDS)
    lines = schedule.cron or schedule.calendar
    if lines and len(lines) <= MAX_SCHEDULE:
        return {"schedule": lines, "tz": schedule.zone, "grace": grace}
    return {"timeout": min(max(schedule.period, MIN_SECONDS), MAX_SECONDS), "grace": grace}


def _sync_one(project: Healthchecks, known: Iterable[Mapping[str, Any]], wanted: Wanted, *, check: bool) -> Synced:
    key, value = ("uuid", wanted.uuid) if wanted.uuid else ("slug", wanted.slug)
    matching = [row for row in known if row.get(key) == value]
    if len(matching) > 1:
        return Synced(wanted.monitor, "failed", f"{len(matching)} checks have the slug {value}: rename all but one")
    try:
        if matching:
            return _update(project, matching[0], wanted, check=check)
        if wanted.uuid:
            return Synced(wanted.monitor, "failed", f"the project of the API key has no check {value}")
        if not check:
            # manual_resume: otherwise the next ping would end a pause. "*": somebody is to be told.
            name = (
                f"{wanted.monitor.clock}/{wanted.monitor.job}{f' {wanted.monitor.name}' if wanted.monitor.name else ''}"
            )
            tags = f"{TAG} {wanted.monitor.clock}"
            own = {"name": name[:MAX_NAME], "slug": value, "tags": tags, "channels": "*", "manual_resume": True}
            project.create({**own, **wanted.times})
    except ScheduledTasksError as error:
        return Synced(wanted.monitor, "failed", str(error))
    return Synced(wanted.monitor, "created", _shown(wanted.times))


def _update(project: Healthchecks, known: Mapping[str, Any], wanted: Wanted, *, check: bool) -> Synced:
    changed = {name: value for name, value in wanted.times.items() if known.get(name) != value}
    is_paused = known.get("status") == "paused"
    if not changed:
        return Synced(wanted.monitor, "unchanged", is_paused=is_paused)
    if not check:
        project.update(known["uuid"], changed)
    return Synced(wanted.monitor, "updated", _shown(changed), is_paused)


def _shown(times: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {str(value).replace(chr(10), '; ')}" for name, value in times.items())


def _api_of(url: str, notify: NotifySettings) -> str:
    """Where the API of a ping URL's server is, without its path."""
    if notify.monitors_url:
        return notify.monitors_url.rstrip("/")
    parts = urlsplit(url)
    if parts.hostname == "hc-ping.com":
        return "https://healthchecks.io"
    return urlunsplit(parts._replace(path=parts.path.partition("/ping/")[0], query="", fragment=""))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
