"""The slots that the timeline draws are those that another library computes: none is missing, whatever became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from cronsim import CronSim
from playwright.sync_api import expect

from scheduled_tasks.page.demo.jobs import JOBS, ZONE, SampleJob
from scheduled_tasks.page.demo.slots import SILENT_SINCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FIELDS = ("minute", "hour", "day", "month", "day_of_week")
HOURS = 60  # of the past that span=3d shows
CLOCKS = sorted({job.clock for job in JOBS})


def due(job: SampleJob, after: datetime, until: datetime) -> int:
    """How many nominal times a job has, by cronsim; a field below the first given one is 0, as in APScheduler.

    In a night of change cronsim has rules of its own. So it sees no shift: a job with an hour is due once at each of
    its wall times, which zoneinfo places; one without is due at the same minutes in UTC, from which Paris is whole
    hours away.
    """
    first = min(FIELDS.index(name) for name in job.fields)
    default = {name: "0" if FIELDS.index(name) < min(first, 2) else "*" for name in FIELDS}
    line = " ".join({**default, **job.fields}[name] for name in FIELDS)
    zone = UTC if set(job.fields) == {"minute"} else ZoneInfo(ZONE)
    number = 0
    for wall in CronSim(line, after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=2)):
        at = wall.replace(tzinfo=zone).astimezone(UTC)
        if at > until:
            return number
        number += at >= after
    return number


@pytest.mark.parametrize("clock", CLOCKS)
def test_each_slot_of_sixty_hours_is_drawn(browser: Browser, page_url: str, demo_url: str, clock: str) -> None:
    with psycopg.connect(demo_url) as connection:
        [(silent_since,)] = connection.execute("SELECT heartbeat_at FROM host WHERE name = 'app3'").fetchall()
    now = silent_since + SILENT_SINCE  # when the sample was made
    page = browser.new_page()
    page.goto(f"{page_url}/timeline?span=3d&clock={clock}&at={now:%Y-%m-%dT%H:%M:%SZ}")
    first = (now.astimezone(UTC) - timedelta(hours=HOURS)).replace(minute=0, second=0, microsecond=0)
    for job in [job for job in JOBS if job.clock == clock]:
        lane = page.locator(".lane", has=page.get_by_role("link", name=job.job, exact=True))
        drawn = lane.locator("rect:not(.s-due)")
        # What each host runs is not missed yet on the one that is silent.
        until = [now, now, now - SILENT_SINCE] if job.options.get("per_host") else [now]
        expect(drawn).to_have_count(sum(due(job, first, each) for each in until))
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
