"""The properties of a machine that its units depend on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.render import names

OLDEST_SYSTEMD = 252  # Debian 12 has it


def credentials_of(clock: str, files: Iterable[str]) -> dict[str, str]:
    """The credentials of a clock's own, by name, and the file of each; with "" as the clock, those of every clock.

    The file CLOCK.NAME is of that clock's services only, which get it as NAME, in place of the common one.
    """
    owned = (file.rpartition(".") for file in files)
    return {name: f"{owner}{dot}{name}" for owner, dot, name in owned if owner == clock}


def absolute(key: str, path: str) -> str:
    """Return a path of the configuration, which must be absolute or empty.

    Raises:
        ConfigurationError: it is relative.
    """
    if path and not Path(path).is_absolute():
        raise ConfigurationError(f"{key} = {path!r}: write an absolute path")
    return path


@dataclass(frozen=True)
class Host:
    """The machine, or the user, that units are rendered for.

    Attributes:
        run_task: the command that the services run.
        configuration: the file that SCHEDULED_TASKS_CONFIG names for them.
        user: the system user that they run as; if empty, systemd makes one for each run.
        credentials: the names of the files that they get from `credentials_folder`; see `credentials_of`.
        encrypted_credentials: the same, of files NAME.cred that systemd-creds(1) encrypted for this host.
        operators_credentials: those that only the watch and the failure service get, which run as root.
        encrypted_operators_credentials: the same, encrypted.
        credentials_folder: where those files are; "" for credentials/ beside the configuration.
        allow_network: the addresses that every job can reach, beyond this machine's own.
        sender_network: the addresses that the sender of notices can reach besides; None if nobody is to be told.
        ping_network: those that it can reach if a job has the option `ping`.
        systemd_version: decides which directives are written.
        clocks_command: the command `clocks` of the host's watch; empty on a host without a database.
        release: the directory of the release that services see at `release_mount`; empty if nothing is deployed.
        log_namespace: the journal namespace of every job; empty for the machine's own journal.
        metrics_folder: where the watch writes metrics for node_exporter; empty for none.
        installed_at: where this release is installed.
        stable_path: the path that leads there and stays the same from release to release.
        is_user: whether the units are for a user's own systemd (`systemctl --user`), which has fewer rights.
        listens: whether a listener starts its watch as soon as somebody asks the host for something.
        runtime: the directory that lasts until the machine is switched off.
        standalone: whether the units are to live on without this project's deployment.
    """

    run_task: str
    configuration: Path
    user: str = ""
    credentials: tuple[str, ...] = ()
    encrypted_credentials: tuple[str, ...] = ()
    operators_credentials: tuple[str, ...] = ()
    encrypted_operators_credentials: tuple[str, ...] = ()
    credentials_folder: str = ""
    allow_network: tuple[str, ...] = ()
    sender_network: tuple[str, ...] | None = None
    ping_network: tuple[str, ...] = ("any",)
    systemd_version: int = OLDEST_SYSTEMD
    clocks_command: str = ""
    release: str = ""
    log_namespace: str = ""
    metrics_folder: str = ""
    installed_at: str = ""
    stable_path: str = ""
    is_user: bool = False
    listens: bool = False
    runtime: str = "/run"
    standalone: bool = False

    @property
    def is_managed(self) -> bool:
        """Whether the units are the system's, and this project goes on deploying them."""
        return not self.standalone and not self.is_user

    @property
    def has_watch(self) -> bool:
        """Whether the host has a watch, and accounts for failed runs."""
        return bool(self.clocks_command) and self.is_managed

    @property
    def places(self) -> names.Places:
        """The paths that its units name."""
        folder = Path(self.runtime)
        return names.Places(home=names.Home(folder, folder, folder)) if self.is_user else names.Places()

    @property
    def credentials_path(self) -> Path:
        """The directory of the credentials' files."""
        return Path(self.credentials_folder or self.configuration.parent / "credentials")

    @property
    def all_credentials(self) -> tuple[str, ...]:
        """The names of the credentials of all services."""
        jobs, operators = self.credentials + self.encrypted_credentials, self.operators_credentials
        return jobs + operators + self.encrypted_operators_credentials

    @property
    def release_mount(self) -> str:
        """The path at which services see their release, the same in every release."""
        return str(Path(self.run_task).parents[1])

    def stable(self, path: str) -> str:
        """A path as units name it, so that a new release alone changes no unit."""
        inside = self.installed_at and path.startswith(f"{self.installed_at}/")
        return f"{self.stable_path}{path.removeprefix(self.installed_at)}" if inside else path
