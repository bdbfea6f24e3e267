"""Settings and the project's configuration.

A setting comes from the environment, then from the services' credentials (`$CREDENTIALS_DIRECTORY`, which systemd sets
for `LoadCredential=`; by hand the files that a service would get), then from the configuration file: the one that
`$SCHEDULED_TASKS_CONFIG` names, otherwise the nearest pyproject.toml with a `[tool.scheduled_tasks]` table, otherwise
/etc/scheduled-tasks/config.toml, which a deployed release uses at once. A project is deployed if its configuration
isn't in a pyproject.toml; then nothing is set up on first use, nor in a service.
"""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOYED_CONFIG = Path("/etc/scheduled-tasks/config.toml")
_MAX_SIZE = 1 << 20  # bytes of a pyproject.toml; another user's file can be of any size
# The drop-in of all services of the machine's current set (render/names.py), which names their configuration.
DEPLOYED_SERVICES = Path("/etc/scheduled-tasks/units/current/clock-.service.d/10-every-job.conf")
RELEASE_MARK = ".complete"  # in the folder of a release that the role installed (install_release.py)

KEYS = {
    "domains": "the package of task functions, for example shop.tasks",
    "clocks": "the package of clock files, for example shop.clocks",
    "features": "the enum of feature flags, for example shop.features:FeatureToggle",
    "app": "the application factory, for example shop:create_app",
    "migrations": "a package with the project's own numbered SQL migrations",
    "demo": "a function that fills the database with sample data",
    "timezone": "the default time zone of clocks, for example Europe/Paris",
    "user": "the system user that the services run as",
    "credentials": "names of the services' credentials, files in credentials/ beside the configuration; CLOCK.NAME is "
    "for one clock, which gets it as NAME",
    "credentials_folder": "the folder of those files, if it is another one; a deployment writes it",
    "encrypted_credentials": "names of credentials in files NAME.cred there, encrypted by systemd-creds on this host",
    "allow_network": "addresses that every job can reach, such as a database's; this machine's own are always allowed",
    "systemd": "the systemd version for which units are written; default: this machine's",
    "enabled_clocks": "names of the clocks that run on this host; default: all",
    "log_namespace": "the journal namespace of every job; default: the machine's own journal",
    "release": "the folder of this release, which the services see at the place in run_task; a deployment writes it",
    "configuration": "the path at which the services find this file, if it is another one; a deployment writes it",
    "run_task": "the command that the services run; default: the project's own run-task",
    "database_retry_timeout": "seconds for which a run retries PostgreSQL at its start and its end; default: 30",
    "tasks_role": "the PostgreSQL role of `database_url`; `clocks migrate` allows it to read flags and record runs",
    "tasks_tables": "names of the project's own tables, which the tasks' role can read and write",
    "clock_roles": "a table from a clock to the PostgreSQL role that alone can record runs of it",
    "operators_role": "the PostgreSQL role of operators; `clocks migrate` allows it to switch flags and pause",
    "monitors_role": "the PostgreSQL role of monitoring; `clocks migrate` allows it to read the ledger",
    "notifier_role": "the PostgreSQL role of the service that sends notices; `clocks migrate` allows it to take them",
    "page_role": "the PostgreSQL role of the page; `clocks migrate` allows it to read the ledger and ask hosts to act",
    "listen": "true: a listener starts the watch as soon as somebody asks this host for something; default: false",
    "page": "a table: who may act on the page; docs/reference/configuration.md has its keys",
    "notify": "a table: on which routes somebody is told of bad jobs; docs/reference/configuration.md has its keys",
    "metrics_jobs": 'of which jobs `clocks metrics` has series: "all", "bad", or a list of clocks; default: all',
    "metrics_textfile_folder": "the folder of node_exporter's textfile collector, in which the watch writes metrics",
    "traces": "a table: where the spans of runs are exported; docs/reference/configuration.md has its keys",
    "keep_runs": "days for which `clocks prune-runs` keeps runs; default: 400",
    "keep_logs": "days for which the ledger keeps the last log lines of failed runs; default: 30",
    "settings": "a table of settings for the tasks, which setting() reads",
}


