"""The configured project: its clocks, feature flags and database, and the host for which its units are rendered.

The command line and the test fixtures share this module, so it imports neither click nor pytest. What only some
commands need (clock files, options, psycopg) is imported when it is used.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, cast

from scheduled_tasks.errors import ConfigurationError, NotRootError, ServiceUnavailableError
from scheduled_tasks.faults import what_to_write
from scheduled_tasks.run import context, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.render.host import Host
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection


# The credential of operators' commands, the watch and the failure service. Jobs get `database_url`.
OPERATORS_DATABASE_URL = "operators_database_url"
# So that no lock or statement keeps the watch waiting for ever. Our statements take milliseconds; a migration resets
# both.
OPERATORS_PATIENCE = "SELECT set_config('lock_timeout', '10s', false), set_config('statement_timeout', '2min', false)"


def value_if_configured(key: str) -> str:
    """A key of the configuration, or "": some commands work without a project."""
    try:
        return settings.load().get(key)
    except ConfigurationError:
        return ""


def load_configuration() -> settings.Settings:
    """Read the configuration and make the project's modules importable."""
    configuration = settings.load()
    configuration.make_importable()
    return configuration


def all_clocks(*, lines: bool = True) -> list[ClockSpec]:
    """Read all clocks of the project; without `lines`, their schedules are not translated to OnCalendar lines.

    Raises:
        FaultsError: every fault of every clock file.
    """
    from scheduled_tasks.alert.routes import notify_names
    from scheduled_tasks.clock_file import clock_files, read_clocks
    from scheduled_tasks.clock_job import ReadingContext
    from scheduled_tasks.project_process import ask_project, note

    configuration = load_configuration()
    reading = ReadingContext(
        domains=configuration.require("domains"), timezone=configuration.get("timezone"), now=datetime.now(UTC),
        make_app=context.application_factory(configuration.get("app")), lines=lines,
        has_application=bool(configuration.get("app")), notify=notify_names(configuration),
    )  # fmt: skip
    package = configuration.require("clocks")
    # A package of the project is imported to find its folder.
    files = ask_project(lambda: [(name, str(path)) for name, path in clock_files(package)], f"clocks = {package!r}")
    return read_clocks([(name, Path(path)) for name, path in files], reading, note)


def enabled_clocks(*, lines: bool = True) -> list[ClockSpec]:
    """The clocks that are enabled on this host. All are read, so that a fault in any of them is found on every host.

    Raises:
        FaultsError: every fault of every clock file.
        ConfigurationError: `enabled_clocks`, `clock_roles` or a credential's name has an unknown clock.
    """
    from scheduled_tasks.options.alert_faults import NOTIFY

    clocks = all_clocks(lines=lines)
    configuration = settings.load()
    for key in ("credentials", "encrypted_credentials"):
        owners = {str(name).rpartition(".")[0] for name in configuration.values.get(key, ())}
        _require_known(key, sorted(owners - {"", NOTIFY}), clocks)
    if isinstance(roles := configuration.values.get("clock_roles"), dict):
        _require_known("clock_roles", roles, clocks)
    enabled = configuration.values.get("enabled_clocks")
    if enabled is None:
        return clocks
    if not isinstance(enabled, list) or not all(isinstance(name, str) for name in enabled):
        raise ConfigurationError(f"{configuration.path}: enabled_clocks = {enabled!r}: write a list of clock names")
    _require_known("enabled_clocks", enabled, clocks)
    return [clock for clock in clocks if clock.name in enabled]


def _require_known(key: str, names: Iterable[str], clocks: Iterable[ClockSpec]) -> None:
    known = [clock.name for clock in clocks]
    for name in names:
        if name not in known:
            problem = f"{key}: there is no clock {name!r}; {what_to_write(name, known, 'the clocks')}"
            raise ConfigurationError(f"{settings.load().path}: {problem}")


def configured_features() -> type[Enum]:
    """The project's enum of feature flags."""
    from scheduled_tasks.features import Feature
    from scheduled_tasks.project_process import ask_project

    path = load_configuration().require("features")
    declared = ask_project(lambda: _declared_features(path), f"features = {path!r}")
    members = {name: Feature(description, default=default) for name, description, default in declared}
    return cast("type[Enum]", Enum(path, members))


