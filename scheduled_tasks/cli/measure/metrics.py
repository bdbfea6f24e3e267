"""clocks metrics: the ledger as metrics for Prometheus, once or for each scrape."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

import click

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.project import database_now, load_configuration, open_database, typed_errors

if TYPE_CHECKING:
    from scheduled_tasks.metrics.listener import Answer
    from scheduled_tasks.metrics.samples import Which
    from scheduled_tasks.run.database import Connection

# Prometheus waits ten seconds for an answer, unless it is told otherwise.
_PATIENCE = "SELECT set_config('statement_timeout', '8s', false)"


@click.command("metrics")
@click.option("--listen", metavar="ADDRESS:PORT", help="Answer scrapes of /metrics there, on this machine only.")
def metrics(*, listen: str | None) -> None:
    """Print the state of all jobs as metrics for Prometheus.

    Needs no more than a PostgreSQL role that may read (monitors_role). While the ledger can't be read, the metrics are
    scheduled_tasks_ledger_up 0 and nothing of it, never older values: it then exits 75, or answers scrapes with 503.

    --listen needs the extra `metrics` (prometheus-client), and asks the database one small question for a scrape if
    nothing has changed since the last one.
    """
    from scheduled_tasks.metrics import exporter, samples

    which = samples.which_jobs(load_configuration().values.get("metrics_jobs"))
    if listen is not None:
        _listen(listen, which)
    try:
        with open_database() as database:
            text = exporter.text_once(database, database_now(database), which)
    except ServiceUnavailableError:
        click.echo(exporter.text_without_ledger(datetime.now(UTC)), nl=False)
        raise
    click.echo(text, nl=False)


def _listen(where: str, which: Which) -> None:
    try:
        from scheduled_tasks.metrics.listener import make_server, read_address
    except ModuleNotFoundError as error:
        raise ConfigurationError("--listen needs the extra metrics: pip install 'scheduled-tasks[metrics]'") from error
    server = make_server(read_address(where), Ledger(which).scrape)
    host, port = server.server_address[:2]
    click.echo(f"clocks: answering scrapes at http://{host!s}:{port}/metrics", err=True)
    server.serve_forever()


class Ledger:
    """The ledger of a process that answers scrapes: one connection, opened again after it was lost."""

    def __init__(self, which: Which) -> None:
        from scheduled_tasks.metrics.exporter import Exporter

        self._exporter = Exporter(which)
        self._opened = ExitStack()
        self._connection: Connection | None = None
        self._problem = ""
        self._lock = Lock()

    def scrape(self) -> Answer:
        """All metrics, or that the ledger can't be read; the reason goes to standard error, once."""
        with self._lock:
            return self._scrape()

    def _scrape(self) -> Answer:
        from scheduled_tasks.metrics.exporter import text_without_ledger
        from scheduled_tasks.metrics.listener import Answer

        try:
            with typed_errors():
                text = self._exporter.text(self._open())
        except ScheduledTasksError as error:
            self._close()
            if str(error) != self._problem:
                click.echo(f"clocks: can't read the ledger: {error}", err=True)
            self._problem = str(error)
            return Answer(text_without_ledger(datetime.now(UTC)), is_complete=False)
        if self._problem:
            click.echo("clocks: the ledger can be read again", err=True)
        self._problem = ""
        return Answer(text)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._opened.enter_context(open_database())
            self._connection.execute(_PATIENCE)
        return self._connection

    def _close(self) -> None:
        self._connection = None
        self._exporter.forget()
        self._opened.close()


COMMANDS = (metrics,)
