"""What the page gives programs and scripts: JSON, metrics, events, and the reader's zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from playwright.sync_api import expect

from scheduled_tasks.page import demo
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import ANNA, serving
from tests.integration.page.test_actions import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


def get(url: str) -> Any:
    return httpx.get(url).raise_for_status().json()


def test_the_status_is_json_with_the_names_of_the_command(page_url: str) -> None:
    found = get(f"{page_url}/api/status")
    assert (found["healthy"], len(found["jobs"])) == (False, 2)
    failing = next(job for job in found["jobs"] if job["job"] == "export_invoices")
    assert (failing["state"], failing["bad"], failing["failures"][0]["streak"]) == ("bad", True, 3)
    assert failing["next_run"].endswith("Z")


def test_the_history_continues_after_its_last_run(page_url: str) -> None:
    first = get(f"{page_url}/api/history?clock=billing&job=export_invoices&limit=3")
    assert [row["status"] for row in first] == ["failed", "failed", "failed"]
    following = get(f"{page_url}/api/history?clock=billing&job=export_invoices&limit=1&before={first[-1]['run_id']}")
    assert following[0]["status"] == "ended"
    assert following[0]["scheduled_at"] < first[-1]["scheduled_at"]
    assert get(f"{page_url}/api/run/{first[0]['run_id']}") == first[0]


def test_incidents_are_json(page_url: str) -> None:
    assert {one["kind"] for one in get(f"{page_url}/api/incidents")} == {"failing", "missed", "silent"}


def test_prometheus_reads_the_metrics(page_url: str) -> None:
    answer = httpx.get(f"{page_url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'scheduled_tasks_job_bad_slots_in_a_row{clock="billing",job_name="export_invoices"} 3' in answer.text


def state_shown(url: str) -> str:
    found = re.search(r'data-state="(\w+)"', httpx.get(url).text)
    assert found
    return found[1]


def pause(ledger: str, clock: str) -> None:
    with psycopg.connect(ledger) as connection:
        connection.execute("INSERT INTO pause (clock, paused_by, reason) VALUES (%s, 'ben', 'a test')", [clock])


def next_event(lines: Iterator[str]) -> str:
    """The ID of the next event."""
    assert next(line for line in lines if line.startswith("event")) == "event: changed"
    return next(lines).removeprefix("id: ")


def test_a_browser_is_told_what_changes_and_what_changed_since_the_state_that_it_shows(
    server: Callable[[str], str],
) -> None:
    ledger = demo.make(server("postgres"), "page_events")
    with serving(create_app(ledger, zone="UTC", access=ANNA)) as url:
        first = state_shown(url)
        pause(ledger, "booking")  # before it follows
        with httpx.stream("GET", f"{url}/live", params={"state": first}) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 3000"
            second = next_event(lines)
            assert second == state_shown(url) != first
            pause(ledger, "billing")
            third = next_event(lines)
        pause(ledger, "algolia")  # while it is interrupted
        interrupted = {"Last-Event-ID": third}
        with httpx.stream("GET", f"{url}/live", params={"state": first}, headers=interrupted) as stream:
            assert next_event(stream.iter_lines()) == state_shown(url)


def test_now_follows_the_ledger_without_a_reload(server: Callable[[str], str], browser: Browser) -> None:
    ledger = demo.make(server("postgres"), "page_followed")
    with serving(create_app(ledger, zone="UTC", access=ANNA)) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("h1")).to_have_text("3 things are wrong")
        with psycopg.connect(ledger) as connection:
            connection.execute("UPDATE host SET heartbeat_at = now()")
            connection.execute("UPDATE incident SET closed_at = now() WHERE kind = 'silent'")
        expect(page.locator("h1")).to_have_text("2 things are wrong", timeout=15_000)
        expect(page.locator("#said")).to_have_text("2 things are wrong")
        page.close()


def test_now_follows_again_after_answers_that_were_errors(server: Callable[[str], str], browser: Browser) -> None:
    ledger = demo.make(server("postgres"), "page_followed_again")
    with serving(create_app(ledger, zone="UTC", access=ANNA)) as url:
        page = browser.new_page()
        page.route("**/live?*", lambda route: route.fulfill(status=503), times=1)
        page.goto(url)
        expect(page.locator("h1")).to_have_text("3 things are wrong")
        page.route(url + "/", lambda route: route.fulfill(status=503), times=1)
        with psycopg.connect(ledger) as connection:
            connection.execute("UPDATE incident SET closed_at = now() WHERE kind = 'silent'")
        pause(ledger, "booking")
        expect(page.locator(".headline .facts")).to_contain_text("2 pauses", timeout=60_000)
        page.close()


def test_a_reader_chooses_the_zone(page_url: str) -> None:
    with httpx.Client() as reader:
        assert "Times in <strong>Europe/Paris" in reader.get(page_url).text
        csrf = token(page_url)
        assert reader.post(f"{page_url}/zone", data={"csrf": csrf, "zone": "Asia/Tokyo"}).status_code == 303
        assert "Times in <strong>Asia/Tokyo" in reader.get(page_url).text
        assert reader.post(f"{page_url}/zone", data={"csrf": csrf, "zone": "../etc"}).headers["location"] == "/zone"
