"""`clocks page --once`: the page as files."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
from playwright.sync_api import expect

from scheduled_tasks.page import demo, snapshot
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import BEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser


def test_a_snapshot_is_read_from_files_and_its_links_lead_to_files(
    demo_url: str, browser: Browser, tmp_path: Path
) -> None:
    app = create_app(demo_url, zone="Europe/Paris", access=BEN)
    with ThreadPoolExecutor(1) as thread:  # playwright keeps a loop in this one
        assert thread.submit(snapshot.write, app, tmp_path / "page").result() > 30
    for file in (tmp_path / "page").glob("*.html"):
        text = file.read_text()
        assert [name for name in re.findall(r'href="([^"#]+)"', text) if not (file.parent / name).exists()] == []
        assert "<form" not in text
        assert "<script" not in text
    page = browser.new_page()
    page.goto((tmp_path / "page/index.html").as_uri())
    expect(page.locator("h1")).to_have_text("3 things are wrong")
    page.locator(".trouble .links a").first.click()
    expect(page.get_by_text("What changed since it last worked")).to_be_visible()
    page.close()


def test_a_snapshot_has_each_run_however_many_there_are_and_each_its_own_file(
    server: Callable[[str], str], tmp_path: Path
) -> None:
    ledger = demo.make(server("postgres"), "page_snapshot")
    renamed = {"remind_visitors": "a-b", "close_the_day": "a:b"}  # whose characters a file's name does not all have
    with psycopg.connect(ledger) as connection:
        for name, new in renamed.items():
            for table in ("deployed_job", "task_run"):
                connection.execute(f"UPDATE {table} SET job = %s WHERE job = %s", [new, name])
    app = create_app(ledger, zone="Europe/Paris", access=BEN)
    with ThreadPoolExecutor(1) as thread:
        # An actor can ask for 300 screens at once, but a snapshot is not held up.
        assert thread.submit(snapshot.write, app, tmp_path / "page").result() > 310
    files = [tmp_path / "page" / name for name in ("job-booking-a-b.html", "job-booking-a-b-2.html")]
    assert {re.findall("<h1>(.*?)</h1>", file.read_text())[0] for file in files} == {"a-b", "a:b"}
