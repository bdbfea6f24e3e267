"""clocks export: the same jobs as Kubernetes CronJobs, or as a crontab."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from scheduled_tasks.cli.common import require_empty
from scheduled_tasks.cli.options import instant
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.project import configured_host, enabled_clocks
from scheduled_tasks.run import settings

START = click.option("--from", "start", callback=instant, metavar="T", default="now", help="As seen at this instant.")


@click.group("export")
def export() -> None:
    """Take the jobs elsewhere: to Kubernetes, to cron."""


@export.command("kubernetes")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--image", required=True, help="The container image that has run-task and your tasks.")
@click.option("--namespace", default="", help="The namespace; else kubectl's.")
@click.option("--config-map", default="scheduled-tasks", show_default=True, help="Holds config.toml.")
@click.option("--secret", default="scheduled-tasks", show_default=True, help="Holds a key for each credential.")
@START
def kubernetes(directory: Path, *, start: datetime, **names: Any) -> None:
    """Write CronJobs and a report into DIRECTORY, which must be empty or not there yet."""
    from scheduled_tasks.exporters.kubernetes import Cluster
    from scheduled_tasks.exporters.kubernetes import export as cron_jobs

    host = configured_host()
    cluster = Cluster(**names, credentials=(*host.credentials, *host.encrypted_credentials))
    exported = cron_jobs(enabled_clocks(lines=False), cluster, base=_base(), now=start)
    require_empty(directory)
    yaml = _yaml()
    directory.mkdir(parents=True, exist_ok=True)
    for name, objects in exported.objects.items():
        (directory / name).write_text(_dumped(yaml, objects))
    (directory / "REPORT.md").write_text(exported.report.to_markdown())
    (directory / "report.json").write_text(exported.report.to_json())
    click.echo(exported.report.summary())


@export.command("crontab")
@click.option(
    "--report", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the report there."
)
@click.option("--timezone", metavar="ZONE", default="", help="The hosts' zone; else the configured one.")
@START
def crontab(*, report: Path | None, timezone: str, start: datetime) -> None:
    """Print a file for /etc/cron.d; what cron can't keep is said on standard error."""
    from scheduled_tasks.exporters.crontab import export as lines

    configuration, host = settings.load(), configured_host()
    text, said = lines(
        enabled_clocks(lines=False), run_task=host.run_task, configuration=str(host.configuration),
        user=host.user or "nobody", timezone=timezone or configuration.get("timezone") or "UTC", base=_base(),
        now=start,
    )  # fmt: skip
    click.echo(text, nl=False)
    if report is not None:
        report.write_text(said.to_markdown())
    click.echo(said.summary(), err=True)


def _base() -> Path:
    return settings.load().path.parent.resolve()


def _dumped(yaml: Any, objects: list[dict[str, Any]]) -> str:
    class Plain(yaml.SafeDumper):  # type: ignore[misc]  # without types where PyYAML has none
        def ignore_aliases(self, data: object) -> bool:
            del data
            return True  # people read it: what stands twice is written twice

    return str(yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=120))


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError("YAML needs PyYAML: pip install 'scheduled-tasks[kubernetes]'") from error
    return yaml


COMMANDS = (export,)