class Settings(NamedTuple):  # not a dataclass: each of those costs a run 0.3 ms
    """The project's configuration.

    Attributes:
        path: the configuration file; relative paths in it start at its folder.
        values: the file's keys, see `KEYS`.
        deployed: whether a deployment wrote the file.
    """

    path: Path
    values: dict[str, Any]
    deployed: bool

    @property
    def credentials_folder(self) -> Path:
        """The folder of the files that become the services' credentials."""
        return Path(self.values.get("credentials_folder") or self.path.parent / "credentials")

    @property
    def state_directory(self) -> Path:
        """The folder in which an undeployed project has its embedded PostgreSQL."""
        return self.path.parent / ".scheduled-tasks"

    def make_importable(self) -> None:
        """Make the project's modules importable from its checkout; a deployed project is installed."""
        folder = str(self.path.parent.resolve())
        if not self.deployed and folder not in sys.path:
            sys.path.insert(0, folder)

    def get(self, key: str) -> str:
        """The value of a configuration key, or of `SCHEDULED_TASKS_<KEY>` in the environment; "" if unset."""
        return os.environ.get(f"SCHEDULED_TASKS_{key.upper()}") or str(self.values.get(key, ""))

    def require(self, key: str) -> str:
        """The value of a key, as `get` returns it, which must be set.

        Raises:
            ConfigurationError: the key has no value.
        """
        if value := self.get(key):
            return value
        raise ConfigurationError(f"{self.path}: {key} is not set: write {key} = … ({KEYS[key]})")

    @property
    def sets_up(self) -> bool:
        """Whether a command can use an embedded PostgreSQL and set it up.

        Only in a project's folder; never in a service, nor if this machine's services run this project: their database
        is another one.
        """
        return not self.deployed and service_folder() is None and not self._is_applied

    @property
    def _is_applied(self) -> bool:
        """Whether the services of this machine use this configuration: somebody ran `clocks apply` in its folder."""
        try:
            return f"SCHEDULED_TASKS_CONFIG={self.path.resolve()}\n" in DEPLOYED_SERVICES.read_text().replace('"', "")
        except OSError:
            return False

    @property
    def release(self) -> str:
        """The name of this release: of the folder in which a deployment installed it; empty in a checkout."""
        return os.path.basename(sys.prefix) if self.deployed else ""  # noqa: PTH119 - cheaper, and every run needs it


@cache
def load() -> Settings:
    """Read the configuration, once per process.

    Raises:
        ConfigurationError: no file is found, it can't be read, or it has an unknown key.
    """
    path = _find()
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    undeployed = path.name == "pyproject.toml"
    values = document.get("tool", {}).get("scheduled_tasks", {}) if undeployed else document
    if unknown := sorted(set(values) - set(KEYS)):
        raise ConfigurationError(
            f"{path}: unknown {', '.join(unknown)}: the keys are {', '.join(KEYS)} (secrets are settings of the "
            "environment or credentials, not keys)"
        )
    if not isinstance(values.get("settings", {}), dict):
        raise ConfigurationError(f"{path}: settings is not a table: write [settings] and below it name = value")
    return Settings(path, values, deployed=not undeployed)


def _find() -> Path:
    if named := os.environ.get("SCHEDULED_TASKS_CONFIG"):
        return Path(named).resolve()
    # In a release, the folder in which an operator happens to be means nothing.
    if not Path(sys.prefix, RELEASE_MARK).exists():
        for path in _project_files():
            if not (reason := _why_untrusted(path)):
                return path
            sys.stderr.write(f"ignored {path}: {reason}; if you trust it, name it in SCHEDULED_TASKS_CONFIG\n")
    if DEPLOYED_CONFIG.is_file():
        return DEPLOYED_CONFIG
    raise ConfigurationError(
        "no configuration: add a [tool.scheduled_tasks] table to your project's pyproject.toml (`clocks init` does), "
        f"or name the file in SCHEDULED_TASKS_CONFIG (on a deployed host it is {DEPLOYED_CONFIG})"
    )


