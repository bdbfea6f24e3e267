"""Where notices and pings are sent: URLs, and the credentials that contain those which are secret.

Such credentials are named `notify.NAME` in the configuration: only the sender of notices gets them (as NAME, in the
way in which a clock gets its own), not the jobs.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from scheduled_tasks.errors import ConfigurationError, NotRootError
from scheduled_tasks.options.alert_faults import NOTIFY
from scheduled_tasks.options.alert_validators import ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduled_tasks.run.settings import Settings


class Endpoint(NamedTuple):
    """A URL, or the name of the credential that contains it; false if there is neither."""

    url: str = ""
    credential: str = ""

    def __bool__(self) -> bool:
        return bool(self.url or self.credential)

    def read(self, settings: Settings) -> str:
        """The URL.

        Raises:
            ConfigurationError, NotRootError: see `read_credential`.
        """
        return self.url or read_credential(self.credential, settings)

    @property
    def network(self) -> tuple[str, ...]:
        """What a sandbox must allow to reach it besides this machine's own addresses; ("any",) if that is unknown."""
        if not self:
            return ()
        host = urlsplit(self.url).hostname or ""
        try:
            return () if host == "localhost" or ip_address(host).is_loopback else (host,)
        except ValueError:  # a name, and the kernel filters addresses; or a credential, which is not read for a sandbox
            return ("any",)


NOWHERE = Endpoint()


def sender_credentials(settings: Settings) -> tuple[str, ...]:
    """The names of the sender's credentials."""
    keys = ("credentials", "encrypted_credentials")
    named = (str(name).rpartition(".") for key in keys for name in settings.values.get(key, ()))
    return tuple(name for owner, _, name in named if owner == NOTIFY)


def read_credential(name: str, settings: Settings, default: str | None = None) -> str:
    """The value of one of the sender's credentials: from the environment, as systemd passes it, or from its file.

    Raises:
        ConfigurationError: it has none, and there is no default.
        NotRootError: this user can't read the file.
    """
    if value := os.environ.get(name.upper()):
        return value
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(folder, f"{NOTIFY}.{name}"), Path(folder, name)] if folder else []
    file = settings.credentials_folder / f"{NOTIFY}.{name}"
    for path in (*places, file):
        try:
            if value := path.read_text(encoding="utf-8").strip():
                return value
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise NotRootError(f"{error.filename}: permission denied: run this as root") from None
    if default is not None:
        return default
    if f"{NOTIFY}.{name}" in settings.values.get("encrypted_credentials", ()):
        raise ConfigurationError(f"{file}.cred is encrypted: only the service that sends notices can read it")
    raise ConfigurationError(f"the credential {NOTIFY}.{name} has no value: write it into {file}, for root alone")


def why_unreadable(names: Iterable[str], settings: Settings) -> list[str]:
    """Why the sender would lack one of its credentials on this host, as far as this user can read them."""
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


def ping_url(options: Mapping[str, Any], clock: str, job: str, host: str, settings: Settings) -> str:
    """The URL to which a job's runs are reported, by its options in the jobs manifest; "" if it has none.

    Raises:
        ConfigurationError, NotRootError: see `read_credential`.
    """
    ping = str(options.get("ping") or "")
    url = read_credential(ping, settings) if re.fullmatch(ROUTE, ping, re.ASCII) else ping
    return url.replace("{clock}", clock).replace("{job}", job).replace("{host}", host)
