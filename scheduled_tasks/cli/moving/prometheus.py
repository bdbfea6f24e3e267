"""clocks export prometheus: alerting rules for Prometheus and their tests, and a dashboard for Grafana."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.options import json_option, start_option
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.errors import UsageError
from scheduled_tasks.project import enabled_clocks

if TYPE_CHECKING:
    from datetime import datetime

LABEL = re.compile(r"[a-zA-Z_]\w*", re.ASCII)


@click.command("prometheus")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--fleet-label", "fleet", metavar="LABEL", multiple=True,
    help="A label that tells fleets apart, such as env, if one Prometheus has several.",
)  # fmt: skip
@start_option
@utc_option
@json_option
def export_prometheus(directory: Path, *, fleet: tuple[str, ...], start: datetime, as_json: bool) -> None:
    """Write alerting rules, their tests and a dashboard into DIRECTORY.

    promtool test rules DIRECTORY/scheduled_tasks.tests.yml proves with the schedules of your clocks, through the next
    nights of change, that no rule alerts falsely and none late.
    """
    from scheduled_tasks.metrics import grafana
    from scheduled_tasks.metrics.prometheus import export

    for label in fleet:
        if not LABEL.fullmatch(label):
            raise UsageError(f"--fleet-label {label}: write the name of a label, such as env")
    files = export.files(enabled_clocks(lines=False), start=start, fleet=fleet) | {grafana.FILE: grafana.dashboard()}
    _refuse_others(directory, files)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    written = f"written to {directory}: {', '.join(files)}"
    click.echo(json.dumps({"written": [str(directory / name) for name in files]}) if as_json else written)


def _refuse_others(directory: Path, names: dict[str, str]) -> None:
    """Raise UsageError if one of the files exists and is not of this command."""
    from scheduled_tasks.metrics import grafana
    from scheduled_tasks.metrics.prometheus.alerting_rules import HEADER

    for path in (directory / name for name in names):
        if path.exists() and not any(mark in path.read_text() for mark in (HEADER, grafana.MARK)):
            raise UsageError(f"{path} was not written by this command: name another directory")
