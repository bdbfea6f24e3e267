"""From the link of a notice to a run that ended well, on a phone: at most six taps. The host is played by rows here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from playwright.sync_api import expect

from scheduled_tasks.page import demo
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import ANNA, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser


def test_a_person_reads_pauses_runs_again_and_sees_it_end(server: Callable[[str], str], browser: Browser) -> None:
    ledger = demo.make(server("postgres"), "page_phone")
    with serving(create_app(ledger, zone="Europe/Paris", access=ANNA)) as url, psycopg.connect(ledger) as connection:
        connection.autocommit = True
        page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
        page.goto(f"{url}/job/billing/export_invoices")  # the link of the notice: the first tap
        expect(page.locator("pre.log").first).to_contain_text("HTTPStatusError: Server error '503 Service Unavailable'")
        page.locator(".act summary", has_text="Pause").tap()
        page.locator(".act[open]").get_by_label("Reason").fill("the bank is down")
        page.locator(".act[open] button").tap()
        expect(page.locator(".note")).to_contain_text("the bank is down")
        page.locator(".act summary", has_text="Run this slot again").tap()
        expect(page.locator(".act[open] .will")).to_contain_text("although it is paused")
        page.locator(".act[open]").get_by_label("Reason").fill("the bank is back")
        page.locator(".act[open] button").tap()  # the fifth
        expect(page.get_by_role("status")).to_contain_text("takes it within a minute")
        [(number, run_id, slot, is_forced)] = connection.execute(
            "SELECT id, run_id, slot, is_forced FROM request"
        ).fetchall()
        assert is_forced
        run = {"id": run_id, "slot": slot}
        connection.execute("UPDATE request SET taken_by = 'app2', taken_at = now() WHERE id = %s", [number])
        connection.execute("UPDATE task_run SET run_id = %(id)s, status = 'started', host = 'app2', attempt = 2,"
                           " started_at = now(), expires_at = now() + interval '1 hour', ended_at = NULL,"
                           " duration = NULL"
                           " WHERE job = 'export_invoices' AND scheduled_at = %(slot)s", run)  # fmt: skip
        expect(page.get_by_role("status")).to_contain_text("It runs on app2", timeout=15_000)
        connection.execute(
            "UPDATE task_run SET status = 'ended', ended_at = now(), duration = 1 WHERE run_id = %(id)s", run
        )
        connection.execute("UPDATE request SET outcome = 'done', finished_at = now() WHERE id = %s", [number])
        expect(page.get_by_role("status")).to_contain_text("It ended, after 1.0 s", timeout=15_000)
        page.close()
