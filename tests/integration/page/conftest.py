"""The page over its sample data, served on a port, and Debian's Chromium to read it with."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from scheduled_tasks.page import demo
from scheduled_tasks.page.access import AccessSettings
from scheduled_tasks.page.access.actor import Authority
from scheduled_tasks.page.app import create_app
from tests.roots import lacking, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

FOLDER = Path(__file__).parent
CHROMIUM = "chromium"
# A page in the foreground: whoever asks from this machine is anna, who may act on everything; or ben, who may look.
ANNA = AccessSettings(b"a secret of this page", Authority(admins=frozenset({"anna"})), local_user="anna")
BEN = replace(ANNA, local_user="ben")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on two of bin/test's processes: each of them starts Chromium and makes the sample."""
    here = [item for item in items if item.path.is_relative_to(FOLDER)]
    for number, item in enumerate(here):
        item.add_marker(pytest.mark.xdist_group(f"browser_{number % 2}"))


@contextmanager
def serving(app: Starlette, listening: socket.socket | None = None) -> Iterator[str]:
    """Serve an application on a socket, or on a free port of the loopback interface; gives its URL."""
    listening = listening or socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, http="h11", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def demo_url(server: Callable[[str], str]) -> str:
    """The URL of a database with the page's sample data."""
    return demo.make(server("postgres"))


@pytest.fixture(scope="session")
def page_url(demo_url: str) -> Iterator[str]:
    """The URL of the page over the sample data."""
    with serving(create_app(demo_url, zone="Europe/Paris", access=ANNA)) as url:
        yield url


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """pytest-playwright's own fixture: Debian's Chromium, and no sandbox of it, since root has none."""
    require(lacking("the page's tests", {CHROMIUM: "chromium"}, root=False))
    return {"executable_path": shutil.which(CHROMIUM), "args": ["--no-sandbox"]}
