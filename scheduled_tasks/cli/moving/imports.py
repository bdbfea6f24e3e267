"""clocks import: convert APScheduler files and crontabs to clock files, with a report of every difference."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import require_empty
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.options import json_option, start_option
from scheduled_tasks.cli.screens.progress import with_progress
from scheduled_tasks.errors import UsageError
from scheduled_tasks.project import value_if_configured

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.cli.moving.into import Target
    from scheduled_tasks.importers.request import ImportResult

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
OUTPUT = click.option(
    "--output", metavar="DIR", default="imported", type=click.Path(path_type=Path, file_okay=False),
    show_default=True, help="A new directory for the files and the report.",
)  # fmt: skip
INTO = click.option(
    "--into", metavar="PROJECT", default=None, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Put clocks and tasks into this project, with a configuration if it has none.",
)  # fmt: skip
PACKAGE = click.option("--package", default="", help="With --into: the package of a project without a configuration.")
NOTHING_ADDED = 3  # the exit code of an import that isn't what was meant
TIMEZONE = click.option("--timezone", metavar="ZONE", default="", help="The zone of the hosts on which they ran.")


@click.group("import", cls=Group)
def imports() -> None:
    """Import APScheduler files or crontabs."""


@imports.command("apscheduler")
@FILES
@OUTPUT
@INTO
@PACKAGE
@TIMEZONE
@click.option("--domains", metavar="PACKAGE", default="", help="The package of the tasks; default: the configured one.")
@click.option("--execute", is_flag=True, help="Run the files, with a scheduler that only records jobs.")
@click.option("--call", metavar="FUNCTION", multiple=True, help="With --execute: a function of the file to call.")
@click.option("--assume-defaults", is_flag=True, help="Take the defaults of environment variables, as a difference.")
@start_option
@json_option
def apscheduler(files: tuple[Path, ...], output: Path, *, as_json: bool, start: datetime, **options: Any) -> None:
    """Import files that use APScheduler 3.

    FILES can be Procfiles that name them.
    """
    from scheduled_tasks.importers.apscheduler.convert import import_files
    from scheduled_tasks.importers.request import ImportRequest

    if options["call"] and not options["execute"]:
        raise UsageError("--call runs a function of the file: write --execute too")
    target = _target(options["into"], options["package"], options["timezone"])
    configured = target.values if target else {key: value_if_configured(key) for key in ("domains", "timezone")}
    request = ImportRequest(
        domains=options["domains"] or configured.get("domains") or "tasks",
        timezone=options["timezone"] or configured.get("timezone", ""),
        base=target.folder if target else Path.cwd(),
        now=start,
        execute=options["execute"],
        calls=options["call"],
        assume_defaults=options["assume_defaults"],
        is_zone_given=bool(options["timezone"]),
    )
    watched = partial(with_progress, what="files")
    imported = import_files([file.resolve() for file in files], request, watched)
    _write(imported, target, output, as_json=as_json)


@imports.command("crontab")
@FILES
@OUTPUT
@INTO
@PACKAGE
@TIMEZONE
@click.option(
    "--format", "form", type=click.Choice(["user", "system", "anacron"]), default=None,
    help="system: each line names a user, as in /etc/crontab; default: by the file's path.",
)  # fmt: skip
@start_option
@json_option
def crontab(files: tuple[Path, ...], output: Path, *, as_json: bool, start: datetime, **options: Any) -> None:
    """Import crontabs of users or the system, or an anacrontab.

    Of a user: crontab -l; of the system: /etc/crontab and /etc/cron.d.
    """
    from scheduled_tasks.importers.crontab.convert import import_files
    from scheduled_tasks.importers.request import ImportRequest

    target = _target(options["into"], options["package"], options["timezone"])
    zone = options["timezone"] or (target.values.get("timezone", "") if target else value_if_configured("timezone"))
    if not zone:
        raise UsageError("cron uses the host's zone: name it with --timezone, for example Europe/Paris")
    form, is_given = options["form"] or "", bool(options["timezone"])
    request = ImportRequest(zone, Path.cwd(), start, form=form, is_zone_given=is_given)
    imported = import_files(with_progress([file.resolve() for file in files], "files"), request)
    _write(imported, target, output, as_json=as_json)


def _target(into: Path | None, package: str, timezone: str) -> Target | None:
    from scheduled_tasks.cli.moving.into import Target

    if into is None:
        if package:
            raise UsageError("--package names the package of a new configuration: write --into too")
        return None
    return Target(into, package, timezone)


def _write(imported: ImportResult, target: Target | None, output: Path, *, as_json: bool) -> None:
    """Write the files and the report, and say what was done and what is left to do."""
    require_empty(output)
    report = imported.report
    if target:
        target.places(imported.files)  # so that nothing is written if one is taken
    written = {"REPORT.md": report.to_markdown(), "report.json": report.to_json()}
    for name, text in {**({} if target else imported.files), **written}.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    moved = target.write(imported.files) if target else []
    if as_json:
        click.echo(report.to_json(), nl=False)
    else:
        click.echo(report.summary())
        click.echo(f"written to {output}: {', '.join([*written, *([] if target else imported.files)])}")
        if target:
            click.echo(f"written to {target.shown}: {', '.join(moved)}")
            click.echo("next, there: clocks list; sudo clocks apply (docs/tutorial.md says what a deployment needs)")
    if beside := target.beside(imported.files) if target else []:
        text = "the tasks use them, and a wheel of the project needs them too"
        click.echo(f"outside the project's package: {', '.join(beside)}: {text}", err=True)
    if imported.lacking:
        click.echo(f"not installed here, and the files import it: {', '.join(imported.lacking)}", err=True)
    for problem in imported.problems:
        click.echo(problem, err=True)
    if imported.problems:
        raise SystemExit(NOTHING_ADDED)


COMMANDS = (imports,)
