"""Faults of the alert options that show only beside each other, or beside the configuration. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.faults import Fault, what_to_write
from scheduled_tasks.options.alert_validators import ROUTE
from scheduled_tasks.options.table import Options
from scheduled_tasks.options.validators import seconds_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NOTIFY = "notify"  # owns the credentials of the sender of notices, as a clock owns its; so no clock has this name
JOB = "{job}"  # in the URL of a ping: the job's id


class NotifyNames(NamedTuple):
    """What the configuration has for notices: the names of its routes, and of the sender's credentials."""

    routes: Collection[str] = ()
    credentials: Collection[str] = ()


NO_NAMES = NotifyNames()


def faults_of_names(options: Options, known: NotifyNames) -> Iterator[Fault]:
    """Unknown routes and credentials; without any route nobody is told anything, and no name is wrong."""
    routes = options.by_name.get("notify", ())
    for name in routes if known.routes else ():
        if name not in known.routes:
            instead = f"{what_to_write(name, known.routes, 'the routes')}; or add [notify.routes.{name}]"
            yield Fault("is not a route of the configuration", instead, "notify", repr(name))
    ping = options.text("ping")
    if known.routes and re.fullmatch(ROUTE, ping, re.ASCII) and ping not in known.credentials:
        instead = f"write the URL, or add notify.{ping} to the credentials"
        yield Fault("is not a credential of the sender of notices", instead, "ping", repr(ping))


def faults_of_clock(options: Options) -> Iterator[Fault]:
    """What only a job can have."""
    ping = options.text("ping")
    if "://" in ping and "@" not in ping and JOB not in ping:  # KEY@HOST is Sentry's, which gets the names of monitors
        instead = f"write {JOB} where the URL has the job's id, or write ping= in each add_job"
        yield Fault("is the same for every job of the clock", instead, "ping", repr(ping))


def faults_of_durations(effective: Options) -> Iterator[Fault]:
    """Expected durations that no run can have, inherited ones included."""
    longest, shortest = effective.text("expected_duration"), effective.text("expected_at_least")
    if longest and seconds_of(longest) >= seconds_of(effective.timeout):
        problem = f"is not shorter than timeout, {effective.timeout}, at which a run is ended"
        yield Fault(problem, "write a shorter time, or a longer timeout", "expected_duration", repr(longest))
    upper = longest or effective.timeout
    if shortest and seconds_of(shortest) >= seconds_of(upper):
        name = "expected_duration" if longest else "timeout"
        problem = f"is not shorter than {name}, {upper}"
        yield Fault(problem, "write a shorter time, or leave it out", "expected_at_least", repr(shortest))
