"""clocks export: convert jobs to Kubernetes, Helm and cron, with a report of what the other side can't keep."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import require_empty
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.moving.prometheus import export_prometheus
from scheduled_tasks.cli.options import json_option, start_option
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.errors import UsageError
from scheduled_tasks.project import configured_host, enabled_clocks
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scheduled_tasks.conversion_report import Report
    from scheduled_tasks.exporters.kubernetes import Cluster


# Of the directory and the cluster, for Kubernetes and Helm.
CLUSTER_OPTIONS = (
    click.argument("directory", type=click.Path(path_type=Path, file_okay=False)),
    click.option("--image", required=True, help="The container image with run-task and your tasks."),
    click.option(
        "--cluster", "name", metavar="NAME", default="kubernetes", show_default=True,
        help="The cluster's name in the ledger, whose host is NAME/NAMESPACE.",
    ),
    click.option("--namespace", metavar="NAME", default="", help="The namespace; default: kubectl's, or Helm's."),
    click.option(
        "--config-map", metavar="NAME", default="scheduled-tasks", show_default=True,
        help="The ConfigMap with config.toml.",
    ),
    click.option(
        "--secret", metavar="NAME", default="scheduled-tasks", show_default=True,
        help="The Secret with the jobs' credentials.",
    ),
    click.option(
        "--watch-secret", metavar="NAME", default="scheduled-tasks-watch", show_default=True,
        help="The Secret with the watch's credentials.",
    ),
    click.option(
        "--pull-policy", type=click.Choice(["Always", "IfNotPresent", "Never"]), default=None,
        help="Of the image; default: Kubernetes', by its tag.",
    ),
    click.option(
        "--pull-secret", "pull_secrets", metavar="NAME", multiple=True,
        help="A Secret with which the image is pulled.",
    ),
    click.option("--service-account", metavar="NAME", default="", help="Of all pods; default: the namespace's."),
    click.option(
        "--node-selector", metavar="KEY=VALUE", multiple=True, help="A label that nodes must have.",
    ),
    click.option(
        "--keep-finished", metavar="SECONDS", type=click.IntRange(min=0), default=3 * 86_400, show_default=True,
        help="How long finished Jobs and their pods are kept.",
    ),
    click.option("--request-cpu", metavar="CPU", default="10m", show_default=True, help="Reserved for each pod."),
    click.option("--request-memory", metavar="SIZE", default="64Mi", show_default=True, help="Reserved for each pod."),
    start_option,
    utc_option,
    json_option,
)  # fmt: skip


def _cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(CLUSTER_OPTIONS):
        command = option(command)
    return command


@click.group("export", cls=Group)
def export() -> None:
    """Export the jobs to Kubernetes, Helm, cron or Prometheus."""


export.add_command(export_prometheus)


@export.command("kubernetes")
@_cluster_options
def export_kubernetes(directory: Path, *, start: datetime, as_json: bool, **names: Any) -> None:
    """Write CronJobs, their watch, a kustomization and a report.

    DIRECTORY must be empty or new. Keep it in git: a second export of the same clocks is the same. The watch accounts
    for the jobs' slots in the ledger, as on a host.
    """
    from scheduled_tasks.exporters import kubernetes
    from scheduled_tasks.exporters.kubernetes import yaml_text
    from scheduled_tasks.exporters.kubernetes.skeletons import configuration_text

    exported = kubernetes.export(
        enabled_clocks(lines=False), _cluster(names), base=_base(), now=start,
        configuration=configuration_text(settings.load().path),
    )  # fmt: skip
    files = {name: yaml_text.dump(objects) for name, objects in exported.objects.items()}
    _write(directory, files, exported.report, as_json=as_json)


@export.command("helm")
@_cluster_options
@click.option("--chart-version", metavar="VERSION", default="0.1.0", show_default=True, help="The chart's own version.")
def export_helm(directory: Path, *, start: datetime, as_json: bool, chart_version: str, **names: Any) -> None:
    """Write the same as a Helm chart, and a report.

    DIRECTORY must be empty or new. Its values.yaml has what concerns all pods and, for each job, suspend and resources;
    the options are the defaults.
    """
    from scheduled_tasks.exporters.kubernetes.chart import chart
    from scheduled_tasks.exporters.kubernetes.skeletons import configuration_text

    written = chart(
        enabled_clocks(lines=False), _cluster(names), base=_base(), now=start,
        configuration=configuration_text(settings.load().path), version=chart_version,
    )  # fmt: skip
    _write(directory, written.files, written.report, as_json=as_json)


def _cluster(names: dict[str, Any]) -> Cluster:
    """The cluster that the options and the configuration describe."""
    from scheduled_tasks.exporters.kubernetes import Cluster
    from scheduled_tasks.options.alert_faults import NOTIFY

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", names["name"]):
        raise UsageError(f"--cluster {names['name']}: expected letters, digits, dots and hyphens")
    labels = [label.partition("=") for label in names["node_selector"]]
    if wrong := [key for key, equals, _ in labels if not (key and equals)]:
        raise UsageError(f"--node-selector {wrong[0]}: expected KEY=VALUE")
    host = configured_host()
    keys = [*host.credentials, *host.encrypted_credentials]
    operators = [*host.operators_credentials, *host.encrypted_operators_credentials]
    of_watch = [name for name in keys if name.startswith(f"{NOTIFY}.")]
    return Cluster(
        **{
            **names,
            "pull_policy": names["pull_policy"] or "",
            "node_selector": {key: value for key, _, value in labels},
        },
        credentials=tuple(dict.fromkeys([*(name for name in keys if name not in of_watch), "database_url"])),
        watch_credentials=(*(operators or ["database_url"]), *of_watch),
    )


def _write(directory: Path, files: dict[str, str], report: Report, *, as_json: bool) -> None:
    require_empty(directory)
    for name, text in {**files, "REPORT.md": report.to_markdown(), "report.json": report.to_json()}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    click.echo(report.to_json() if as_json else f"{report.summary()}\n", nl=False)


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
        user=host.user, timezone=timezone or configuration.get("timezone") or "UTC", base=_base(),
        now=start,
    )  # fmt: skip
    click.echo(summary.to_json() if as_json else text, nl=False)
    if report is not None:
        report.write_text(summary.to_markdown())
    click.echo(summary.summary(), err=True)


def _base() -> Path:
    return settings.load().path.parent.resolve()


COMMANDS = (export,)
