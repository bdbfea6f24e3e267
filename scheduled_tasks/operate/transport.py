"""Find database connections that libpq would make without encryption or without verifying the server.

A libpq connection string or URI and the environment go in. A sentence comes out for each database on another machine
whose connection could be read or intercepted. Nothing connects. Parameters are looked up in libpq's own order: the
string, the service file, the environment, its defaults (PostgreSQL's manual, "Connection Strings", "Connection Service
File", "SSL Support").
"""

from __future__ import annotations

import ipaddress
import os
from configparser import ConfigParser
from configparser import Error as NotAServiceFile
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URLS = ("database_url", "operators_database_url")
WHAT_TO_WRITE = "write sslmode=verify-full and sslrootcert=FILE, a certificate that the jobs can read"
_VERIFIED = ("verify-ca", "verify-full")
_RISKS = {
    "disable": "connects without encryption to",
    "allow": "connects without encryption, unless the server requires TLS, to",
    "prefer": "connects with TLS only if the server offers it, and without verification, to",
    "require": "connects with TLS, but without verification, to",
}


def configured_risks() -> Iterator[str]:
    """A sentence for each configured URL whose connection is at risk."""
    configuration = settings.load()
    # A service gets nothing of the environment of the shell in which `clocks` runs.
    environment = {} if configuration.deployed else os.environ
    for name in URLS:
        with suppress(PermissionError):  # a host's credentials, which root alone can read
            if url := settings.setting(name, ""):
                yield from (f"{name} {risk}" for risk in risks(url, environment))


def risks(url: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a connection; nothing for a Unix socket, for loopback, or for an invalid URL."""
    parameters = parameters_of(url, environment)
    remote = list(dict.fromkeys(_remote_hosts(parameters)))
    mode = _ssl_mode(parameters)
    if not remote or mode in _VERIFIED or parameters.get("gssencmode") == "require":
        return
    named = f"sslmode={mode}" if parameters.get("sslmode") else f"no sslmode, so {mode}, libpq's default"
    yield f"{_RISKS.get(mode, 'connects without verification to')} {', '.join(remote)} ({named}): {WHAT_TO_WRITE}"


def parameters_of(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are set anywhere, without libpq's defaults; none if the string is invalid."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        named = {key: str(value) for key, value in conninfo_to_dict(url).items() if value}
    except psycopg.ProgrammingError:
        return {}
    options = psycopg.pq.Conninfo.get_defaults()
    variables = {option.keyword.decode(): option.envvar.decode() for option in options if option.envvar}
    exported = {key: environment[name] for key, name in variables.items() if environment.get(name)}
    service = named.get("service") or exported.get("service")
    return {**exported, **(_service(service, named, environment) if service else {}), **named}


def _service(service: str, named: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a service, from the user's file or the system's: the first that has the service."""
    own = named.get("servicefile") or environment.get("PGSERVICEFILE")
    system = environment.get("PGSYSCONFDIR", "/etc/postgresql-common")
    files = (own or Path(environment.get("HOME", "/"), ".pg_service.conf"), Path(system, "pg_service.conf"))
    for file in files:
        parser = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        try:
            parser.read(file)
        except (NotAServiceFile, OSError, UnicodeDecodeError):
            continue
        if service in parser:
            return dict(parser[service])
    return {}


def _ssl_mode(parameters: Mapping[str, str]) -> str:
    certificates = parameters.get("sslrootcert")
    if certificates == "system":  # libpq then accepts nothing less
        return "verify-full"
    mode = parameters.get("sslmode", "prefer")
    return "verify-ca" if mode == "require" and certificates else mode  # libpq, for backward compatibility


def _remote_hosts(parameters: Mapping[str, str]) -> Iterator[str]:
    """The hosts of other machines; an address (hostaddr) goes before the name beside it."""
    names, addresses = (parameters.get(key, "").split(",") for key in ("host", "hostaddr"))
    for name, address in zip_longest(names, addresses, fillvalue=""):
        host = address or name
        if host and not host.startswith(("/", "@")) and not _is_loopback(host):
            yield name or host


def _is_loopback(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
