"""Settings: what a run is told, and where it stands.

A setting comes from the environment, else from `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`), else from
the configuration file. The file is the one that `$SCHEDULED_TASKS_CONFIG` names, else the nearest pyproject.toml
with a `[tool.scheduled_tasks]` table, else /etc/scheduled-tasks/config.toml. A configuration that is not
a pyproject.toml is a deployed one: nothing is set up there on first use.
"""

from __future__ import annotations

import os
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from scheduled_tasks.errors import ConfigurationError

DEPLOYED_CONFIG = Path("/etc/scheduled-tasks/config.toml")

KEYS = {
    "domains": "the package of task functions, for example shop.tasks",
    "clocks": "the package of clock files, for example shop.clocks",
    "features": "the enum of feature flags, for example shop.features:FeatureToggle",
    "app": "the application's factory, for example shop:create_app",
    "migrations": "a package with the project's own numbered SQL migrations",
    "demo": "a function that fills the database with sample data",
    "timezone": "the zone of clocks that name none, for example Europe/Paris",
    "user": "the system user that the services run as",
    "credentials": "the names of the credentials that the services get, files in credentials/ beside the configuration",
    "credentials_folder": "where those files are, if it is not there; a deployment writes it",
    "encrypted_credentials": "the same, of files NAME.cred there that systemd-creds encrypted for this host",
    "allow_network": "addresses that every job may speak to, a database's for example; this machine's own are always",
    "systemd": "the version of systemd that units are written for, where it isn't this machine's",
    "enabled_clocks": "the clocks that live on this host, by their names, where that isn't all of them",
    "log_namespace": "the journal namespace of every job, where it is not the machine's own journal",
    "release": "the folder of this release, which the services see where run_task says; a deployment writes it",
    "configuration": "where the services find this file, when it is read from elsewhere; a deployment writes it",
    "run_task": "the command that the services run, where it is not the project's own",
    "database_retry_timeout": "seconds for which a job's run retries PostgreSQL, at its start and its end (30)",
    "tasks_role": "the PostgreSQL role of the services, which `clocks migrate` lets read flags and write runs",
    "operators_role": "the PostgreSQL role of operators, which `clocks migrate` lets switch flags and pause",
    "keep_runs": "for how many days `clocks prune-runs` keeps runs, 400 where unset",
    "settings": "a table of settings for the tasks, read by setting()",
}


class Settings(NamedTuple):  # not a dataclass: making one costs a run 0.3 ms, and there are some
    """The configuration of the project that a command or a run works for.

    Attributes:
        path: the configuration file; what is relative is relative to its folder.
        values: the file's own keys, see `KEYS`.
        deployed: whether a deployment wrote it (then nothing is set up on first use).
    """

    path: Path
    values: dict[str, Any]
    deployed: bool

    @property
    def state_directory(self) -> Path:
        """Where an undeployed project keeps its embedded PostgreSQL."""
        return self.path.parent / ".scheduled-tasks"

    def make_importable(self) -> None:
        """Lets the project's own modules be imported from its checkout; a deployed one is installed."""
        folder = str(self.path.parent.resolve())
        if not self.deployed and folder not in sys.path:
            sys.path.insert(0, folder)

    def get(self, key: str) -> str:
        """The value of a key of the configuration file, overridden by `SCHEDULED_TASKS_<KEY>`; "" where unset."""
        return os.environ.get(f"SCHEDULED_TASKS_{key.upper()}") or str(self.values.get(key, ""))

    def require(self, key: str) -> str:
        """As `get`, but what is unset is an error that says what to write where.

        Raises:
            ConfigurationError: the key has no value.
        """
        if value := self.get(key):
            return value
        raise ConfigurationError(f"{self.path}: {key} is not set: write {key} = … ({KEYS[key]})")

    @property
    def release(self) -> str:
        """Which release this is: the folder that a deployment installed it in; empty in a checkout."""
        return os.path.basename(sys.prefix) if self.deployed else ""  # noqa: PTH119 - every run asks


def without_secrets(text: str) -> str:
    """A text without the passwords that it quotes: of a URL, and what is named as one."""
    import re  # psycopg has imported it already

    text = re.sub(r"(://[^/\s:@]*:)[^@\s]+@", r"\1***@", text)
    name, value = r"\w*(?:password|passwd|pwd|secret|token|api_?key)", r"""'[^']*'|"[^"]*"|[^\s,;&'"]+"""
    return re.sub(rf"""(?i)\b({name})(['"]?\s*[=:]\s*)(?:{value})""", r"\1\2***", text)


@cache
def load() -> Settings:
    """Reads the configuration once in a process.

    Raises:
        ConfigurationError: there is none, it can't be read, or it has a key that nobody reads.
    """
    path = _find()
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from error
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
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and "[tool.scheduled_tasks]" in path.read_text(errors="replace"):
            return path
    if DEPLOYED_CONFIG.is_file():
        return DEPLOYED_CONFIG
    raise ConfigurationError(
        "no configuration: add a [tool.scheduled_tasks] table to your project's pyproject.toml (`clocks init` does), "
        "or name the file in "
        f"SCHEDULED_TASKS_CONFIG (on a deployed host it is {DEPLOYED_CONFIG})"
    )


def setting(name: str, default: str | None = None) -> str:
    """A setting for a task or the runner: environment, then credential, then the file's `[settings]` table.

    Args:
        name: in lower case, as the credential's file is named; the environment's variable is the same in
            upper case (`algolia_api_key` is `ALGOLIA_API_KEY`).
        default: what to answer where it is set nowhere.

    Raises:
        ConfigurationError: it is set nowhere and there is no default.
    """
    if value := os.environ.get(name.upper()):
        return value
    if directory := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory, name.lower())
        if credential.is_file():
            return credential.read_text().rstrip("\n")
    if value := load().values.get("settings", {}).get(name.lower()):
        return str(value)
    if default is not None:
        return default
    raise ConfigurationError(
        f"the setting {name.lower()} has no value: set {name.upper()} in the environment, give the service a "
        f"credential {name.lower()}, or write it into [settings] of {load().path}"
    )
