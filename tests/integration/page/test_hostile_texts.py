"""Names, reasons, log lines and flags by hypothesis run nothing in a real browser, and are shown as they are.

SCHEDULED_TASKS_HOSTILE_SEED gives other texts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest
from playwright.sync_api import expect

from scheduled_tasks.page import snapshot
from scheduled_tasks.page.app import create_app
from scheduled_tasks.page.view import SCREENS
from tests.integration.page.conftest import ANNA, BEN, serving
from tests.integration.page.hostile import MARK, Watched, make, texts, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.thorough

RUN = "SELECT run_id FROM task_run WHERE status = %s AND clock IS NOT NULL ORDER BY started_at DESC LIMIT 1"
URLS = (
    "/jobs?q={}", "/jobs?owner={}&host={}&clock={}&state={}&after={}", "/timeline?clock={}&by={}&span={}&at={}",
    "/run/{}", "/job/{}/{}", "/changes?before={}", "/jobs/{}", "/{}",
)  # fmt: skip
JOB = "SELECT clock, job FROM incident WHERE kind = 'failing' AND job IS NOT NULL"


@pytest.fixture(scope="module")
def ledger(server: Callable[[str], str]) -> str:
    return make(server("postgres"), "page_hostile")


@pytest.fixture(scope="module")
def url(ledger: str) -> Iterator[str]:
    with serving(create_app(ledger, zone="Europe/Paris", access=ANNA)) as url:
        yield url


@pytest.fixture
def watched(browser: Browser, url: str) -> Iterator[Watched]:
    page = browser.new_page()
    yield Watched(page, url)
    page.close()


def failing_job(ledger: str) -> tuple[str, str]:
    """A job with an incident, as parts of a path."""
    with psycopg.connect(ledger) as connection:
        [(clock, job), *_] = connection.execute(JOB).fetchall()
    return quote(clock, safe=""), quote(job, safe="")


def paths(ledger: str) -> Iterator[str]:
    """Each screen, once for each kind of row that it shows."""
    clock, job = failing_job(ledger)
    yield from (path for path, _, _ in SCREENS)
    yield from (f"/jobs/{clock}", f"/job/{clock}/{job}", f"/timeline?clock={clock}", "/timeline?by=host", "/zone",
                "/timeline?by=owner&span=3d", "/jobs?state=bad", "/request/1", "/request/2", "/request/3")  # fmt: skip
    with psycopg.connect(ledger) as connection:
        for status in ("failed", "missed", "lost", "skipped", "started", "ended"):
            yield f"/run/{connection.execute(RUN, [status]).fetchall()[0][0]}"


def test_what_others_wrote_runs_nothing_on_any_screen(watched: Watched, url: str, ledger: str) -> None:
    for path in paths(ledger):
        answer = watched.page.goto(url + path)
        assert answer
        assert answer.ok, path
        expect(watched.page.locator("h1")).to_be_visible()
        if path not in {"/forecast", "/zone"}:  # they show no text of others
            assert MARK in watched.page.locator("body").inner_text(), path
        watched.require_nothing_ran()


def test_what_a_url_says_runs_nothing(watched: Watched, url: str) -> None:
    for number, text in enumerate(texts()[:40]):
        said = quote(text, safe="")
        watched.page.goto(url + URLS[number % len(URLS)].format(*[said] * 5))
        expect(watched.page.locator("h1")).to_be_visible()
        watched.require_nothing_ran()


def test_what_a_person_writes_into_a_form_runs_nothing(watched: Watched, url: str, ledger: str) -> None:
    page = watched.page
    for text, button in zip(typed()[:2], ("Pause", "Resume"), strict=True):
        page.goto("{}/job/{}/{}".format(url, *failing_job(ledger)))
        form = page.locator(".acts:not(.trouble .acts) > .act", has_text=button).first
        form.locator("summary").click()
        watched.require_nothing_ran()  # what it will do names the job
        form.get_by_label("Reason").fill(text)
        form.locator("form button").click()
        expect(page.locator("h1")).to_contain_text(MARK)
        page.goto(f"{url}/changes")
        assert " ".join(text.split()) in " ".join(page.locator("tbody").inner_text().split())
        watched.require_nothing_ran()


def test_what_is_refused_runs_nothing(watched: Watched, url: str, ledger: str) -> None:
    page = watched.page
    page.goto("{}/job/{}/{}".format(url, *failing_job(ledger)))
    page.locator(".act summary", has_text="Run now").click()
    form = page.locator(".act[open]")
    form.locator("[name=job]").evaluate("(field, text) => field.value = text", typed()[2])
    form.get_by_label("Reason").fill(typed()[3])
    with page.expect_response(lambda answer: "/act/" in answer.url) as answer:
        form.locator("form button").click()
    assert answer.value.status == 409
    expect(page.locator("h1")).to_have_text("Not done")
    watched.require_nothing_ran()


def test_what_a_live_update_brings_runs_nothing(watched: Watched, url: str, ledger: str) -> None:
    page = watched.page
    page.goto(url)
    for text in typed()[4:7]:
        with psycopg.connect(ledger) as connection:
            connection.execute("UPDATE incident SET bad = bad + 1, reason = %s", [text])
            connection.execute("UPDATE task_run SET reason = %(text)s, error_message = %(text)s"
                               " WHERE status IN ('failed', 'missed')", {"text": text})  # fmt: skip
        shown = page.locator("#live .reason").filter(has_text=text).first
        expect(shown).to_be_visible(timeout=20_000)
        watched.require_nothing_ran()


def test_a_static_snapshot_runs_nothing(browser: Browser, ledger: str, tmp_path: Path) -> None:
    app = create_app(ledger, zone="Europe/Paris", access=BEN)
    with ThreadPoolExecutor(1) as thread:  # playwright keeps a loop in this one
        thread.submit(snapshot.write, app, tmp_path / "page").result()
    files = sorted((tmp_path / "page").glob("*.html"))
    chosen = [*files[:: len(files) // 25], tmp_path / "page/index.html"]
    page = browser.new_page()
    watched = Watched(page, "file:///")
    for file in chosen:
        page.goto(file.as_uri())
        expect(page.locator("h1")).to_be_visible()
        watched.require_nothing_ran(own=r"^([\w.-]+|#[\w-]*)$")
    page.close()
