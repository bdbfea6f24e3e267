"""What more lanes, jobs and slots than a page has look like: on the timeline, and in the blocks of Jobs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.page.app import create_app
from tests.integration.page import layout
from tests.integration.page.conftest import ANNA, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.thorough

JOBS = 230
FILL = """
INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at, ended_at)
SELECT gen_random_uuid(), 'shop.count', clock, 'j' || lpad(job::text, 3, '0'), at, '', 'app1', 'timer',
       CASE WHEN job = 222 AND run = 3 THEN 'missed' ELSE 'ended' END, at, at + interval '2 s'
  FROM (SELECT 'big' AS clock, job, run, %(hour)s::timestamptz - run * interval '1 hour' AS at
          FROM generate_series(0, 229) AS job, generate_series(1, 100) AS run
        UNION ALL SELECT 'c' || job, job, run, %(hour)s - run * interval '1 hour'
          FROM generate_series(100, 229) AS job, generate_series(1, 3) AS run) AS slot
"""


@pytest.fixture(scope="module")
def hour() -> datetime:
    """The hour before the present one: what is due in it is over."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def url(server: Any, hour: datetime) -> Iterator[str]:
    """A page over a clock of 230 jobs, each with a slot in each of the last 100 hours, and 130 clocks of one job."""
    from tests.integration.conftest import TEMPLATE, _fresh_database

    for database_url in _fresh_database(server, TEMPLATE):
        with psycopg.connect(database_url, autocommit=True) as connection:
            names = [("big", number) for number in range(JOBS)]
            names += [(f"c{number}", number) for number in range(100, JOBS)]
            jobs = [
                {"clock": clock, "job": f"j{number:03}", "task": "shop.count", "options": {},
                 "schedule": {"kind": "cron", "zone": "UTC", "minutes": [0], "seconds": [0]}}
                for clock, number in names
            ]  # fmt: skip
            deployments.report(connection, "app1", deployments.JobsReport(jobs, "all", hour, hour))
            connection.execute("ALTER TABLE task_run DISABLE TRIGGER USER")
            connection.execute(FILL, {"hour": hour})
            while count_slots(connection):
                pass
        with serving(create_app(database_url, zone="UTC", access=ANNA)) as served:
            yield served


def names(html: str) -> list[str]:
    return re.findall(r'<a class="name" href="[^"]*">([^<]*)</a>', html)


def numbers(html: str, job: str) -> list[str]:
    """A row of the table: how many slots ended, failed, were missed, lost or skipped, and are due."""
    [row] = re.findall(rf'<tr><th scope="row">{job}</th>(.*?)</tr>', html)
    return re.findall(r">([^<]*)</td>", row)


def test_a_clock_of_more_than_a_hundred_jobs_has_pages_and_the_missed_slot_is_on_the_first(url: str) -> None:
    pages = [httpx.get(f"{url}/timeline?clock=big&page={page}").text for page in (1, 2, 3)]
    shown = [names(page) for page in pages]
    assert [len(page) for page in shown] == [100, 100, 30]
    assert shown[0][:3] == ["j222", "j000", "j001"]
    assert sorted(name for page in shown for name in page) == [f"j{number:03}" for number in range(JOBS)]
    assert "1 to 100 of 230 jobs" in pages[0]
    assert "201 to 230 of 230 jobs" in pages[2]
    assert "page=2" in pages[0]
    assert "page=4" not in pages[2]


def test_a_lane_is_found_by_its_name_and_the_rest_of_the_url_stays(url: str) -> None:
    html = httpx.get(f"{url}/timeline?clock=big&span=6h&q=J02+7").text
    assert names(html) == ["j027"]
    assert '<input type="hidden" name="clock" value="big">' in html
    assert '<input type="hidden" name="span" value="6h">' in html
    assert "No clock has “j027” in its name." in httpx.get(f"{url}/timeline?q=j027").text


def test_each_slot_of_a_hundred_jobs_is_drawn_while_they_can_be_seen(url: str, hour: datetime) -> None:
    html = httpx.get(f"{url}/timeline?clock=big&span=24h&at={hour - timedelta(hours=6):%Y-%m-%dT%H:%MZ}").text
    assert html.count('<a href="/run/') == 100 * 24
    assert html.count('<rect class="s-missed"') == 1
    assert numbers(html, "j222") == ["23", "", "1", "", "", ""]


