"""clocks export: convert jobs to Kubernetes and cron, with a report of what the other side can't keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import require_empty
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.moving.prometheus import export_prometheus
from scheduled_tasks.cli.options import json_option, start_option
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.project import configured_host, enabled_clocks
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from datetime import datetime


@click.group("export", cls=Group)
def export() -> None:
    """Export the jobs to Kubernetes, cron or Prometheus."""


export.add_command(export_prometheus)


@export.command("kubernetes")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--image", required=True, help="The container image with run-task and your tasks.")
@click.option("--namespace", default="", help="The namespace; default: kubectl's.")
@click.option("--config-map", default="scheduled-tasks", show_default=True, help="The ConfigMap with config.toml.")
@click.option("--secret", default="scheduled-tasks", show_default=True, help="The Secret with the credentials.")
@start_option
@utc_option
@json_option
def export_kubernetes(directory: Path, *, start: datetime, as_json: bool, **names: Any) -> None:
    """Write CronJobs and a report into DIRECTORY.

    DIRECTORY must be empty or new.
    """
    from scheduled_tasks.exporters import kubernetes

    host = configured_host()
    cluster = kubernetes.Cluster(**names, credentials=(*host.credentials, *host.encrypted_credentials))
    exported = kubernetes.export(enabled_clocks(lines=False), cluster, base=_base(), now=start)
    require_empty(directory)
    yaml = _yaml()
    directory.mkdir(parents=True, exist_ok=True)
    for name, objects in exported.objects.items():
        (directory / name).write_text(_dumped(yaml, objects))
    (directory / "REPORT.md").write_text(exported.report.to_markdown())
    (directory / "report.json").write_text(exported.report.to_json())
    click.echo(exported.report.to_json() if as_json else f"{exported.report.summary()}\n", nl=False)


@export.command("crontab")
@click.option(
    "--report", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to this file."
)
@click.option("--timezone", metavar="ZONE", default="", help="The hosts' zone; default: the configured one.")
@start_option
@utc_option
@json_option
def export_crontab(*, report: Path | None, timezone: str, start: datetime, as_json: bool) -> None:
    """Print a file for /etc/cron.d.

    What cron can't keep is summarized on standard error; --json prints the report in place of the file.
    """
    from scheduled_tasks.exporters import crontab

    configuration, host = settings.load(), configured_host()
    text, summary = crontab.export(
        enabled_clocks(lines=False), run_task=host.run_task, configuration=str(host.configuration),
        user=host.user or "nobody", timezone=timezone or configuration.get("timezone") or "UTC", base=_base(),
        now=start,
    )  # fmt: skip
    click.echo(summary.to_json() if as_json else text, nl=False)
    if report is not None:
        report.write_text(summary.to_markdown())
    click.echo(summary.summary(), err=True)


def _base() -> Path:
    return settings.load().path.parent.resolve()


def _dumped(yaml: Any, objects: list[dict[str, Any]]) -> str:
    class Plain(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML may have no types
        def ignore_aliases(self, data: object) -> bool:
            del data
            return True  # objects written out are easier to read

    return str(yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=120))


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError("YAML needs PyYAML: pip install pyyaml") from error
    return yaml


COMMANDS = (export,)
