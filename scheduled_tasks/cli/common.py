"""What the commands share: the configured project, the database, how results and errors are shown."""

from __future__ import annotations

import json
import os
import pwd
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scheduled_tasks.clock_file import clock_files, read_clocks
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.options import read_options
from scheduled_tasks.render.host import OLDEST_SYSTEMD, Host
from scheduled_tasks.render.names import Home, Places
from scheduled_tasks.run import context, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.run.database import Connection


class Commands(click.Group):
    """A group whose commands show our errors as sentences, with their exit codes, instead of tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invokes a command; one of our errors ends it."""
        try:
            return super().invoke(ctx)
        except ScheduledTasksError as error:
            fail(error)


def fail(error: ScheduledTasksError) -> NoReturn:
    """Says an error on standard error and exits with its code."""
    prefix = "" if isinstance(error, FaultsError) else "clocks: "
    click.echo(f"{prefix}{error}", err=True)
    if isinstance(error, FaultsError):
        count = len(error.faults)
        click.echo(f"clocks: {count} fault{'s' if count > 1 else ''}, nothing was changed", err=True)
    sys.exit(error.exit_code)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


check_option = click.option("--check", is_flag=True, help="Say what would be done, and do nothing.")


def show_json(value: object) -> None:
    """Prints a result for programs."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def make_importable() -> settings.Settings:
    """The configuration, with the project's modules importable."""
    configuration = settings.load()
    configuration.make_importable()
    return configuration


def configured_clocks(*, lines: bool = True) -> list[ClockSpec]:
    """The clocks that live on this host, without OnCalendar lines where none are wanted.

    All of the project's are read: a release with a fault in one of them is for no host.

    Raises:
        FaultsError: every fault of every clock file.
        ConfigurationError: `enabled_clocks` names a clock that there isn't.
    """
    configuration = make_importable()
    project = ReadingContext(
        domains=configuration.require("domains"),
        timezone=configuration.get("timezone"),
        now=datetime.now(UTC),
        make_app=context.application_factory(configuration.get("app")),
        lines=lines,
    )
    return _living_here(read_clocks(clock_files(configuration.require("clocks")), project), configuration)


def _living_here(clocks: list[ClockSpec], configuration: settings.Settings) -> list[ClockSpec]:
    here = configuration.values.get("enabled_clocks")
    if here is None:
        return clocks
    if not isinstance(here, list) or not all(isinstance(name, str) for name in here):
        raise ConfigurationError(f"{configuration.path}: enabled_clocks = {here!r}: write a list of clocks' names")
    known = [clock.name for clock in clocks]
    for name in here:
        if name not in known:
            near = get_close_matches(name, known, n=1) or [f"one of {', '.join(known) or 'none, there are no clocks'}"]
            raise ConfigurationError(
                f"{configuration.path}: enabled_clocks: there is no clock {name!r}; write {near[0]}"
            )
    return [clock for clock in clocks if clock.name in here]


def configured_features() -> type[Enum]:
    """The project's enum of feature flags."""
    path = make_importable().require("features")
    features = context.load_object(path, "features")
    if not (isinstance(features, type) and issubclass(features, Enum)):
        raise ConfigurationError(
            f"features = {path!r} is not an enum: write class FeatureToggle(Enum) with Feature(…)s"
        )
    return features


root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default="/",
    metavar="DIR",
    help="The root of an image, in place of this machine's; no systemd is asked there.",
)
user_option = click.option(
    "--user", is_flag=True, help="Your own systemd (systemctl --user) in place of the system's; needs no root."
)


def chosen_places(root: Path, *, user: bool) -> Places:
    """Where the units are to live.

    Raises:
        UsageError: both an image and the user's own systemd are meant, or the user has none now.
    """
    if not user:
        return Places(root)
    if root != Path("/"):
        raise UsageError("--root is for an image, --user for your own systemd: leave one out")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime:
        raise UsageError(
            "XDG_RUNTIME_DIR is not set, so that there is no systemd of yours to ask: log in as yourself (not by su or "
            "sudo), which libpam-systemd starts it for"
        )
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Places(home=Home(config=Path(config), data=Path(data), runtime=Path(runtime)))


