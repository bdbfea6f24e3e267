"""clocks import: APScheduler clock files and crontabs in, clock files of this project's form and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.options import instant
from scheduled_tasks.errors import ConfigurationError, UsageError
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.conversion_report import Report

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
OUTPUT = click.option(
    "--output", metavar="DIR", default="imported", type=click.Path(path_type=Path, file_okay=False),
    help="Write into this new directory; else into imported.",
)  # fmt: skip
TIMEZONE = click.option("--timezone", metavar="ZONE", default="", help="The zone of the hosts they ran on.")
START = click.option("--from", "start", callback=instant, metavar="T", default="now", help="As seen at this instant.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group("import")
def imports() -> None:
    """Take over what runs today: APScheduler clock files, crontabs."""


@imports.command("apscheduler")
@FILES
@OUTPUT
@TIMEZONE
@click.option("--domains", metavar="PACKAGE", default="", help="The package of the tasks; else the configured one.")
@click.option("--execute", is_flag=True, help="Run the files, under a scheduler that records; else they are only read.")
@START
@JSON
def apscheduler(files: tuple[Path, ...], output: Path, *, as_json: bool, start: datetime, **options: Any) -> None:
    """Import clock files, and Procfiles that name them, as people write them for APScheduler 3."""
    from scheduled_tasks.importers.apscheduler.convert import Request, import_files

    request = Request(
        domains=options["domains"] or _configured("domains") or "tasks",
        timezone=options["timezone"] or _configured("timezone"),
        base=Path.cwd(),
        now=start,
        execute=options["execute"],
    )
    imported = import_files([file.resolve() for file in files], request)
    _write(imported.files, imported.report, output, as_json=as_json)


@imports.command("crontab")
@FILES
@OUTPUT
@TIMEZONE
@click.option(
    "--format", "form", type=click.Choice(["user", "system", "anacron"]), default=None,
    help="system: each line names a user, as in /etc/crontab; else the file's place says it.",
)  # fmt: skip
@START
@JSON
def crontab(  # noqa: PLR0913 - a command has its options
    files: tuple[Path, ...], output: Path, timezone: str, form: str | None, *, as_json: bool, start: datetime
) -> None:
    """Import crontabs: of users (crontab -l), /etc/crontab, files of /etc/cron.d, anacrontab."""
    from scheduled_tasks.importers.crontab.convert import Request, import_files

    zone = timezone or _configured("timezone")
    if not zone:
        raise UsageError("cron takes the host's zone: say which that is with --timezone, for example Europe/Paris")
    request = Request(zone, Path.cwd(), start, form or "")
    imported = import_files([file.resolve() for file in files], request)
    _write(imported.files, imported.report, output, as_json=as_json)


def _configured(key: str) -> str:
    """A key of the project's configuration, where there is one: an import needs none."""
    try:
        return settings.load().get(key)
    except ConfigurationError:
        return ""


def _write(files: dict[str, str], report: Report, output: Path, *, as_json: bool) -> None:
    if output.is_dir() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty: name a new directory with --output, nothing is overwritten")
    for name, text in {**files, "REPORT.md": report.to_markdown(), "report.json": report.to_json()}.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    click.echo(f"{report.summary()}")
    click.echo(f"written to {output}: {', '.join(['REPORT.md', 'report.json', *files])}")


COMMANDS = (imports,)
