"""The pings of jobs' runs: rows of `ping` go in, requests to monitoring services go out, at least once each.

A trigger of the ledger queues them (migrations/0004_pings.sql), so that killed, lost and missed runs have theirs, and a
start waits for no service. One sender at a time sends them, each monitor's in their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.alert.delivery.error import DeliveryError
from scheduled_tasks.alert.delivery.http import request, server_of
from scheduled_tasks.alert.endpoints import ping_url
from scheduled_tasks.alert.one_at_a_time import one_at_a_time
from scheduled_tasks.alert.outside.monitor import Request, RunPing, is_sentry, request_of
from scheduled_tasks.alert.outside.ping_plan import LastSent, Ping, plan
from scheduled_tasks.alert.outside.run_text import RunFacts, facts_of
from scheduled_tasks.alert.outside.schedules import monitor_schedule
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.operate import deployments

if TYPE_CHECKING:
    from scheduled_tasks.alert.outside.ping_plan import Plan
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings

MAX_PINGS = 5_000  # that one sender looks at
AT_ONCE = 16  # requests
TIMEOUT = 10.0  # seconds of a request
MAX_AGE = timedelta(days=1)  # of a ping: later it would only confuse
IS_WAITING = "sent_at IS NULL AND dropped IS NULL"
# Why pings are dropped.
SUPERSEDED, NO_PLACE, NO_PING = "a later one says more", "the service has no place for it", "the job has no ping"
TOO_OLD = "it could not be sent for a day"


class Monitor(NamedTuple):
    """What a check outside is about: a job, or with `per_host` a job on the host `name`."""

    clock: str
    job: str
    name: str

    def __str__(self) -> str:
        return f"{self.clock}/{self.job}{f' on {self.name}' if self.name else ''}"


class Stream(NamedTuple):
    """The requests of a monitor, in order."""

    monitor: Monitor
    requests: Sequence[tuple[Ping, Request]]


class Answer(NamedTuple):
    """What became of a request."""

    ping: Ping
    error: DeliveryError | None = None


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether a ping is waiting."""
    query = f"SELECT FROM ping WHERE {IS_WAITING} AND due_at <= %s LIMIT 1"
    return bool(connection.execute(query, [now]).rowcount)


def send_pings(connection: Connection, settings: Settings, now: datetime) -> list[str]:
    """Send the pings that are due, unless another sender is doing so.

    What a service can't take now is tried again by the next sender, a minute later; what it refuses is dropped.

    Args:
        connection: on which each statement is a transaction of its own.
        settings: the configuration, which has the credentials with the URLs.
        now: the database's time.

    Returns:
        A line for each monitor whose pings could not be sent.
    """
    with one_at_a_time(connection, "ping") as is_ours:
        if not is_ours:
            return []
        connection.execute(
            f"UPDATE ping SET dropped = %s WHERE {IS_WAITING} AND happened_at < %s",  # noqa: S608 - our own text
            [TOO_OLD, now - MAX_AGE],
        )
        streams, problems = _prepare(connection, settings, now)
        unreachable: set[str] = set()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sending = {pool.submit(_send, stream.requests, unreachable): stream.monitor for stream in streams}
            for done in as_completed(sending):
                errors = [_record(connection, answer) for answer in done.result()]
                problems += [f"can't ping for {sending[done]}: {error}" for error in filter(None, errors)]
    return problems