def test_more_slots_than_can_be_seen_are_counted_and_none_is_left_out(url: str) -> None:
    html = httpx.get(f"{url}/timeline?clock=big&span=7d").text
    assert "/run/" not in html
    assert numbers(html, "j000")[:-1] == ["100", "", "", "", ""]
    assert numbers(html, "j222")[:-1] == ["99", "", "1", "", ""]
    assert 24 <= int(numbers(html, "j000")[-1]) <= 28  # a column is four hours
    assert html.count("<rect") == 1


def test_a_missed_part_leads_to_the_hours_around_it(url: str, hour: datetime) -> None:
    html = httpx.get(f"{url}/timeline?clock=big&span=7d").text
    [link] = re.findall(r'<a href="([^"]*)" tabindex="-1"><rect class="s-missed"', html)
    closer = httpx.get(url + link.replace("&amp;", "&")).text
    [missed] = re.findall(r'<rect class="s-missed"[^>]*><title>([^<]*)', closer)
    assert missed == "missed on app1"
    at = re.findall(r"at=([^&]*)", link)[0].replace("%3A", ":")
    assert abs(datetime.fromisoformat(at) - (hour - timedelta(hours=3))) <= timedelta(hours=2)


@pytest.mark.parametrize("query", ["clock=big&span=24h", "clock=big&span=7d&page=2", "q=c1"])
@pytest.mark.parametrize("width", [390, 1280])
def test_many_lanes_are_for_everybody(browser: Browser, url: str, query: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(f"{url}/timeline?{query}")
    expect(page.get_by_label("Find")).to_be_visible()
    violations = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_a_slot_leads_to_its_run_by_the_first_characters_of_its_id(url: str) -> None:
    link = re.findall(r'href="(/run/[0-9a-f]{12})"', httpx.get(f"{url}/timeline?clock=big&span=6h").text)[0]
    assert "<h1>j222, due" in httpx.get(url + link).text
    for named in ("0", "no-run", "f" * 33, "%00", "00000000"):
        assert httpx.get(f"{url}/run/{named}").status_code == 404


@pytest.mark.parametrize("query", ["clock=big&span=24h", "clock=big&span=3d", "clock=big&span=7d", "span=7d"])
def test_a_hundred_lanes_are_sixty_kilobytes_at_most(url: str, query: str) -> None:
    with httpx.stream("GET", f"{url}/timeline?{query}") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert sum(len(part) for part in answer.iter_raw()) <= 60_000


def test_more_than_a_hundred_clocks_have_pages_too(url: str) -> None:
    first, second = (names(httpx.get(f"{url}/timeline?page={page}").text) for page in (1, 2))
    assert first[:3] == ["big", "c222", "c100"]
    assert (len(first), len(second)) == (100, 31)


def test_a_page_after_the_last_one_is_the_last_one(url: str) -> None:
    assert len(names(httpx.get(f"{url}/timeline?clock=big&page=9").text)) == 30


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "99999999999999999999", "²"])
def test_a_page_that_is_no_number_is_the_first(url: str, page: str) -> None:
    assert len(names(httpx.get(f"{url}/timeline?page={page}").text)) == 100


def test_a_time_far_away_is_drawn_at_once(url: str) -> None:
    for at in ("2099-01-01T00:00Z", "1970-01-02T00:00Z"):
        answer = httpx.get(f"{url}/timeline?span=7d&at={at}", timeout=5)
        assert answer.status_code == 200
        assert answer.elapsed < timedelta(seconds=2)


def test_a_clocks_block_loads_its_jobs_when_it_is_opened_and_leads_to_the_clock(url: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{url}/jobs")
    block = page.locator("details.block", has=page.get_by_text("big", exact=True))
    expect(block.locator("tbody tr")).to_have_count(0)
    expect(block.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"^Last 24 hours: .*\d+ ended$"))
    block.locator("summary").click()
    expect(block.locator("tbody tr")).to_have_count(100)
    expect(block.get_by_role("link", name="Next 100 jobs")).to_be_visible()
    assert layout.faults(page) == []
    block.get_by_role("link", name="Timeline and pauses of big").click()
    expect(page.locator("h1")).to_have_text("Jobs of big")
    page.close()
