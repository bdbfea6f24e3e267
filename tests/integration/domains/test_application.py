"""The worked example's application: its connection, and how it reports uncommitted work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.domains.application import Application, create_app
from scheduled_tasks.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_unused_application_leaves_nothing_uncommitted() -> None:
    assert list(create_app().uncommitted()) == []


def test_writes_outside_a_transaction_block_are_reported(app: Application) -> None:
    app.connection.execute("INSERT INTO venue (name) VALUES ('Librairie du Canal')")
    assert list(app.uncommitted()) == ["the connection to PostgreSQL is in a transaction"]


def test_reads_are_not_reported(app: Application) -> None:
    app.connection.execute("SELECT * FROM venue")
    assert list(app.uncommitted()) == []


def test_committed_work_is_not_reported(app: Application, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    with app.connection.transaction():
        app.connection.execute("INSERT INTO venue (name) VALUES ('Librairie du Canal')")
    assert list(app.uncommitted()) == []
    assert rows("SELECT name FROM venue") == [("Librairie du Canal",)]


def test_a_failed_transaction_is_reported(app: Application) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        app.connection.execute("SELECT * FROM nowhere")
    assert list(app.uncommitted()) == ["the connection to PostgreSQL is in a failed transaction"]


def test_an_unreachable_database_is_an_unavailable_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(ServiceUnavailableError, match="PostgreSQL is unreachable"):
        _ = create_app().connection


@pytest.mark.parametrize("module", ["application", "booking", "algolia", "titelive"])
def test_importing_a_domain_imports_neither_driver_nor_http_library(module: str) -> None:
    code = (
        f"import sys, scheduled_tasks.domains.{module} as m; getattr(m, 'create_app', int)(); "
        "print(sorted({'psycopg', 'httpx', 'stamina', 'asyncio', 'email'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
