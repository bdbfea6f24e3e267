"""clocks page: the page in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.project import load_configuration, page_database_url

if TYPE_CHECKING:
    from pathlib import Path

PORT = 8765


@click.command("page")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="The port, on this machine only."
)
@click.option("--demo", is_flag=True, help="Show sample data, from a database of its own; only in a checkout.")
def page(*, port: int, demo: bool) -> None:
    """Show what is wrong, what runs and what comes in a browser.

    Serves a page on a port of this machine until it is stopped. Reads the ledger only.
    """
    try:
        from scheduled_tasks.page.app import create_app
        from scheduled_tasks.page.serve import serve
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the page needs the package {error.name}: pip install 'scheduled-tasks[page]'"
        ) from error
    configuration = load_configuration()
    url = _demo_url(configuration.state_directory) if demo else page_database_url()
    app = create_app(url, zone=configuration.get("timezone") or "UTC")
    click.echo(f"http://127.0.0.1:{port}/  (Ctrl-C stops it)")
    serve(app, port)


def _demo_url(state_directory: Path) -> str:
    """The URL of the sample's database, filled anew: its times are relative to now."""
    from scheduled_tasks.operate import embedded
    from scheduled_tasks.page.demo import make

    if not load_configuration().sets_up:
        raise ConfigurationError("--demo needs the embedded PostgreSQL of a checkout; this project is deployed here")
    with embedded.only_one(state_directory):
        return make(embedded.start(state_directory))


COMMANDS = (page,)
