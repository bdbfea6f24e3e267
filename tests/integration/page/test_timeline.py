"""The timeline draws each slot of the ledger, whatever became of it."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.sync_api import expect

from scheduled_tasks.page.demo.jobs import JOBS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOURS = 60  # of the past that span=3d shows
CLOCKS = sorted({job.clock for job in JOBS})
SLOTS = "SELECT job, count(*) FROM task_run WHERE clock = %s AND scheduled_at >= %s GROUP BY job"


@pytest.mark.parametrize("clock", CLOCKS)
def test_each_slot_of_sixty_hours_is_drawn(browser: Browser, page_url: str, demo_url: str, clock: str) -> None:
    with psycopg.connect(demo_url) as connection:
        # The present of the sample, within seconds.
        [(now,)] = connection.execute("SELECT max(accounted_at) FROM host").fetchall()
        first = (now.astimezone(UTC) - timedelta(hours=HOURS)).replace(minute=0, second=0, microsecond=0)
        slots: dict[str, int] = dict(connection.execute(SLOTS, [clock, first]).fetchall())
    page = browser.new_page()
    page.goto(f"{page_url}/timeline?span=3d&clock={clock}&at={now:%Y-%m-%dT%H:%M:%SZ}")
    for job in [job.job for job in JOBS if job.clock == clock]:
        lane = page.locator(".lane", has=page.get_by_role("link", name=job, exact=True))
        expect(lane.locator("rect:not(.s-due)")).to_have_count(slots.get(job, 0))
    page.close()


def test_a_slot_that_nobody_ran_is_a_frame_at_its_place(browser: Browser, page_url: str) -> None:
    page = browser.new_page()
    page.goto(f"{page_url}/timeline?span=3d&clock=reports")
    frame = page.locator(".lane", has=page.get_by_role("link", name="sum_up_the_day", exact=True)).locator(".s-missed")
    frame.last.click(force=True)  # the frame is hollow
    expect(page.locator("h1")).to_contain_text("sum_up_the_day, due")
    expect(page.locator(".title .status")).to_have_text("missed")
    page.close()


def test_owners_have_together_what_clocks_have_and_each_its_own(browser: Browser, page_url: str) -> None:
    def numbers(by: str) -> dict[str, list[int]]:
        page.goto(f"{page_url}/timeline?span=3d&by={by}")
        page.get_by_text("As a table").click()
        rows = page.locator("details tbody tr").all()
        return {
            row.locator("th").inner_text(): [int(cell or 0) for cell in row.locator("td").all_inner_texts()]
            for row in rows
        }

    page = browser.new_page()
    clocks, owners = numbers("clock"), numbers("owner")
    page.close()
    assert set(owners) == {"data", "finance", "marketing", "ops", "search", "shop"}
    assert [sum(column) for column in zip(*owners.values(), strict=True)] == [
        sum(column) for column in zip(*clocks.values(), strict=True)
    ]
    assert owners["search"] == clocks["algolia"]  # it has one owner
    shop, marketing = owners["shop"], owners["marketing"]
    assert [sum(pair) for pair in zip(shop, marketing, strict=True)] == clocks["booking"]  # it has two
