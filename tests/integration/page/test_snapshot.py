"""`clocks page --once`: the page as files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from scheduled_tasks.page import snapshot
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import BEN

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_a_snapshot_is_read_from_files_and_its_links_lead_to_files(
    demo_url: str, browser: Browser, tmp_path: Path
) -> None:
    app = create_app(demo_url, zone="Europe/Paris", access=BEN)
    from concurrent.futures import ThreadPoolExecutor

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
