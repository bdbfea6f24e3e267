"""clocks migrate, demo, setup: the project's tables, sample data, and what a first use needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.project import configured_features, load_configuration, open_database
from scheduled_tasks.run import context, settings

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


def _migrate(database: Connection, *, check: bool = False) -> list[str]:
    from scheduled_tasks.operate import migrations
    from scheduled_tasks.operate.grants import grant

    configuration = load_configuration()
    extra = configuration.get("migrations")
    packages = [migrations.OWN, *([extra] if extra else [])]
    if check:
        return migrations.pending(database, packages)
    applied = migrations.migrate(database, packages)
    roles = {role: configuration.get(role) for role in ("tasks_role", "operators_role")}
    if any(roles.values()):
        grant(database, **roles)
    return applied


def _fill(database: Connection) -> Any:
    path = load_configuration().get("demo")
    if not path:
        raise ConfigurationError("the project has no sample data: write demo = 'module:function' in its configuration")
    return context.load_object(path, "demo")(database)


@click.command("migrate")
@check_option
@json_option
def migrate(*, check: bool, as_json: bool) -> None:
    """Bring the database's tables up to this release, and grant what the configured roles may."""
    with open_database() as database:
        applied = _migrate(database, check=check)
    if as_json:
        show_json({"changed": bool(applied), "applied": applied})
    else:
        done = "to apply:" if check else "applied"
        click.echo("\n".join(f"{done} {name}" for name in applied) or "nothing to do: the tables are up to date")


@click.command("prune-runs")
@click.option("--keep", type=float, metavar="DAYS", help="Days that runs are kept; else the configuration's keep_runs.")
@json_option
def prune(*, keep: float | None, as_json: bool) -> None:
    """Delete runs older than the configuration keeps them (keep_runs, in days; 400 where unset)."""
    from scheduled_tasks.operate import prune as pruning

    days = keep if keep is not None else float(load_configuration().get("keep_runs") or pruning.KEEP_DAYS)
    with open_database() as database:
        done = pruning.prune(database, days)
    if as_json:
        show_json({"changed": bool(done), "runs": done})
    else:
        click.echo(f"{done} runs older than {days:g} days deleted")


@click.command("demo")
@check_option
@json_option
def demo(*, check: bool, as_json: bool) -> None:
    """Fill the project's tables with sample data, where they are empty."""
    from scheduled_tasks.run.database import SchemaMissingError  # psycopg comes with it

    try:
        with open_database(roll_back=check) as database:
            done = _fill(database)
    except SchemaMissingError:
        if not check:
            raise
        done = "the tables, which are not there yet, would be filled"
    if as_json:
        show_json({"changed": bool(done), "done": done or ""})
    else:
        click.echo(done or "nothing to do: the tables are not empty")


@click.command("setup")
@click.option("--stop", is_flag=True, help="Stop the embedded PostgreSQL; the next run starts it again.")
def setup(*, stop: bool) -> None:
    """Set up what a first run needs: the embedded PostgreSQL, tables, flags, sample data.

    The first run in a checkout does it of itself.
    """
    from scheduled_tasks.operate import embedded  # what a deployed host has not
    from scheduled_tasks.run import database as run_database

    configuration = load_configuration()
    if stop:
        embedded.stop(configuration.state_directory)
        return
    own = not settings.setting("database_url", "")
    with embedded.only_one(configuration.state_directory):
        if own:
            click.echo("starting the embedded PostgreSQL (set DATABASE_URL to use your own)")
            url = embedded.start(configuration.state_directory)
        else:
            url = settings.setting("database_url")
        with run_database.connect(url, name="clocks setup") as database:
            applied = _migrate(database)
            for name in applied:
                click.echo(f"applied {name}")
            if configuration.get("features"):
                done = feature_flags.synchronize(database, configured_features(), actor=actor())
                for name in done.added:
                    click.echo(f"flag {name} added")
            # Sample data comes with a database that is ours, once; into another's only when `clocks demo` asks.
            filled = configuration.state_directory / "demo-filled"
            if own and configuration.get("demo") and not filled.exists():
                click.echo(_fill(database))
                filled.touch()


COMMANDS = (migrate, prune, demo, setup)
