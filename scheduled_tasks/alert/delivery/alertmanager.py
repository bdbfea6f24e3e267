"""Post incidents to Prometheus' Alertmanager, which then groups, silences and routes them.

An alert that is not posted again resolves when its `endsAt` comes, so all open incidents are posted once a minute, and
for a while those that were closed, whatever their routes; by one host for all: the time of the last post is a row of
`maintenance`. A notice is delivered here as by any other route: what Alertmanager did not accept goes by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.delivery import http
from scheduled_tasks.alert.delivery.error import DeliveryError
from scheduled_tasks.alert.delivery.secrets import url_of
from scheduled_tasks.alert.incidents import Kind
from scheduled_tasks.alert.message.message import severity_of
from scheduled_tasks.instants import rfc3339

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from scheduled_tasks.alert.routes import NotifySettings, Route
    from scheduled_tasks.run.database import Connection

PATH = "/api/v2/alerts"
POST_INTERVAL = timedelta(seconds=50)  # each host's watch looks once a minute
# How long an alert stays when nobody posts it again: as long as a host without a heartbeat is not yet dead.
KEEPS_FOR = timedelta(minutes=5)
MAX_POSTED = 5000  # alerts in one post

_OPEN_OR_JUST_CLOSED = """
    SELECT incident.id, incident.kind, incident.clock, incident.job, incident.host, incident.opened_at,
        incident.closed_at, incident.reason, incident.run_id,
        own.options->>'owner' AS owner, own.options->>'runbook' AS runbook
    FROM incident LEFT JOIN LATERAL (
        SELECT options FROM deployed_job
        WHERE deployed_job.clock = incident.clock AND deployed_job.job = incident.job
            AND deployed_job.valid_until IS NULL
        ORDER BY deployed_job.host = incident.host DESC LIMIT 1
    ) AS own ON true
    WHERE incident.closed_at IS NULL OR incident.closed_at > %s ORDER BY incident.id LIMIT %s
"""
_POSTED = """
    INSERT INTO maintenance AS last (name, done_at) VALUES ('alertmanager', %s)
    ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at WHERE last.done_at <= excluded.done_at - %s
"""


def send(route: Route, message: Message) -> None:
    """Post the incidents of a message; of one without incidents, an alert that says the same.

    Raises:
        DeliveryError: no Alertmanager accepted them.
    """
    now = datetime.now(UTC)
    alerts = [alert_of(incident, now) for incident in message.incidents]
    post(url_of(route.endpoint), alerts or [_alert_of_text(message, now)])


def is_due(connection: Connection, settings: NotifySettings, now: datetime) -> bool:
    """Whether open incidents are to be posted again, or one that was closed since the last post."""
    if not settings.alertmanager:
        return False
    row = connection.execute("SELECT done_at FROM maintenance WHERE name = 'alertmanager'").fetchone()
    posted_at = row[0] if row else now - KEEPS_FOR
    if posted_at > now - POST_INTERVAL:
        return False
    [(is_news,)] = connection.execute(
        "SELECT EXISTS (SELECT FROM incident WHERE closed_at IS NULL)"
        " OR EXISTS (SELECT FROM incident WHERE closed_at >= %s)",
        [posted_at],
    ).fetchall()
    return bool(is_news)


def post_open(connection: Connection, settings: NotifySettings, now: datetime) -> int:
    """Post all open incidents and those just closed, unless another host has just done so; return how many.

    Raises:
        DeliveryError: no Alertmanager accepted them.
    """
    if not settings.alertmanager:
        return 0
    if connection.execute(_POSTED, [now, POST_INTERVAL]).rowcount == 0:
        return 0
    try:
        cursor = connection.execute(_OPEN_OR_JUST_CLOSED, [now - KEEPS_FOR, MAX_POSTED])
        columns = [column.name for column in cursor.description or ()]
        incidents = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        if incidents:
            post(url_of(settings.alertmanager), [alert_of(incident, now) for incident in incidents])
    except BaseException:
        connection.execute("DELETE FROM maintenance WHERE name = 'alertmanager' AND done_at = %s", [now])
        raise
    return len(incidents)


def post(urls: str, alerts: list[dict[str, Any]]) -> None:
    """Post alerts to each Alertmanager of a cluster, which share what they notified of, but not the alerts.

    Raises:
        DeliveryError: none accepted them.
    """
    body = json.dumps(alerts).encode()
    errors: list[DeliveryError] = []
    accepted = False
    for url in urls.split():
        try:
            http.request(url.rstrip("/") + PATH, body=body, headers={"Content-Type": "application/json"})
            accepted = True
        except DeliveryError as error:
            errors.append(error)
    if not accepted:
        problems = "; ".join(map(str, errors))
        raise DeliveryError(problems, is_permanent=all(error.is_permanent for error in errors))


def alert_of(incident: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """An incident as an alert: what it is about as labels, what is known of it as annotations."""
    labels = {
        "alertname": f"ScheduledTask{str(incident['kind']).capitalize()}",
        "kind": incident["kind"],
        "clock": incident["clock"],
        "job": incident["job"],
        "host": incident["host"],
        "owner": incident["owner"],
        "severity": severity_of(Kind(incident["kind"])),
    }
    subject = "/".join(filter(None, (incident["clock"], incident["job"]))) or "the watch"
    on = f" on {incident['host']}" if incident["host"] else ""
    annotations = {
        "summary": f"{subject}{on}: {incident['kind']}",
        "description": incident["reason"],
        "runbook_url": incident["runbook"],
        "incident": str(incident["id"]),
        "run": incident.get("run_id") or (incident.get("run") or {}).get("id"),
    }
    ends_at = incident["closed_at"] or now + KEEPS_FOR
    return _alert(labels, annotations, incident["opened_at"], ends_at)


def _alert_of_text(message: Message, now: datetime) -> dict[str, Any]:
    """A test, or what a host says that can't reach the database."""
    labels = {"alertname": f"ScheduledTask{message.what.capitalize()}", "severity": message.severity}
    annotations = {"summary": message.subject, "description": message.text}
    return _alert(labels, annotations, now, now + KEEPS_FOR)


def _alert(
    labels: Mapping[str, Any], annotations: Mapping[str, Any], starts_at: datetime | str, ends_at: datetime | str
) -> dict[str, Any]:
    return {
        "labels": {name: str(value) for name, value in labels.items() if value},
        "annotations": {name: str(value) for name, value in annotations.items() if value},
        "startsAt": _instant(starts_at),
        "endsAt": _instant(ends_at),
    }


def _instant(at: datetime | str) -> str:
    return at if isinstance(at, str) else rfc3339(at, "milliseconds")
