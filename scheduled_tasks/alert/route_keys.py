"""The keys of the table `[notify]` and of its routes, with what validates each value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from scheduled_tasks.options import alert_validators, validators
from scheduled_tasks.options.alert_validators import ROUTE, link

_ADDRESS = re.compile(r"(?:[^<>\r\n]+ <)?[^@\s<>,;]+@[^@\s<>,;]+>?")


class Key(NamedTuple):
    """A key of a table: what validates its value (ValueError: what is wrong), and what it is."""

    validate: Callable[[object], Any]
    meaning: str


def name(value: object) -> str:
    """The name of a credential or a route."""
    if not isinstance(value, str) or not re.fullmatch(ROUTE, value, re.ASCII):
        raise ValueError("is not a name (letters, digits, _ and -)")
    return value


def _addresses(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise ValueError("is not a list of addresses")
    for address in given:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise ValueError(f"has {address!r}, which is not an address")
    return tuple(map(str, given))


def _address(value: object) -> str:
    return _addresses(value if isinstance(value, str) else None)[0]


def _network(value: object) -> tuple[str, ...]:
    return validators.addresses("any" if value == ["any"] else value)


def _tables(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise ValueError("is not a table of routes")
    return value


SECRET = "the name of a credential, whose value is in the file credentials/notify.NAME"  # noqa: S105 - says where
NETWORK = Key(_network, 'addresses, allow_network = ["192.0.2.7"], or ["any"] for a service known only by its name')
KEYS = {
    "routes": Key(_tables, "a table for each route, [notify.routes.NAME]"),
    "default": Key(alert_validators.routes, 'the routes of jobs without notify=, default = ["ops", "pager"]'),
    "fallback": Key(name, "the route on which a host says that it can't reach PostgreSQL"),
    "heartbeat_url": Key(link("host"), "the URL of a dead man's switch outside"),
    "heartbeat_credential": Key(name, SECRET),
    "alertmanager_url": Key(link(), "the URL of an Alertmanager, http://192.0.2.9:9093"),
    "alertmanager_credential": Key(name, SECRET),
    "page_url": Key(link("clock", "job", "host", "run"), "the URL of the page, for links in messages"),
    "monitors_url": Key(link(), "the URL of the Healthchecks whose checks `clocks monitors sync` creates"),
    "monitors_credential": Key(name, "the name of a credential with the key of its Management API"),
    "allow_network": NETWORK,
}
PLAIN_KEYS = ("page_url", "monitors_url", "monitors_credential")
ROUTE_KEYS = {
    "kind": Key(str, "mail, webhook or apprise"),
    "credential": Key(name, SECRET),
    "url": Key(str, "a URL without secrets, in place of a credential"),
    "to": Key(_addresses, 'the recipients of a mail, to = ["ops@example.org"]'),
    "from": Key(_address, 'the sender of a mail, from = "clocks@example.org"'),
    "signing_credential": Key(name, "the name of a credential with the key that signs a webhook's body"),
    "allow_network": NETWORK,
}


class Kind(NamedTuple):
    """A kind of route: how its URL begins if it can be without secrets, and the keys that no other kind has."""

    schemes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


KINDS = {
    "mail": Kind(("smtp", "smtps"), required=("to", "from")),
    "webhook": Kind(("http", "https"), optional=("signing_credential",)),
    "apprise": Kind(),  # its URLs contain the tokens of the services
}
