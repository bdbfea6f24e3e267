"""clocks page: the page in the foreground."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor, require_empty
from scheduled_tasks.cli.page.faults import PAGE_DATABASE_URL
from scheduled_tasks.errors import ConfigurationError, NotRootError
from scheduled_tasks.project import OPERATORS_DATABASE_URL, load_configuration, open_database
from scheduled_tasks.quantities import counted
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from scheduled_tasks.page.access import AccessSettings
    from scheduled_tasks.run.settings import Settings

PORT = 8765


@click.command("page")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="The port, on this machine only."
)
@click.option(
    "--socket", "socket_", metavar="PATH",
    help="Serve on a unix socket, whose peer says who acts; `systemd`: on the one that systemd passes.",
)  # fmt: skip
@click.option("--demo", is_flag=True, help="Show sample data, from a database of its own; only in a checkout.")
@click.option(
    "--once",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write all screens into DIR as files, without buttons, and exit.",
)
def page(*, port: int, socket_: str | None, demo: bool, once: Path | None) -> None:
    """Show all this in a browser.

    Serves a page on a port of this machine, until it is stopped: what is wrong, what runs, what comes, each job and
    each run. You act as yourself, on everything. With --socket, it is for everybody who can connect to the socket, and
    [page] in the configuration says who may act; it ends when nobody has been connected for 15 minutes.
    """
    try:
        from scheduled_tasks.page import snapshot
        from scheduled_tasks.page.access.actor import Authority
        from scheduled_tasks.page.app import create_app
        from scheduled_tasks.page.serve import serve
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the page needs the package {error.name}: pip install 'scheduled-tasks[page]'"
        ) from error
    configuration = load_configuration()
    url = _demo_url(configuration.state_directory) if demo else _database_url()
    access = _access(configuration, url, is_mine=not socket_)
    zone, which = configuration.get("timezone") or "UTC", configuration.values.get("metrics_jobs")
    app = create_app(url, zone=zone, access=access, metrics_jobs=which)
    if once:
        require_empty(once)
        reader = create_app(url, zone=zone, access=replace(access, authority=Authority()), metrics_jobs=which)
        click.echo(f"{counted(snapshot.write(reader, once), 'screen')} in {once}: open {once / snapshot.FIRST}")
        return
    if socket_:
        _serve_on(socket_, app, configuration)
        return
    click.echo(f"http://127.0.0.1:{port}/  (Ctrl-C stops it)")
    serve(app, port)


def _access(configuration: Settings, url: str, *, is_mine: bool) -> AccessSettings:
    """Who may what: on a page of one's own, whoever runs it everything; otherwise as the configuration says."""
    from scheduled_tasks.page.access import configured

    access = configured(
        configuration.values.get("page", {}), url,
        proxy_secret=settings.setting("page.proxy_secret", ""),
        client_secret=settings.setting("page.oidc_client_secret", ""),
        local_user=actor() if is_mine else "",
    )  # fmt: skip
    if is_mine:
        access = replace(access, authority=replace(access.authority, admins=access.authority.admins | {actor()}))
    return access


def _serve_on(socket_: str, app: Starlette, configuration: Settings) -> None:
    from scheduled_tasks.page.serve_socket import IDLE_SECONDS, new_socket, passed_socket, serve_on

    idle = float(configuration.values.get("page", {}).get("idle_seconds", IDLE_SECONDS))
    serve_on(app, passed_socket() if socket_ == "systemd" else new_socket(Path(socket_)), idle=idle)


def _database_url() -> str:
    """The URL with which the page connects: its own, or the operators'; an undeployed project is set up on first use.

    Raises:
        ServiceUnavailableError, NotRootError, ConfigurationError: as `open_database` does.
    """
    from scheduled_tasks.run import database

    try:
        if own := settings.setting(PAGE_DATABASE_URL, ""):
            return own
    except PermissionError as error:
        raise NotRootError(f"{error.filename}: permission denied: set PAGE_DATABASE_URL to a URL of your own") from None
    with open_database():  # which says what is missing, and starts the embedded server of a checkout
        return settings.setting(OPERATORS_DATABASE_URL, "") or database.database_url()


def _demo_url(state_directory: Path) -> str:
    """The URL of the sample's database, filled anew: its times are relative to now."""
    from scheduled_tasks.operate import embedded
    from scheduled_tasks.page.demo import keep_alive, make

    if not load_configuration().sets_up:
        raise ConfigurationError("--demo needs the embedded PostgreSQL of a checkout; this project is deployed here")
    with embedded.only_one(state_directory):
        url = make(embedded.start(state_directory))
    keep_alive(url)
    return url


COMMANDS = (page,)