def _declared_features(path: str) -> list[tuple[str, str, bool]]:
    features = context.load_object(path, "features")
    if not (isinstance(features, type) and issubclass(features, Enum)):
        raise ConfigurationError(
            f"features = {path!r} is not an enum: write class FeatureToggle(Enum) with Feature(…) members"
        )
    return [(name, flag.value.description, flag.value.default) for name, flag in features.__members__.items()]


def configured_host(places: Places | None = None) -> Host:
    """Describe this machine, or the user of a user manager, as far as the units depend on it.

    Raises:
        ConfigurationError: the configuration has a fault, in `[notify]` and in `[traces]` all of them.
    """
    from scheduled_tasks.alert.routes import notify_settings
    from scheduled_tasks.metrics.sender_needs import sender_network
    from scheduled_tasks.render.host import Host, absolute

    home = places.home if places else None
    configuration = settings.load()
    notify = notify_settings(configuration)
    checkout = configuration.path.parent.resolve() / "bin" / "run-task"
    deployed = configuration.get("run_task")
    run_task = deployed or str(checkout if checkout.exists() else Path(sys.prefix) / "bin" / "run-task")
    return Host(
        run_task=run_task,
        # A deployed release is called through the symlink `current`, so that its paths are the same in every release.
        installed_at=sys.prefix if deployed else "",
        stable_path=str(Path(run_task).parents[1]) if deployed else "",
        configuration=Path(configuration.get("configuration") or configuration.path.resolve()),
        user=configuration.get("user"),
        credentials=_names(configuration, "credentials", operators=False),
        encrypted_credentials=_names(configuration, "encrypted_credentials", operators=False),
        operators_credentials=_names(configuration, "credentials", operators=True),
        encrypted_operators_credentials=_names(configuration, "encrypted_credentials", operators=True),
        credentials_folder=configuration.get("credentials_folder"),
        allow_network=_network(configuration),
        sender_network=sender_network(configuration),
        ping_network=notify.allow_network or ("any",),
        systemd_version=_systemd_version(configuration),
        is_user=home is not None,
        listens=configuration.values.get("listen") is True,
        runtime=str(home.runtime) if home else "/run",
        clocks_command="" if home else _clocks_command(configuration, run_task),  # a developer's own have no watch
        release=configuration.get("release"),
        log_namespace=configuration.get("log_namespace"),
        metrics_folder=absolute("metrics_textfile_folder", configuration.get("metrics_textfile_folder")),
    )


def _clocks_command(configuration: settings.Settings, run_task: str) -> str:
    """The path of `clocks`, beside run-task; "" if a service on this host would not find the database's URL."""
    is_named = _named_settings(configuration) & {"database_url", OPERATORS_DATABASE_URL}
    return str(Path(run_task).with_name("clocks")) if is_named else ""


def _named_settings(configuration: settings.Settings) -> set[str]:
    """The settings that a service on this host gets."""
    keys = ("credentials", "encrypted_credentials", "settings")
    return {name for key in keys for name in configuration.values.get(key, ())}


def missing_services_database(clocks: Iterable[ClockSpec], places: Places) -> str:
    """Why the services of these clocks, or the sender of notices, would have no database, and what to write; or "".

    A service gets nothing of the shell in which `clocks` runs, and sets up no embedded PostgreSQL.
    """
    from scheduled_tasks.metrics.sender_needs import why_no_database

    configuration = settings.load()
    named = _named_settings(configuration)
    if problem := why_no_database(configuration, named):
        return problem
    without_own = [clock for clock in clocks if f"{clock.name}.database_url" not in named]
    options = (job.options.over(clock.options) for clock in without_own for job in clock.jobs)
    # A run_task of the configuration gets its settings as it likes; a trial of the sandbox finds whether it does.
    if configuration.get("run_task") or all(job.text("on_database_error") == "run" for job in options):
        return ""
    file = configuration.credentials_folder / "database_url"
    write_url = f"write the URL of a PostgreSQL into {file}, a file for root alone (chmod 600)"
    if "database_url" not in named:
        key = 'credentials = ["database_url"]'
        problem = "and DATABASE_URL or an embedded PostgreSQL of a shell are not theirs"
        return f"the jobs have no database, {problem}: write {key} into {configuration.path}, and {write_url}"
    if places.is_running and "database_url" in configuration.values.get("credentials", ()):
        with suppress(PermissionError):  # then it is there, for root alone
            if not file.is_file():
                return f"the jobs have no database: {write_url}"
    return ""


