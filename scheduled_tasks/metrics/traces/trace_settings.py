"""`[traces]` of the configuration: where the spans of runs are exported, and what they say of this deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scheduled_tasks.alert import route_keys
from scheduled_tasks.alert.endpoints import NOWHERE, Endpoint, read_credential, sender_credentials, why_unreadable
from scheduled_tasks.alert.route_keys import NETWORK, SECRET, Key
from scheduled_tasks.alert.table_reader import TableReader
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.options.alert_validators import link

if TYPE_CHECKING:
    from scheduled_tasks.run.settings import Settings

TRACES = "traces"  # the table
SERVICE = "scheduled-tasks"  # service.name by default
TRACES_PATH = "/v1/traces"  # of OTLP/HTTP, if the URL has no path
MAX_TEXT = 255


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError(f"is not a text of at most {MAX_TEXT} printable characters")
    return value


def _attributes(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("is not a table of attributes")  # noqa: TRY004 - see `options.validators`
    return {_text(name): _text(text) for name, text in value.items()}


KEYS = {
    "url": Key(link(), "the URL of an OTLP/HTTP receiver, http://127.0.0.1:4318"),
    "credential": Key(route_keys.name, SECRET),
    "headers_credential": Key(
        route_keys.name, "the name of a credential with headers of each request, such as a key; a line NAME: VALUE each"
    ),
    "service": Key(_text, f"the attribute service.name of the spans; without it {SERVICE}"),
    "resource": Key(_attributes, 'more attributes of the resource, { "deployment.environment.name" = "production" }'),
    "allow_network": NETWORK,
}


@dataclass(frozen=True)
class TraceSettings:
    """The checked table `[traces]`; false if nothing is exported.

    Attributes:
        endpoint: the OTLP/HTTP receiver.
        headers_credential: the credential with the headers of each request; "" for none.
        service: the attribute `service.name` of the spans' resource.
        resource: more attributes of it.
        network: the addresses that the sender must reach for it.
    """

    endpoint: Endpoint = NOWHERE
    headers_credential: str = ""
    service: str = SERVICE
    resource: Mapping[str, str] = field(default_factory=dict)
    network: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.endpoint)

    def url(self, settings: Settings) -> str:
        """The URL to which spans are posted.

        Raises:
            ConfigurationError, NotRootError: its credential can't be read.
        """
        url = self.endpoint.read(settings).strip()
        return f"{url.rstrip('/')}{TRACES_PATH}" if urlsplit(url).path in {"", "/"} else url

    def headers(self, settings: Settings) -> dict[str, str]:
        """The headers of the credential.

        Raises:
            ConfigurationError, NotRootError: it can't be read, or a line of it is no header.
        """
        lines = read_credential(self.headers_credential, settings).splitlines() if self.headers_credential else []
        headers = {}
        for line in filter(str.strip, lines):
            name, colon, value = line.partition(":")
            if not (colon and name.strip().isascii() and name.strip() and value.strip().isascii()):
                problem = "has a line that is not a header: write NAME: VALUE"
                raise ConfigurationError(f"the credential notify.{self.headers_credential} {problem}")
            headers[name.strip()] = value.strip()
        return headers


def trace_settings(settings: Settings) -> TraceSettings:
    """Check the table `[traces]`; without one nothing is exported.

    Raises:
        ConfigurationError: all its faults, a line for each.
    """
    if TRACES not in settings.values:
        return TraceSettings()
    reader = TableReader(sender_credentials(settings))
    values = reader.values(settings.values[TRACES], KEYS, TRACES)
    endpoint = reader.endpoint(values, "", TRACES)
    if not endpoint and not reader.faults:
        reader.fault(f"{TRACES}.url", None, "is missing", f"it is {KEYS['url'].meaning}")
    if reader.faults:
        raise ConfigurationError("\n".join(f"{settings.path}: {fault}" for fault in reader.faults))
    return TraceSettings(
        endpoint,
        values.get("headers_credential", ""),
        values.get("service", SERVICE),
        values.get("resource", {}),
        values.get("allow_network", endpoint.network),
    )


def missing_credentials(settings: Settings) -> list[str]:
    """Why the sender would lack what the table names on this host, as far as this user can read its credentials.

    Raises:
        ConfigurationError: see `trace_settings`.
    """
    read = trace_settings(settings)
    return why_unreadable([read.endpoint.credential, read.headers_credential], settings)
