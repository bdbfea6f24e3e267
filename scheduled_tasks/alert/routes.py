"""`[notify]` of the configuration: the routes on which notices are sent, and what else alerts need to know.

A configuration goes in; checked `NotifySettings` come out, or all faults at once. URLs with secrets are in credentials,
see `endpoints`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.endpoints import NOWHERE, Endpoint, sender_credentials, why_unreadable
from scheduled_tasks.alert.route_keys import KEYS, KINDS, PLAIN_KEYS, ROUTE_KEYS, SECRET
from scheduled_tasks.alert.table_reader import TableReader
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.faults import what_to_write
from scheduled_tasks.options.alert_faults import NOTIFY, NotifyNames
from scheduled_tasks.options.alert_validators import ROUTE, why_no_url

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.run.settings import Settings


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
    return why_unreadable(names, settings)


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


class _Reader(TableReader):
    """Read the table and collect its faults."""

    def settings(self, table: object) -> NotifySettings:
        """The settings; of what has a fault, the default."""
        values = self.values(table, KEYS, NOTIFY)
        routes = {name: self._route(name, given) for name, given in values.get("routes", {}).items()}
        heartbeat, alertmanager = (self.endpoint(values, f"{kind}_", NOTIFY) for kind in ("heartbeat", "alertmanager"))
        if alertmanager:
            routes |= self._alertmanager(alertmanager, routes)
        default = values.get("default", tuple(routes) if len(routes) == 1 else ())
        if routes and not default and "default" not in values:
            self.fault(f"{NOTIFY}.default", None, "is missing", f"it is {KEYS['default'].meaning}")
        fallback = values.get("fallback", next(iter(default), ""))
        for key, names in (("default", default), ("fallback", [fallback] if "fallback" in values else [])):
            for name in names:
                if name not in routes:
                    instead = f"{what_to_write(name, routes, 'the routes')}; or add [notify.routes.{name}]"
                    self.fault(f"{NOTIFY}.{key}", name, "is not a route", instead)
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
            self.fault(f"{NOTIFY}.routes.{ALERTMANAGER}", None, problem, "give the route another name")
        return {ALERTMANAGER: Route(ALERTMANAGER, ALERTMANAGER, endpoint)}

    def _route(self, name: str, table: dict[str, Any]) -> Route:
        place = f"{NOTIFY}.routes.{name}"
        if not re.fullmatch(ROUTE, name, re.ASCII):
            self.fault(place, None, "is not a name", "write letters, digits, _ and -, at most 64")
        values = self.values(table, ROUTE_KEYS, place)
        if (kind := values.get("kind", "")) in KINDS:
            self._check_keys(table, kind, place)
        else:
            problem = "is not a kind of route" if "kind" in table else "is missing"
            self.fault(f"{place}.kind", table.get("kind"), problem, what_to_write(kind, KINDS, "the kinds"))
        return Route(
            name=name,
            kind=kind,
            endpoint=(endpoint := self.endpoint(values, "", place)),
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
            self.fault(f"{place}.{key}", table[key], f"is not a key of the kind {kind}", "leave it out")
        for key in own.required:
            if key not in table:
                self.fault(f"{place}.{key}", None, "is missing", f"it is {ROUTE_KEYS[key].meaning}")
        if "url" in table and (
            problem := why_no_url(str(table["url"]), own.schemes) if own.schemes else "can have a secret"
        ):
            self.fault(f"{place}.url", table["url"], problem, f"write credential = … ({SECRET})")
        elif not {"url", "credential"} & table.keys():
            self.fault(f"{place}.credential", None, "is missing", f"it is {SECRET}")