def _names(configuration: settings.Settings, key: str, *, operators: bool) -> tuple[str, ...]:
    names = map(str, configuration.values.get(key, []))
    return tuple(name for name in names if (name.rpartition(".")[2] == OPERATORS_DATABASE_URL) is operators)


def _network(configuration: settings.Settings) -> tuple[str, ...]:
    from scheduled_tasks.options import read_options

    options, faults = read_options({"allow_network": configuration.values.get("allow_network", [])})
    if faults:
        raise ConfigurationError(f"{configuration.path}: {faults[0]}")
    addresses = options.by_name["allow_network"]
    if addresses == ("any",):
        instead = "list addresses; allow_network='any' is an option of a clock or a job"
        raise ConfigurationError(f"{configuration.path}: allow_network = 'any' is not allowed for all jobs: {instead}")
    return tuple(addresses)


def _systemd_version(configuration: settings.Settings) -> int:
    """The configured version, for an image or a set that another machine will use; by default this machine's."""
    from scheduled_tasks.render.host import OLDEST_SYSTEMD

    version = configuration.get("systemd")
    if not version:
        from scheduled_tasks.deploy import systemd

        version = systemd.version() or str(OLDEST_SYSTEMD)  # every later systemd reads the same units
    if not version.isascii() or not version.isdigit() or int(version) < OLDEST_SYSTEMD:
        raise ConfigurationError(f"systemd {version} is not supported: {OLDEST_SYSTEMD} is the oldest")
    return int(version)


def has_database() -> bool:
    """Whether a database is configured; an undeployed project needs no configuration for its embedded one."""
    try:
        return bool(settings.setting(OPERATORS_DATABASE_URL, "") or settings.setting("database_url", ""))
    except PermissionError:  # a host's credentials, which root alone can read
        return True


@contextmanager
def open_database(*, roll_back: bool = False, as_sender: bool = False) -> Iterator[Connection]:
    """Connect to the project's database as an operator; a project that is not deployed is set up on first use.

    The setting `operators_database_url` says where and as whom. Only if the services have no role of their own do
    operators share their `database_url`, as in a checkout.

    With `roll_back`, everything happens in one transaction that is rolled back at the end, for a dry run. With
    `as_sender`, the sender of notices connects, with a role of its own if it has one.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable.
        NotRootError: its URL is in a credential that this user can't read.
        ConfigurationError: it lacks our tables, or denies this role a statement; or only the services' URL is known.
    """
    from scheduled_tasks.run import database  # most commands need no database

    configuration = load_configuration()
    try:
        own = settings.setting("notify.database_url", "") if as_sender else ""
        url = own or settings.setting(OPERATORS_DATABASE_URL, "")
    except PermissionError as error:
        instead = "run this as root, or set OPERATORS_DATABASE_URL to a URL of your own"
        raise NotRootError(f"{error.filename}: permission denied: {instead}") from None
    if not url and configuration.get("tasks_role"):
        raise ConfigurationError(
            f"{configuration.path}: tasks_role is set, so that database_url is for the services only, and operators' "
            "commands and the watch have none: give this host a credential operators_database_url, or set "
            "OPERATORS_DATABASE_URL"
        )
    with (
        typed_errors(),
        database.connect(url, name="clocks") if url else database.open_connection("clocks") as connection,
        connection.transaction(force_rollback=True) if roll_back else nullcontext(),
    ):
        connection.execute(OPERATORS_PATIENCE)
        yield connection


@contextmanager
def typed_errors() -> Iterator[None]:
    """Raise PostgreSQL's errors that the database, its schema or a privilege causes as ours, each in one line."""
    import psycopg

    from scheduled_tasks.run import database

    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise database.SchemaMissingError from None
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        problem = f"the database's tables are another release's: run `clocks migrate` ({database.one_line(error)})"
        raise ConfigurationError(problem) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(f"PostgreSQL denied this: {database.one_line(error)}") from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise ServiceUnavailableError(f"PostgreSQL refuses: {database.one_line(error)}") from error
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
        raise ServiceUnavailableError(f"PostgreSQL did not answer in time: {database.one_line(error)}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise ServiceUnavailableError(f"the connection to PostgreSQL was lost: {database.one_line(error)}") from error


def database_now(database: Connection) -> datetime:
    """The database's clock, which all hosts share."""
    [(now,)] = database.execute("SELECT clock_timestamp()").fetchall()
    assert isinstance(now, datetime)  # noqa: S101 - a timestamptz is a datetime
    return now
