"""The project whose tasks the tests run, with a database of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.run import support

Rows = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> support.Project:
    return support.copy("shop", tmp_path, DATABASE_URL=database_url)


@pytest.fixture
def start(shop: support.Project) -> Iterator[Callable[..., support.Running]]:
    """A function that starts a run of the shop, with which the test interacts while it runs."""
    started: list[support.Running] = []

    def start(*argv: str, **options: Any) -> support.Running:
        started.append(shop.start(*argv, **options))
        return started[-1]

    yield start
    for running in started:
        support.close(running)


@pytest.fixture
def rows(connection: psycopg.Connection[tuple[Any, ...]]) -> Rows:
    """A function that returns the rows of task_run, without the columns that differ from run to run."""

    def rows() -> list[tuple[Any, ...]]:
        return connection.execute(
            "SELECT task, status, exit_code, error_type, coalesce(error_message, reason) FROM task_run"
            " ORDER BY started_at"
        ).fetchall()

    return rows


@pytest.fixture(autouse=True)
def no_signal_is_ignored() -> Iterator[None]:
    """Reset ignored signals, which runs would inherit: SIGHUP under nohup, and SIGINT in the background."""
    ignored = [
        signum
        for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(signum) is signal.SIG_IGN
    ]
    for signum in ignored:
        signal.signal(signum, signal.SIG_DFL)
    yield
    for signum in ignored:
        signal.signal(signum, signal.SIG_IGN)