def configured_host(places: Places | None = None) -> Host:
    """What the units need to know of this machine, or of the user whose systemd they are for."""
    home = places.home if places else None
    configuration = settings.load()
    own = configuration.path.parent.resolve() / "bin" / "run-task"
    installed = Path(sys.prefix) / "bin" / "run-task"
    run_task = configuration.get("run_task")
    command = run_task or str(own if own.exists() else installed)
    return Host(
        run_task=command,
        # A deployed release is called through `current`: its files are named so too, the same in every release.
        installed_at=sys.prefix if run_task else "",
        stable_path=str(Path(run_task).parents[1]) if run_task else "",
        configuration=Path(configuration.get("configuration") or configuration.path.resolve()),
        user=configuration.get("user"),
        credentials=_names(configuration, "credentials"),
        encrypted_credentials=_names(configuration, "encrypted_credentials"),
        credentials_folder=configuration.get("credentials_folder"),
        allow_network=_network(configuration),
        systemd_version=_systemd_version(configuration),
        is_user=home is not None,
        runtime=str(home.runtime) if home else "/run",
        # Nobody watches a developer's own timers.
        clocks_command="" if home else _clocks_command(configuration, command),
        release=configuration.get("release"),
        log_namespace=configuration.get("log_namespace"),
    )


def _clocks_command(configuration: settings.Settings, run_task: str) -> str:
    """`clocks`, which stands beside run-task; empty where a service of this host would know no database."""
    names = {*_names(configuration, "credentials"), *_names(configuration, "encrypted_credentials")}
    names |= set(configuration.values.get("settings", {}))
    return str(Path(run_task).with_name("clocks")) if "database_url" in names else ""


def _names(configuration: settings.Settings, key: str) -> tuple[str, ...]:
    return tuple(map(str, configuration.values.get(key, [])))


def _network(configuration: settings.Settings) -> tuple[str, ...]:
    options, faults = read_options({"allow_network": configuration.values.get("allow_network", [])})
    if faults:
        raise ConfigurationError(f"{configuration.path}: {faults[0]}")
    addresses = options.by_name["allow_network"]
    if addresses == ("any",):
        instead = "name addresses; a clock or a job that speaks to everybody says allow_network='any'"
        raise ConfigurationError(f"{configuration.path}: allow_network = 'any' is not for all jobs: {instead}")
    return tuple(addresses)


def _systemd_version(configuration: settings.Settings) -> int:
    """This machine's, or the one that the configuration says, for an image or a set rendered elsewhere."""
    said = configuration.get("systemd")
    if not said:
        from scheduled_tasks.deploy import systemd

        said = systemd.version() or str(OLDEST_SYSTEMD)  # which every later one can read
    if not said.isascii() or not said.isdigit() or int(said) < OLDEST_SYSTEMD:
        raise ConfigurationError(f"systemd {said} is not supported: {OLDEST_SYSTEMD} is the oldest")
    return int(said)


@contextmanager
def connection() -> Iterator[Connection]:
    """A connection to the project's database; a project that isn't deployed is set up on first use.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached.
        ConfigurationError: it lacks our tables, or refuses what is asked to this role.
    """
    import psycopg  # most commands need no database

    from scheduled_tasks.run import database

    make_importable()
    try:
        with database.open_connection("clocks") as opened:
            yield opened
    except psycopg.errors.UndefinedTable:
        raise database.SchemaMissingError from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(f"PostgreSQL refuses: {error}") from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailableError(f"PostgreSQL went away: {error}") from error


@contextmanager
def rehearsed(database: Connection, *, check: bool) -> Iterator[None]:
    """Where it is only to be found out what would be done: done in a transaction that is rolled back."""
    if not check:
        yield
        return
    with database.transaction(force_rollback=True):
        yield


def actor() -> str:
    """Who is at the keyboard, also behind sudo; for the audit."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Prints a table: as wide as it needs to be in a pipe, fitted to the terminal otherwise."""
    from rich.console import Console  # programs ask for JSON and needn't wait for it

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(rows_table(columns, rows))
        return
    columns, cells = list(columns), [list(row) for row in rows]  # never folded: programs and people with grep read it
    widths = [max(map(cell_width, column)) for column in zip(columns, *cells, strict=True)]
    for row in [columns, *cells]:
        padded = (cell + " " * (width - cell_width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def rows_table(columns: Iterable[str], rows: Iterable[Iterable[str]], styles: Mapping[str, str] | None = None) -> Any:
    """A table for a terminal, rows coloured by the words of their second cell."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        cells = [Text(cell) for cell in row]
        if styles and len(cells) > 1:
            cells[1].stylize(styles.get(cells[1].plain, ""))
        shown.add_row(*cells)
    return shown
