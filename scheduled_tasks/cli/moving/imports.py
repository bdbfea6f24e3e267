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

    from scheduled_tasks.conversion_report import Report

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
OUTPUT = click.option(
    "--output", metavar="DIR", default="imported", type=click.Path(path_type=Path, file_okay=False),
    show_default=True, help="A new directory for the files and the report.",
)  # fmt: skip
TIMEZONE = click.option("--timezone", metavar="ZONE", default="", help="The zone of the hosts on which they ran.")


@click.group("import", cls=Group)
def imports() -> None:
    """Import APScheduler files or crontabs."""


@imports.command("apscheduler")
@FILES
@OUTPUT
@TIMEZONE
@click.option("--domains", metavar="PACKAGE", default="", help="The package of the tasks; default: the configured one.")
@click.option("--execute", is_flag=True, help="Run the files, with a scheduler that only records jobs.")
@start_option
@json_option
def apscheduler(files: tuple[Path, ...], output: Path, *, as_json: bool, start: datetime, **options: Any) -> None:
    """Import files that use APScheduler 3.

    FILES can be Procfiles that name them.
    """
    from scheduled_tasks.importers.apscheduler.convert import import_files
    from scheduled_tasks.importers.request import ImportRequest

    request = ImportRequest(
        domains=options["domains"] or value_if_configured("domains") or "tasks",
        timezone=options["timezone"] or value_if_configured("timezone"),
        base=Path.cwd(),
        now=start,
        execute=options["execute"],
    )
    watched = partial(with_progress, what="files")
    imported = import_files([file.resolve() for file in files], request, watched)
    _write(imported.files, imported.report, output, as_json=as_json)


@imports.command("crontab")
@FILES
@OUTPUT
@TIMEZONE
@click.option(
    "--format", "form", type=click.Choice(["user", "system", "anacron"]), default=None,
    help="system: each line names a user, as in /etc/crontab; default: by the file's path.",
)  # fmt: skip
@start_option
@json_option
def crontab(  # noqa: PLR0913 - a command has its options
    files: tuple[Path, ...], output: Path, timezone: str, form: str | None, *, as_json: bool, start: datetime
) -> None:
    """Import crontabs of users or the system, or an anacrontab.

    Of a user: crontab -l; of the system: /etc/crontab and /etc/cron.d.
    """
    from scheduled_tasks.importers.crontab.convert import import_files
    from scheduled_tasks.importers.request import ImportRequest

    zone = timezone or value_if_configured("timezone")
    if not zone:
        raise UsageError("cron uses the host's zone: name it with --timezone, for example Europe/Paris")
    request = ImportRequest(zone, Path.cwd(), start, form=form or "")
    imported = import_files(with_progress([file.resolve() for file in files], "files"), request)
    _write(imported.files, imported.report, output, as_json=as_json)


def _write(files: dict[str, str], report: Report, output: Path, *, as_json: bool) -> None:
    require_empty(output)
    for name, text in {**files, "REPORT.md": report.to_markdown(), "report.json": report.to_json()}.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    click.echo(report.summary())
    click.echo(f"written to {output}: {', '.join(['REPORT.md', 'report.json', *files])}")


COMMANDS = (imports,)