def _prepare(connection: Connection, settings: Settings, now: datetime) -> tuple[list[Stream], list[str]]:
    """The requests of each monitor, and why there are none for some; pings that are not worth sending are dropped."""
    waiting = _waiting(connection, now)
    names = {(monitor.clock, monitor.job) for monitor in waiting}
    deployed = {
        (job.clock, job.job): job
        for job in deployments.deployed_now(connection, among=sorted(names))
        if job.options.get("ping")
    }
    plans = {monitor: plan(pings, _last_sent(connection, monitor)) for monitor, pings in waiting.items()}
    _drop(connection, SUPERSEDED, [ping for planned in plans.values() for ping in planned.drop])
    facts = facts_of(connection, [ping.run_id for planned in plans.values() for ping in planned.send])
    streams, problems = [], []
    for monitor, planned in plans.items():
        job = deployed.get((monitor.clock, monitor.job))
        if job is None:
            _drop(connection, NO_PING, planned.send)
            continue
        requests, no_place = [], []
        try:
            for ping in planned.send:
                url = ping_url(job.options, job.clock, job.job, ping.host, settings)
                server_of(url)  # raises if it is none
                if call := request_of(url, _about(ping, planned, job, url, facts, now)):
                    requests.append((ping, call))
                else:
                    no_place.append(ping)
        except ScheduledTasksError as error:
            problems.append(f"can't ping for {monitor}: {error}")
            continue
        _drop(connection, NO_PLACE, no_place)
        streams.append(Stream(monitor, requests))
    return streams, problems


def _waiting(connection: Connection, now: datetime) -> Mapping[Monitor, list[Ping]]:
    """The waiting pings of each monitor, in order."""
    rows = connection.execute(
        "SELECT clock, job, monitor, id, what, run_id, host, due_at <= %s FROM ping"  # noqa: S608 - our own text
        f" WHERE {IS_WAITING} ORDER BY id LIMIT %s",
        [now, MAX_PINGS],
    )
    waiting: dict[Monitor, list[Ping]] = defaultdict(list)
    for clock, job, name, *ping in rows:
        waiting[Monitor(clock, job, name)].append(Ping(*ping))
    return waiting


def _last_sent(connection: Connection, monitor: Monitor) -> LastSent | None:
    row = connection.execute(
        "SELECT what, run_id, EXISTS (SELECT FROM task_run WHERE run_id = ping.run_id AND status = 'started') FROM ping"
        " WHERE clock = %s AND job = %s AND monitor = %s AND sent_at IS NOT NULL AND what <> 'log'"
        " ORDER BY id DESC LIMIT 1",
        monitor,
    ).fetchone()
    return LastSent(*row) if row else None


def _about(  # noqa: PLR0913, PLR0917 - what a ping is made of
    ping: Ping, planned: Plan, job: DeployedJob, url: str, facts: Mapping[object, RunFacts], now: datetime
) -> RunPing:
    run = facts.get(ping.run_id) if ping.what != "start" else None
    schedule = monitor_schedule(job, now) if is_sentry(url) else None
    return RunPing(
        job.clock,
        job.job,
        ping.host,
        ping.what,
        None if ping == planned.ends_any else ping.run_id,
        duration=run.duration if run else None,
        exit_code=run.exit_code if run else None,
        text=run.text if run else "",
        schedule=schedule.sentry() if schedule else {},
    )


def _send(requests: Sequence[tuple[Ping, Request]], unreachable: set[str]) -> list[Answer]:
    """Send requests until one has to be tried again; none to a server that has just not answered another one."""
    answers = []
    for ping, call in requests:
        server = server_of(call.url)
        if server in unreachable:
            break
        try:
            request(call.url, method=call.method, body=call.body, headers=call.headers, timeout=TIMEOUT)
        except DeliveryError as error:
            answers.append(Answer(ping, error))
            if not error.is_permanent:
                unreachable.add(server)
                break
        else:
            answers.append(Answer(ping))
    return answers


def _record(connection: Connection, answer: Answer) -> str:
    """Record what became of a ping; return its error."""
    ping, error = answer
    if error is None:
        connection.execute("UPDATE ping SET sent_at = clock_timestamp(), error = NULL WHERE id = %s", [ping.id])
        return ""
    text = str(error)
    connection.execute(
        "UPDATE ping SET error = %(error)s, dropped = CASE WHEN %(refused)s THEN %(error)s END WHERE id = %(id)s",
        {"id": ping.id, "error": text, "refused": error.is_permanent},
    )
    return text


def _drop(connection: Connection, why: str, pings: Sequence[Ping]) -> None:
    if pings:
        connection.execute("UPDATE ping SET dropped = %s WHERE id = ANY (%s)", [why, [ping.id for ping in pings]])
