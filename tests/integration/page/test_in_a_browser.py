"""Every screen in a real browser: light and dark, wide and narrow, with and without JavaScript.

Nothing may be logged or thrown, axe finds nothing that a keyboard or a screen reader can't use, nothing scrolls
sideways or leaves its card, and no request leaves the origin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.documented import DOCS
from tests.integration.page import layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.thorough

RUNS = {"the failed run": ("export_invoices", "failed"), "the missed slot": ("sum_up_the_day", "missed")}
SCREENS = (
    "/", "/jobs", "/jobs?state=bad", "/jobs/booking", "/job/billing/export_invoices",
    "/job/booking/archive_past_events", *RUNS, "/job/no/such", "/nothing",
    "/timeline", "/timeline?by=owner&span=3d", "/timeline?by=host", "/timeline?clock=booking", "/forecast",
    "/incidents", "/flags", "/pauses", "/hosts", "/changes", "/zone",
)  # fmt: skip


class Look(NamedTuple):
    """How a screen is shown."""

    theme: str
    width: int


class Way(NamedTuple):
    """With or without scripts, and the looks that are tried that way."""

    has_script: bool
    looks: tuple[Look, Look]


# Each pair of theme, width and script is tried, but not each of their eight combinations.
WAYS = (
    Way(has_script=True, looks=(Look("light", 1280), Look("dark", 390))),
    Way(has_script=False, looks=(Look("light", 390), Look("dark", 1280))),
)


@pytest.fixture(scope="module", params=WAYS, ids=["script", "no_script"])
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


@pytest.fixture(scope="module")
def context(way: Way, browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser. Without scripts, the page's two files are empty; the policy allows no other.

    axe itself is a script, so JavaScript is off only in `test_a_browser_without_javascript_shows_every_screen`. Without
    motion, a change of the theme is done at once.
    """
    theme, width = way.looks[0]
    context = browser.new_context(
        color_scheme=theme,  # type: ignore[arg-type] # one of its literals
        viewport={"width": width, "height": 844},
        reduced_motion="reduce",
    )
    if not way.has_script:
        context.route("**/*.js?*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    yield context
    context.close()


@pytest.fixture
def reader(context: BrowserContext) -> Iterator[Page]:
    """A page of the browser that fails the test if anything is logged, thrown, or asked of another origin."""
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("request", lambda request: problems.append(request.url) if "//127.0.0.1:" not in request.url else None)
    yield page
    page.close()
    # Chromium logs each document that is not found.
    assert [problem for problem in problems if "404 (Not Found)" not in problem] == []


@pytest.fixture(scope="module")
def paths(demo_url: str) -> dict[str, str]:
    """The path of each screen."""
    query = "SELECT run_id FROM task_run WHERE job = %s AND status = %s ORDER BY scheduled_at DESC LIMIT 1"
    with psycopg.connect(demo_url) as connection:
        runs = {name: connection.execute(query, values).fetchall()[0][0] for name, values in RUNS.items()}
    return {screen: f"/run/{runs[screen]}" if screen in runs else screen for screen in SCREENS}


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_for_everybody(reader: Page, way: Way, page_url: str, paths: dict[str, str], screen: str) -> None:
    reader.goto(page_url + paths[screen])
    for look in way.looks:
        reader.emulate_media(color_scheme=look.theme)  # type: ignore[arg-type] # one of its literals
        reader.set_viewport_size({"width": look.width, "height": 844})
        assert reader.evaluate("document.documentElement.scrollWidth") <= look.width, look
        assert layout.faults(reader) == [], look
        violations = Axe().run(reader).response["violations"]
        assert [(look, rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations] == []


def test_a_browser_without_javascript_shows_every_screen(
    browser: Browser, page_url: str, paths: dict[str, str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for screen in SCREENS:
        page.goto(page_url + paths[screen])
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("[data-copy]:visible")).to_have_count(0)
    context.close()


def test_now_shows_what_is_wrong_with_its_reason_its_last_lines_and_what_to_do(reader: Page, page_url: str) -> None:
    reader.goto(page_url)
    expect(reader.locator("h1")).to_have_text("3 things are wrong")
    failed = reader.locator(".trouble", has_text="export_invoices")
    expect(failed).to_contain_text("3 in a row")
    expect(failed).to_contain_text("Server error '503 Service Unavailable'")
    expect(failed.locator("pre")).to_contain_text("the bank refused the batch")
    expect(failed.locator("code", has_text="clocks show")).to_have_text(re.compile("^clocks show [0-9a-f]{8}$"))
    expect(reader.locator(".trouble", has_text="sum_up_the_day")).to_contain_text("missed")
    expect(reader.locator(".trouble .what", has_text="app3")).to_contain_text("silent")


def test_a_filter_finds_jobs_and_its_url_can_be_shared(reader: Page, page_url: str) -> None:
    reader.goto(page_url + "/jobs")
    reader.get_by_label("Find").fill("invoices")
    reader.get_by_role("button", name="Show").click()
    expect(reader.locator("tbody th")).to_have_text(["export_invoices"])
    expect(reader).to_have_url(re.compile(r"/jobs\?q=invoices"))
    reader.goto(reader.url)
    expect(reader.locator("tbody th")).to_have_text(["export_invoices"])


def test_a_jobs_chart_has_a_bar_for_each_slot_and_a_hole_for_a_missed_one(reader: Page, page_url: str) -> None:
    reader.goto(page_url + "/job/billing/export_invoices")
    rows = reader.locator("table:has(caption:text('Last slots')) tbody tr")
    expect(reader.locator("svg.strip a")).to_have_count(rows.count())
    expect(reader.locator("svg.strip .s-failed")).to_have_count(3)
    expect(reader.locator("svg.strip .s-missed")).to_have_count(1)


SHOWN = {
    "now": "/",
    "jobs": "/jobs",
    "job": "/job/billing/export_invoices",
    "timeline": "/timeline",
    "forecast": "/forecast",
}


def test_screens_can_be_photographed_for_the_documentation(
    browser: Browser, page_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With --write-golden, docs/screenshots gets the pictures; they are no oracle."""
    folder = DOCS / "screenshots" if request.config.getoption("--write-golden") else tmp_path
    for look, suffix in ((Look("light", 1280), ""), (Look("dark", 390), "-phone")):
        page = browser.new_page(
            color_scheme=look.theme,  # type: ignore[arg-type] # one of its literals
            viewport={"width": look.width, "height": 844},
        )
        for name, path in SHOWN.items():
            page.goto(page_url + path)
            expect(page.locator("h1")).to_be_visible()
            file = folder / f"{name}{suffix}.png"
            page.screenshot(path=file)
            assert file.stat().st_size > 10_000
        page.close()
