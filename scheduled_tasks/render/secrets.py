"""How services get credentials: a service of root copies them, and each job mounts its own copies into its own view.

LoadCredential= would mount a file system for each run where the whole host sees it, and systemd looks at all mounts
whenever one changes: 200 starts at once took eleven times as long as without (decision 0023). A mount that only the
service sees costs next to nothing; but it leaves a file's mode as it is, so the copy is readable for everybody, in a
folder that nobody but root can enter. systemd itself decrypts the encrypted ones, for the script.

Each list of credentials has a folder of its own, named by the instance of the service: an apply makes the copies of the
next set while jobs still start with those of the current one. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.options.alert_faults import NOTIFY
from scheduled_tasks.render import escape, names
from scheduled_tasks.render.escape import UnitText
from scheduled_tasks.render.host import credentials_of

if TYPE_CHECKING:
    from scheduled_tasks.render.host import Host
    from scheduled_tasks.render.names import Places

# The names that systemd accepts, with the clock's before a dot.
CREDENTIAL = r"([A-Za-z0-9_]+\.)?[A-Za-z0-9_][A-Za-z0-9_-]*"
DATABASE_URL = "database_url"
UNLOADABLE = " \\"  # systemd 257 loses them on the way to systemd-executor

# Its arguments: NAME=FILE of each plain credential; the variable COPIES: its folder. Each copy is replaced in one step,
# and one whose file is gone is removed: no run gets an old secret. The exit code is 1 if a file is missing.
SECRETS_SCRIPT = (
    'umask 077; mkdir -p "$COPIES"; chmod 700 "${COPIES%/*}" "$COPIES"; cd "$COPIES"; names=; missing=; '
    'copy() { cat "$2" >".$1" || return; chmod 444 ".$1"; mv -f ".$1" "$1"; names="$names $1 "; }; '
    'for credential; do file=${credential#*=}; copy "${credential%%=*}" "$file" || missing="$missing $file"; done; '
    'for file in "${CREDENTIALS_DIRECTORY:-/nowhere}"/*; do [ ! -f "$file" ] || copy "${file##*/}" "$file"; done; '
    'for old in * .[!.]*; do case "$names" in *" $old "*) ;; *) rm -f "$old" ;; esac; done; '
    '[ -z "$missing" ] || { echo "<3>missing:$missing"; exit 1; }'
)


def copies_service(units: Mapping[str, str]) -> str:
    """The service that makes the copies for a set; empty if the set has no credentials."""
    if names.SECRETS not in units:
        return ""
    digest = hashlib.sha256((units[names.SECRETS] + units[names.SECRETS_DROP_IN]).encode()).hexdigest()
    return names.SECRETS.replace("@", f"@{digest[:12]}")


def copies_folder(places: Places, service: str) -> Path:
    """The folder of the copies that a service makes."""
    return places.secrets / service.partition("@")[2].removesuffix(".service")


def credential_lines(
    host: Host, secrets: str, plain: Iterable[str], encrypted: Iterable[str], clock: str = ""
) -> list[UnitText]:
    """The lines with which services get credentials.

    Args:
        host: the host.
        secrets: the service that copies them.
        plain: the names of plain ones.
        encrypted: the names of encrypted ones.
        clock: the clock whose own ones are meant; empty for those of all clocks.

    Raises:
        UnwritableValueError: a name can't be written into a unit file.
    """
    plain, encrypted = (
        credentials_of(clock, [escape.require_name(file, "a credential", CREDENTIAL) for file in files])
        for files in (plain, encrypted)
    )
    if host.is_managed:
        return [_bound(host, secrets, name, file) for name, file in (plain | encrypted).items()]
    lines = [UnitText(f"LoadCredential={loaded(host, name, file)}") for name, file in plain.items()]
    return lines + [
        UnitText(f"LoadCredentialEncrypted={loaded(host, name, f'{file}.cred')}") for name, file in encrypted.items()
    ]


def own_credential_lines(host: Host, secrets: str, clock: str) -> list[UnitText]:
    """The lines with which a clock's services get their own credentials, if the clock has any."""
    own = credential_lines(host, secrets, host.credentials, host.encrypted_credentials, clock)
    if not own or not host.is_managed:
        return own
    # Of two mounts on one path, systemd takes the first.
    common = credential_lines(host, secrets, host.credentials, host.encrypted_credentials)
    by_target = {line.rpartition(":")[2]: line for line in (*common, *own)}
    return list(by_target.values())


def sender_credential_lines(host: Host, secrets: str) -> list[UnitText]:
    """The lines with which the sender of notices gets its own credentials, `notify.NAME`, and no others.

    Without a database_url of its own it gets the jobs' one: they all connect with one role then.
    """
    files = (*host.credentials, *host.encrypted_credentials)
    own = credentials_of(NOTIFY, files)
    own |= {DATABASE_URL: DATABASE_URL} if DATABASE_URL in files and DATABASE_URL not in own else {}
    return [_bound(host, secrets, f"{NOTIFY}.{name}", file) for name, file in own.items()]


def _bound(host: Host, secrets: str, name: str, file: str) -> UnitText:
    return UnitText(f"BindReadOnlyPaths={copies_folder(host.places, secrets)}/{file}:{host.places.credentials}/{name}")


def loaded(host: Host, name: str, file: str) -> UnitText:
    """The value with which systemd loads a credential from a file in the host's folder.

    Raises:
        UnwritableValueError: the path can't be written into a unit file.
    """
    path = escape.refuse_characters(f"{host.credentials_path}/{file}", UNLOADABLE, "LoadCredential")
    return UnitText(f"{name}:{escape.directive_value(path)}")
