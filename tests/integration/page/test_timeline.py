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

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FIELDS = ("minute", "hour", "day", "month", "day_of_week")
HOURS = 60  # of the past that span=3d shows
CLOCKS = sorted({job.clock for job in JOBS})


def due(job: SampleJob, after: datetime, until: datetime) -> int:
    """How many nominal times a job has, by cronsim; a field below the first given one is 0, as in APScheduler."""
    first = min(FIELDS.index(name) for name in job.fields)
    default = {name: "0" if FIELDS.index(name) < min(first, 2) else "*" for name in FIELDS}
    line = " ".join({**default, **job.fields}[name] for name in FIELDS)
    times = CronSim(line, after.astimezone(ZoneInfo(ZONE)) - timedelta(seconds=1))
    number = 0
    for at in times:
        if at.astimezone(UTC) > until:
            return number
        number += 1
    return number


@pytest.mark.parametrize("clock", CLOCKS)
def test_each_slot_of_sixty_hours_is_drawn(browser: Browser, page_url: str, demo_url: str, clock: str) -> None:
    with psycopg.connect(demo_url) as connection:
        [(now,)] = connection.execute("SELECT max(accounted_at) FROM host").fetchall()
    page = browser.new_page()
    page.goto(f"{page_url}/timeline?span=3d&clock={clock}&at={now:%Y-%m-%dT%H:%M:%SZ}")
    first = (now.astimezone(UTC) - timedelta(hours=HOURS)).replace(minute=0, second=0, microsecond=0)
    for job in [job for job in JOBS if job.clock == clock]:
        lane = page.locator(".lane", has=page.get_by_role("link", name=job.job, exact=True))
        drawn = lane.locator("rect:not(.s-due)")
        hosts = 3 if job.options.get("per_host") else 1
        expect(drawn).to_have_count(due(job, first, now) * hosts)
    page.close()


def test_a_slot_that_nobody_ran_is_a_frame_at_its_place(browser: Browser, page_url: str) -> None:
    page = browser.new_page()
    page.goto(f"{page_url}/timeline?span=3d&clock=reports")
    frame = page.locator(".lane", has=page.get_by_role("link", name="sum_up_the_day", exact=True)).locator(".s-missed")
    frame.last.click(force=True)  # the frame is hollow
    expect(page.locator("h1")).to_contain_text("sum_up_the_day, due")
    expect(page.locator(".title .status")).to_have_text("missed")
    page.close()