def _project_files() -> Iterator[Path]:
    """The pyproject.toml files with our table, in the current folder and above, the nearest first."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed
        return
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        try:
            if not path.is_file():
                continue
            with path.open("rb") as file:
                if b"[tool.scheduled_tasks]" in file.read(_MAX_SIZE):
                    yield path
        except OSError:  # not ours to read
            continue


def _why_untrusted(path: Path) -> str:
    """Why a project that was found, not named, isn't used; "" if it is.

    Its code runs as the caller, so nobody but root and the caller may be able to write the file or put modules beside
    it, as with git's safe.directory. Behind sudo the caller is the one who typed the command. Root takes no code from a
    group either; for others, a group that can write is a team that works in one checkout.
    """
    caller, typed_by = os.geteuid(), os.environ.get("SUDO_UID", "")
    trusted = {0, int(typed_by) if caller == 0 and typed_by.isdecimal() else caller}
    for part in (path, path.parent):
        status = part.stat()
        if status.st_uid not in trusted:
            return f"{part} belongs to {_user(status.st_uid)}, neither to root nor to you"
        if status.st_mode & stat.S_IWOTH:
            return f"every user can write {part}"
        if caller == 0 and status.st_mode & stat.S_IWGRP and not _is_private(status):
            return f"the group {status.st_gid} can write {part}, and you are root"
    return ""


def _user(uid: int) -> str:
    import pwd  # only errors need it

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_private(status: os.stat_result) -> bool:
    """Whether the group of a file is root's, or the owner's own, of the same name, as useradd makes for each user."""
    import grp
    import pwd

    if status.st_gid == 0:
        return True
    try:
        owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return group.gr_name == owner and set(group.gr_mem) <= {owner}


def service_folder() -> Path | None:
    """The folder that systemd gives this job (`StateDirectory=` of its unit); None outside of a job's service."""
    folders = os.environ.get("STATE_DIRECTORY", "").split(":")
    return next((Path(folder) for folder in folders if "/scheduled-tasks/results/" in folder), None)


def source_of(name: str) -> str:
    """Where the value of a setting comes from, for a message; "" if it has none."""
    value, source = _find_setting(name)
    return source if value else ""


def _find_setting(name: str) -> tuple[str | None, str]:
    """A setting and its source; None if it is unset."""
    if value := os.environ.get(name.upper()):
        return value, f"{name.upper()} in the environment"
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory and name in load().values.get("credentials", ()):
        directory = str(load().credentials_folder)
    if directory:
        credential = Path(directory, name)
        if credential.is_file():
            return credential.read_text().rstrip("\n"), str(credential)
    value = load().values.get("settings", {}).get(name)
    return (str(value), f"[settings] of {load().path}") if value else (None, "")


def setting(name: str, default: str | None = None) -> str:
    """A setting for a task or the runner: from the environment, a credential, or the file's `[settings]` table.

    By hand, without `$CREDENTIALS_DIRECTORY`, a configured credential is read where the services get it from, so that a
    command in a project's folder uses the same database as its jobs.

    Args:
        name: in lower case, which is the name of the credential's file; the environment variable has the same name in
            upper case (`algolia_api_key`: `ALGOLIA_API_KEY`).
        default: the value if it is unset.

    Raises:
        ConfigurationError: it is unset and has no default.
        PermissionError: it is in a credential that this user can't read.
    """
    value, _ = _find_setting(name.lower())
    if value is not None:
        return value
    if default is not None:
        return default
    raise ConfigurationError(
        f"the setting {name.lower()} has no value: set {name.upper()} in the environment, give the service a "
        f"credential {name.lower()}, or write it into [settings] of {load().path}"
    )
