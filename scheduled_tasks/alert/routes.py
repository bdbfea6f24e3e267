"""`[notify]` of the configuration: the routes on which notices are sent, and what else alerts need to know.

A configuration goes in; checked `NotifySettings` come out, or all faults at once. URLs with secrets are in credentials,
see `endpoints`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.endpoints import NOWHERE, Endpoint, read_credential, sender_credentials
from scheduled_tasks.alert.route_keys import KEYS, KINDS, PLAIN_KEYS, ROUTE_KEYS, SECRET, Key
from scheduled_tasks.errors import ConfigurationError, NotRootError
from scheduled_tasks.faults import Fault, what_to_write
from scheduled_tasks.options import shown_value
from scheduled_tasks.options.alert_faults import NOTIFY, NotifyNames
from scheduled_tasks.options.alert_validators import ROUTE, why_no_url

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.run.settings import Settings


# The sender's own database credential; without tasks_role all connect with one role, by `database_url`.
SENDERS_DATABASE_URL = f"{NOTIFY}.database_url"
ALERTMANAGER = "alertmanager"  # the name and the kind of the route to alertmanager_url


@dataclass(frozen=True)
class Route:
    """One way on which notices are sent.

    Attributes:
        name: as clock files have it in `notify`.
        kind: one of `route_keys.KINDS`.
        endpoint: the mail server, the webhook, or a URL of Apprise.
        to: the recipients of a mail.
        sender: the address from which it comes.
        signing_credential: the credential with the key that signs a webhook's body; "" for no signature.
        allow_network: the addresses that the sender must reach for it; ("any",) if only its name is known.
    """

    name: str
    kind: str
    endpoint: Endpoint
    to: tuple[str, ...] = ()
    sender: str = ""
    signing_credential: str = ""
    allow_network: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotifySettings:
    """The checked table `[notify]`.

    Attributes:
        routes: by name; with an Alertmanager, the one to it too.
        default: the routes of jobs that name none, in the order in which they are tried.
        fallback: the route on which a host says that it can't reach PostgreSQL; "" if there are no routes.
        heartbeat: what the dead man's switch pings; {host} in it is replaced.
        alertmanager: the Alertmanager that gets all open incidents.
        page_url: where the page is, for links in messages; {clock}, {job}, {host} and {run} in it are replaced.
        monitors_url: the Healthchecks whose checks `clocks monitors sync` creates; "" for the one that is pinged.
        monitors_credential: the credential with the key of its Management API.
        allow_network: what the sender must reach besides the routes: the heartbeat, the Alertmanager, pings.
    """

    routes: Mapping[str, Route] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    fallback: str = ""
    heartbeat: Endpoint = NOWHERE
    alertmanager: Endpoint = NOWHERE
    page_url: str = ""
    monitors_url: str = ""
    monitors_credential: str = ""
    allow_network: tuple[str, ...] = ()

    @property
    def needs_sender(self) -> bool:
        """Whether there is anything to send to."""
        return bool(self.routes or self.heartbeat)

    @property
    def sender_network(self) -> tuple[str, ...]:
        """All addresses that the sender must reach; ("any",) if one of them is only known by its name."""
        routes = (address for route in self.routes.values() for address in route.allow_network)
        addresses = tuple(dict.fromkeys((*self.allow_network, *routes)))
        return ("any",) if "any" in addresses else addresses


def notify_settings(settings: Settings) -> NotifySettings:
    """Check the table `[notify]`; without one nobody is told anything.

    Raises:
        ConfigurationError: all its faults, a line for each.
    """
    reader = _Reader(sender_credentials(settings))
    read = reader.settings(settings.values.get(NOTIFY, {}))
    if reader.faults:
        raise ConfigurationError("\n".join(f"{settings.path}: {fault}" for fault in reader.faults))
    return read


def why_no_database(settings: Settings, named: Collection[str]) -> str:
    """Why the sender of notices would have no database, and what to write; "" if it has one or isn't needed.

    Args:
        settings: the configuration.
        named: the settings and credentials that it names. The role of `database_url` can't read notices if it is the
            jobs' own.
    """
    if not settings.get("tasks_role") or SENDERS_DATABASE_URL in named or not notify_settings(settings).needs_sender:
        return ""
    return (
        f"{settings.path}: [{NOTIFY}]: the sender of notices has no database, because tasks_role is set, so that "
        f'database_url is for the jobs only: add "{SENDERS_DATABASE_URL}" to credentials, with a URL of the role that '
        "notifier_role names"
    )


def notify_names(settings: Settings) -> NotifyNames:
    """What clock files can name; `notify_settings` says what is wrong with the table."""
    table = settings.values.get(NOTIFY)
    table = table if isinstance(table, dict) else {}
    routes = table.get("routes")
    names = tuple(routes) if isinstance(routes, dict) else ()
    if {f"{ALERTMANAGER}_url", f"{ALERTMANAGER}_credential"} & table.keys():
        names += (ALERTMANAGER,)
    return NotifyNames(names, sender_credentials(settings))


def missing_credentials(settings: Settings) -> list[str]:
    """Why the sender would lack a URL or a key on this host, as far as this user can read its credentials.

    Raises:
        ConfigurationError: see `notify_settings`.
    """
    read = notify_settings(settings)
    endpoints = (*(route.endpoint for route in read.routes.values()), read.heartbeat, read.alertmanager)
    names = [endpoint.credential for endpoint in endpoints]
    names += [*(route.signing_credential for route in read.routes.values()), read.monitors_credential]
    encrypted = settings.values.get("encrypted_credentials", ())
    problems = []
    for name in dict.fromkeys(filter(None, names)) if settings.deployed else ():
        if f"{NOTIFY}.{name}" not in encrypted:
            try:
                read_credential(name, settings)
            except NotRootError:
                continue
            except ConfigurationError as error:
                problems.append(str(error))
    return problems


def why_nobody_is_told(clocks: Iterable[ClockSpec], settings: Settings) -> list[str]:
    """A warning if clock files name routes, and none is configured."""
    if notify_names(settings).routes:
        return []
    named = [
        f"{clock.name}/{job.id}"
        for clock in clocks
        for job in clock.jobs
        if job.options.over(clock.options).by_name.get("notify")
    ]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return [f"nobody is told of {named[0]}{more}: notify= is given, but {settings.path} has no route"] if named else []


class _Reader:
    """Read the table and collect its faults."""

    def __init__(self, credentials: tuple[str, ...]) -> None:
        self._credentials = credentials
        self.faults: list[Fault] = []

    def settings(self, table: object) -> NotifySettings:
        """The settings; of what has a fault, the default."""
        values = self._values(table, KEYS, NOTIFY)
        routes = {name: self._route(name, given) for name, given in values.get("routes", {}).items()}
        heartbeat, alertmanager = (self._endpoint(values, f"{kind}_", NOTIFY) for kind in ("heartbeat", "alertmanager"))
        if alertmanager:
            routes |= self._alertmanager(alertmanager, routes)
        default = values.get("default", tuple(routes) if len(routes) == 1 else ())
        if routes and not default and "default" not in values:
            self._fault(f"{NOTIFY}.default", None, "is missing", f"it is {KEYS['default'].meaning}")
        fallback = values.get("fallback", next(iter(default), ""))
        for key, names in (("default", default), ("fallback", [fallback] if "fallback" in values else [])):
            for name in names:
                if name not in routes:
                    instead = f"{what_to_write(name, routes, 'the routes')}; or add [notify.routes.{name}]"
                    self._fault(f"{NOTIFY}.{key}", name, "is not a route", instead)
        plain = {key: values[key] for key in PLAIN_KEYS if key in values}
        return NotifySettings(
            routes=routes,
            default=default,
            fallback=fallback,
            heartbeat=heartbeat,
            alertmanager=alertmanager,
            allow_network=values.get("allow_network", (*heartbeat.network, *alertmanager.network)),
            **plain,
        )

    def _alertmanager(self, endpoint: Endpoint, others: Mapping[str, Route]) -> dict[str, Route]:
        """The route to Alertmanager, which is configured by its URL alone."""
        if ALERTMANAGER in others:
            problem = "is the name of the route to alertmanager_url"
            self._fault(f"{NOTIFY}.routes.{ALERTMANAGER}", None, problem, "give the route another name")
        return {ALERTMANAGER: Route(ALERTMANAGER, ALERTMANAGER, endpoint)}

    def _route(self, name: str, table: dict[str, Any]) -> Route:
        place = f"{NOTIFY}.routes.{name}"
        if not re.fullmatch(ROUTE, name, re.ASCII):
            self._fault(place, None, "is not a name", "write letters, digits, _ and -, at most 64")
        values = self._values(table, ROUTE_KEYS, place)
        if (kind := values.get("kind", "")) in KINDS:
            self._check_keys(table, kind, place)
        else:
            problem = "is not a kind of route" if "kind" in table else "is missing"
            self._fault(f"{place}.kind", table.get("kind"), problem, what_to_write(kind, KINDS, "the kinds"))
        return Route(
            name=name,
            kind=kind,
            endpoint=(endpoint := self._endpoint(values, "", place)),
            to=values.get("to", ()),
            sender=values.get("from", ""),
            signing_credential=values.get("signing_credential", ""),
            allow_network=values.get("allow_network", endpoint.network),
        )

    def _check_keys(self, table: dict[str, Any], kind: str, place: str) -> None:
        """Faults of keys that this kind of route needs or does not have."""
        own = KINDS[kind]
        others = {key for other in KINDS.values() for key in (*other.required, *other.optional)}
        for key in sorted(others & table.keys() - {*own.required, *own.optional}):
            self._fault(f"{place}.{key}", table[key], f"is not a key of the kind {kind}", "leave it out")
        for key in own.required:
            if key not in table:
                self._fault(f"{place}.{key}", None, "is missing", f"it is {ROUTE_KEYS[key].meaning}")
        if "url" in table and (
            problem := why_no_url(str(table["url"]), own.schemes) if own.schemes else "can have a secret"
        ):
            self._fault(f"{place}.url", table["url"], problem, f"write credential = … ({SECRET})")
        elif not {"url", "credential"} & table.keys():
            self._fault(f"{place}.credential", None, "is missing", f"it is {SECRET}")

    def _endpoint(self, values: dict[str, Any], start: str, place: str) -> Endpoint:
        endpoint = Endpoint(values.get(f"{start}url", ""), values.get(f"{start}credential", ""))
        if endpoint.url and endpoint.credential:
            self._fault(f"{place}.{start}url", endpoint.url, f"is given beside {start}credential", "leave one out")
        return endpoint

    def _values(self, table: object, keys: Mapping[str, Key], place: str) -> dict[str, Any]:
        """The valid values of a table."""
        if not isinstance(table, dict):
            self._fault(place, table, "is not a table", f"write [{place}] and below it name = value")
            return {}
        values = {}
        for key, value in table.items():
            if key not in keys:
                self._fault(f"{place}.{key}", value, "is unknown", what_to_write(key, keys, "the keys"))
                continue
            try:
                values[key] = keys[key].validate(value)
            except ValueError as error:
                self._fault(f"{place}.{key}", value, str(error), f"it is {keys[key].meaning}")
                continue
            if key.endswith("credential") and value not in self._credentials:
                instead = f'add "{NOTIFY}.{value}" to credentials, and write the file credentials/{NOTIFY}.{value}'
                self._fault(f"{place}.{key}", value, "is not a credential of the sender of notices", instead)
        return values

    def _fault(self, field: str, value: object, problem: str, instead: str) -> None:
        field = field if field.isprintable() else repr(field)  # a quoted key of TOML can have any character
        self.faults.append(Fault(problem, instead, field, "" if value is None else shown_value(value)))
