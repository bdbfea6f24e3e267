"""clocks metrics: the ledger as metrics for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.project import database_now, load_configuration, open_database


@click.command("metrics")
def metrics() -> None:
    """Print the state of all jobs as metrics for Prometheus.

    Needs a PostgreSQL role that may read (monitors_role). If the ledger can't be read, it prints that it can't, and
    exits 75.
    """
    from scheduled_tasks.metrics import exporter, samples

    which = samples.which_jobs(load_configuration().values.get("metrics_jobs"))
    try:
        with open_database() as database:
            text = exporter.text_once(database, database_now(database), which)
    except ServiceUnavailableError:
        click.echo(exporter.text_without_ledger(datetime.now(UTC)), nl=False)
        raise
    click.echo(text, nl=False)


COMMANDS = (metrics,)
