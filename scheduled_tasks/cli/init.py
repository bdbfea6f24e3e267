"""clocks init: write the first configuration of a project."""

from __future__ import annotations

from pathlib import Path

import click

from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import UsageError
from scheduled_tasks.importers.new_project import detect_project, initial_files
from scheduled_tasks.schedule.zone import why_no_zone


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--package", default="", help="The project's package, made if it is missing; default: the one in DIRECTORY."
)
@click.option(
    "--timezone", metavar="ZONE", required=True, help="The zone of the jobs' times, for example Europe/Paris."
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@json_option
def init(directory: Path, *, package: str, timezone: str, dry_run: bool, as_json: bool) -> None:
    """Write a project's first configuration and an example.

    Existing files are kept, except that a table is added to pyproject.toml and lines to .gitignore; each written file
    is explained. Without a pyproject.toml, the new one has [project] too, so that a wheel can be built.
    """
    if why_no_zone(timezone):
        raise UsageError(f"{timezone!r} is not a zone of the tz database: write e.g. --timezone Europe/Paris")
    if package and not package.isidentifier():
        raise UsageError(f"--package {package!r} is not the name of a package: write letters, digits and _ only")
    detected = detect_project(directory, package)
    files = initial_files(directory, detected, timezone)
    written = files.files | files.appended
    for name, (text, _) in written.items():
        _write(directory / name, text, dry_run=dry_run, append=name in files.appended)
    if as_json:
        whys = {name: why for name, (_, why) in written.items()}
        show_json({"package": detected.package, "framework": detected.framework, "files": whys, "written": not dry_run})
        return
    kind = f"a {detected.framework} project" if detected.framework else "a project without a known framework"
    click.echo(f"{detected.package}: {kind}")
    for name, (text, why) in written.items():
        if name not in files.appended:
            click.echo(f"{'would write' if dry_run else 'wrote'} {name}: {why}")
            continue
        click.echo(f"{'would add to' if dry_run else 'added to'} {name}: {why}")
        click.echo("".join(f"    {line}".rstrip() + "\n" for line in text.strip().splitlines()), nl=False)
    click.echo("next: clocks list; run-task example.say_hello (in DATABASE_URL, otherwise in an embedded PostgreSQL)")


def _write(path: Path, text: str, *, dry_run: bool, append: bool) -> None:
    if dry_run:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if append and path.is_file() else ""
    path.write_text(f"{before}{text}" if before else text.lstrip("\n"))


COMMANDS = (init,)
