"""clocks migrate, prune-runs, demo, setup: tables, old runs, sample data, and the first use of a checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.features import add_missing
from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import exit_if_pending, show_json
from scheduled_tasks.cli.screens.progress import progress_bar, shows_bars
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.project import configured_features, load_configuration, open_database, typed_errors
from scheduled_tasks.quantities import counted
from scheduled_tasks.run import context, settings

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.run.database import Connection


def _migrate(database: Connection, *, check: bool = False) -> list[str]:
    from scheduled_tasks.operate import migrations
    from scheduled_tasks.operate.grants import Roles, grant

    configuration = load_configuration()
    packages = [name for name in (migrations.OWN, configuration.get("migrations")) if name]
    if check:
        return migrations.pending(database, packages)
    applied = migrations.migrate(database, packages)
    named = {key: configuration.get(key) for key in ("tasks_role", "operators_role", "monitors_role")}
    roles = Roles.configured({**configuration.values, **named})
    if any(roles):
        grant(database, roles)
    return applied


def _fill(database: Connection) -> Any:
    path = load_configuration().get("demo")
    if not path:
        raise ConfigurationError("the project has no sample data: write demo = 'module:function' in its configuration")
    return context.load_object(path, "demo")(database)


@click.command("migrate")
@click.option("--features", is_flag=True, help="Then add missing flags, as 'clocks features sync' does.")
@check_option
@json_option
def migrate(*, features: bool, check: bool, as_json: bool) -> None:
    """Bring the database's tables up to this release.

    Grants the configured roles their rights.
    """
    with open_database() as database:
        applied = _migrate(database, check=check)
        with database.transaction(force_rollback=check):
            flags = add_missing(database, check=check) if features else feature_flags.Synchronized((), (), ())
    changed = bool(applied or flags.added or flags.described)
    if as_json:
        show_json({"changed": changed, "applied": applied, "flags": flags._asdict()})
    else:
        done, added = ("would apply", "would add") if check else ("applied", "added")
        lines = [*(f"{done} {name}" for name in applied), *(f"{added} the flag {name}" for name in flags.added)]
        lines += [f"the flag {name} has a new description" for name in flags.described]
        click.echo("\n".join(lines) or "already up to date")
    exit_if_pending(changes=changed, check=check)


@click.command("prune-runs")
@click.option("--keep", type=float, metavar="DAYS", help="Default: keep_runs of the configuration, or 400.")
@json_option
def prune_runs(*, keep: float | None, as_json: bool) -> None:
    """Delete runs older than a number of days.

    And log lines older than keep_logs.
    """
    from scheduled_tasks.operate.prune import KEEP_DAYS, KEEP_LOG_DAYS, MAX_DAYS, count_old, keep_days, prune

    if keep is not None and not 0 < keep <= MAX_DAYS:
        raise click.BadParameter(f"{keep} is no number of days; write one such as {KEEP_DAYS}", param_hint="--keep")
    configured = load_configuration().get
    days = keep if keep is not None else keep_days(configured("keep_runs"))
    logs = keep_days(configured("keep_logs"), "keep_logs", KEEP_LOG_DAYS)
    with open_database() as database:
        old = count_old(database, days, keep_logs=logs) if shows_bars() else 0
        with progress_bar("old rows", old) as bar:
            deleted = prune(database, days, keep_logs=logs, after_batch=bar.advance)
    if as_json:
        show_json({"changed": bool(deleted), "runs": deleted})
    else:
        click.echo(f"{counted(deleted, 'run')} older than {days:g} days deleted")


@click.command("demo")
@check_option
@json_option
def demo(*, check: bool, as_json: bool) -> None:
    """Fill the project's empty tables with sample data."""
    from scheduled_tasks.run.database import SchemaMissingError  # imports psycopg

    try:
        with open_database(roll_back=check) as database:
            done = _fill(database)
    except SchemaMissingError:
        if not check:
            raise
        done = "the tables, which don't exist yet, would be filled"
    if as_json:
        show_json({"changed": bool(done), "done": done or ""})
    else:
        click.echo(done or "nothing to do: the tables are not empty")
    exit_if_pending(changes=bool(done), check=check)


@click.command("setup")
@click.option("--stop", is_flag=True, help="Stop the embedded PostgreSQL; the next run starts it again.")
def setup(*, stop: bool) -> None:
    """Set up a checkout for its first run.

    Starts the embedded PostgreSQL; creates tables, flags and sample data. The first run in a checkout does so
    automatically.

    If DATABASE_URL is set: creates tables and flags there.
    """
    from scheduled_tasks.operate import embedded  # a deployed host doesn't have it

    configuration = load_configuration()
    if stop:
        embedded.stop(configuration.state_directory)
    elif url := settings.setting("database_url", ""):
        _set_up(url)
    elif configuration.sets_up:
        with embedded.only_one(configuration.state_directory):
            click.echo("starting the embedded PostgreSQL (set DATABASE_URL to use your own)")
            _set_up(embedded.start(configuration.state_directory), configuration.state_directory / "demo-filled")
    else:
        raise ConfigurationError("this project is deployed on this machine: set DATABASE_URL to its jobs' database")


def _set_up(url: str, filled: Path | None = None) -> None:
    """Create tables and flags, and, if `filled` is a file that doesn't exist yet, the sample data."""
    from scheduled_tasks.run import database

    configuration = load_configuration()
    with typed_errors(), database.connect(url, name="clocks setup") as connection:
        for name in _migrate(connection):
            click.echo(f"applied {name}")
        if configuration.get("features"):
            for name in feature_flags.synchronize(connection, configured_features(), actor=actor()).added:
                click.echo(f"flag {name} added")
        # Only the embedded database gets sample data, and only once; for another one, run `clocks demo`.
        if filled and configuration.get("demo") and not filled.exists():
            click.echo(_fill(connection))
            filled.touch()


COMMANDS = (migrate, prune_runs, demo, setup)
