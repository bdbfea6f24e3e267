"""The page's answers: their headers, and what they say when the ledger has nothing or can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.page.app import create_app
from scheduled_tasks.page.pool import Database
from tests.integration.page.conftest import ANNA, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reading(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.open()
    yield database
    database.close()


@pytest.mark.parametrize("path", ["/", "/jobs", "/nothing", "/static/page.css", "/favicon.ico"])
def test_every_answer_forbids_scripts_from_elsewhere_and_frames(page_url: str, path: str) -> None:
    headers = httpx.get(page_url + path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


def test_a_screen_is_not_cached_and_a_file_is(page_url: str) -> None:
    assert httpx.get(page_url).headers["cache-control"] == "no-store"
    assert httpx.get(f"{page_url}/static/page.css").headers["cache-control"] == "public, max-age=3600"


def test_no_other_file_is_served(page_url: str) -> None:
    for name in ("../app.py", "..%2fapp.py", "%2e%2e%2fapp.py", "htmx.LICENSE"):
        assert httpx.get(f"{page_url}/static/{name}").status_code == 404


def test_an_empty_ledger_says_that_nothing_is_deployed(database_url: str) -> None:
    with serving(create_app(database_url, zone="UTC", access=ANNA)) as url:
        assert "No job is deployed" in httpx.get(url).text
        assert "No job is deployed on any host" in httpx.get(f"{url}/jobs").text


def test_a_ledger_that_does_not_answer_is_said_with_the_reason(database_url: str) -> None:
    app = create_app(f"{database_url}&dbname=no_such_database", zone="UTC", access=ANNA)
    app.state.site.database._pool.timeout = 0.2
    with serving(app) as url:
        answer = httpx.get(url)
        assert answer.status_code == 503
        assert "The ledger can't be read" in " ".join(answer.text.replace("&#39;", "'").split())


def test_a_screens_connection_can_not_write(reading: Database) -> None:
    with reading.reading() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM pause")


def test_an_actions_connection_can_write_and_the_next_screens_can_not(reading: Database) -> None:
    with reading.writing() as connection:
        connection.execute("INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'anna', 'stock')")
    with reading.reading() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM pause")


def test_a_statement_ends_after_two_seconds(reading: Database) -> None:
    with pytest.raises(ServiceUnavailableError, match="statement timeout"), reading.reading() as connection:
        connection.execute("SELECT pg_sleep(10)")
