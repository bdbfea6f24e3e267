"""What the page's forms do, and whom they refuse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from scheduled_tasks.page import demo
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import ANNA, BEN, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB = {"clock": "billing", "job": "reconcile_payments"}


@pytest.fixture(scope="module")
def ledger(server: Callable[[str], str]) -> str:
    """A sample of its own: these tests change it."""
    return demo.make(server("postgres"), "page_actions")


@pytest.fixture(scope="module")
def url(ledger: str) -> Iterator[str]:
    with serving(create_app(ledger, zone="Europe/Paris", access=ANNA)) as url:
        yield url


@pytest.fixture(scope="module")
def viewers_url(ledger: str) -> Iterator[str]:
    with serving(create_app(ledger, zone="Europe/Paris", access=BEN)) as url:
        yield url


def rows(ledger: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(ledger) as connection:
        return connection.execute(query).fetchall()


def token(url: str) -> str:
    """The token that stands in the forms of a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', httpx.get(f"{url}/job/billing/reconcile_payments").text)
    assert found
    return found[1]


def post(url: str, kind: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{url}/act/{kind}", data={"csrf": token(url), **fields})


def test_a_pause_acts_at_once_says_who_and_why_and_leads_back(url: str, ledger: str) -> None:
    answer = post(
        url, "pause", **JOB, reason="the bank is closed", back="/job/billing/reconcile_payments", **{"for": "4h"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/job/billing/reconcile_payments")
    found = rows(ledger, "SELECT paused_by, reason, until - paused_at FROM pause WHERE job = 'reconcile_payments'")
    assert [(by, why, str(length)) for by, why, length in found] == [("anna", "the bank is closed", "4:00:00")]
    again = post(url, "pause", **JOB, reason="again")
    assert (again.status_code, "is paused already" in again.text) == (409, True)
    assert post(url, "resume", **JOB, reason="it is open").status_code == 303
    assert rows(ledger, "SELECT resumed_by FROM pause WHERE job = 'reconcile_payments'") == [("anna",)]


def test_nothing_is_done_without_a_reason(url: str, ledger: str) -> None:
    answer = post(url, "pause", clock="booking", job="close_the_day", reason="  ")
    assert (answer.status_code, "reason is missing" in answer.text) == (409, True)
    assert rows(ledger, "SELECT FROM pause WHERE job = 'close_the_day'") == []


def test_a_run_is_asked_for_as_a_row_and_its_page_says_when_it_starts(url: str, ledger: str) -> None:
    answer = post(url, "run", **JOB, reason="to see it work")
    path = answer.headers["location"]
    assert re.fullmatch(r"/request/\d+", path)
    assert rows(ledger, "SELECT kind, clock, job, asked_by, reason, taken_by FROM request") == [
        ("run", "billing", "reconcile_payments", "anna", "to see it work", None)
    ]
    waiting = httpx.get(url + path).text
    assert "takes it within a minute" in waiting
    assert '<meta http-equiv="refresh" content="3">' in waiting


def test_a_flag_is_switched_with_its_reason(url: str, ledger: str) -> None:
    assert post(url, "switch", flag="INDEX_OFFERS", active="no", reason="overload").status_code == 303
    query = (
        "SELECT changed_by, is_active, reason FROM feature_change WHERE name = 'INDEX_OFFERS' ORDER BY id DESC LIMIT 1"
    )
    assert rows(ledger, query) == [("anna", False, "overload")]


def test_an_incident_is_acknowledged(url: str, ledger: str) -> None:
    [(number,)] = rows(ledger, "SELECT id FROM incident WHERE job = 'export_invoices'")
    assert post(url, "ack", incident=str(number), reason="the bank has been called").status_code == 303
    found = rows(ledger, f"SELECT acked_by, ack_reason FROM incident WHERE id = {number}")
    assert found == [("anna", "the bank has been called")]


def test_what_was_done_stands_in_the_changes_with_who_and_why(url: str) -> None:
    post(url, "pause", clock="algolia", job="index_venues", reason="a new index is built")
    shown = httpx.get(f"{url}/changes").text
    assert "a new index is built" in shown
    assert "anna" in shown


def test_a_viewer_sees_no_button_and_is_refused(viewers_url: str, url: str, ledger: str) -> None:
    for path in ("/", "/job/billing/reconcile_payments", "/flags", "/pauses", "/incidents"):
        assert "<form method=" not in httpx.get(viewers_url + path).text.replace('<form class="filter" method=', "")
    viewers = token_of_viewer(viewers_url)
    for kind in ("pause", "run", "stop", "backfill", "log"):
        fields = {"csrf": viewers, **JOB, "job": "close_the_day", "clock": "booking", "reason": "mine"}
        assert httpx.post(f"{viewers_url}/act/{kind}", data=fields).status_code == 403
    fields = {"csrf": viewers, "flag": "INDEX_OFFERS", "active": "yes", "reason": "mine"}
    assert httpx.post(f"{viewers_url}/act/switch", data=fields).status_code == 403
    assert rows(ledger, "SELECT FROM pause WHERE job = 'close_the_day'") == []


def token_of_viewer(_url: str) -> str:
    """The token that a viewer's forms would have: it is not secret from the viewer."""
    from scheduled_tasks.page.access.actor import Identity
    from scheduled_tasks.page.access.forgery import token_of

    return token_of(Identity("ben", way="local"), BEN.key)


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]
)
def test_a_form_of_another_site_is_refused(url: str, ledger: str, headers: dict[str, str]) -> None:
    fields = {"csrf": token(url), "clock": "booking", "job": "close_the_day", "reason": "theirs"}
    assert httpx.post(f"{url}/act/pause", data=fields, headers=headers).status_code == 403
    assert httpx.post(f"{url}/act/pause", data={**fields, "csrf": "0" * 64}).status_code == 403
    assert rows(ledger, "SELECT FROM pause WHERE job = 'close_the_day'") == []


def test_no_get_acts(url: str) -> None:
    assert httpx.get(f"{url}/act/pause?clock=booking&job=close_the_day&reason=x").status_code == 405


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example", ""])
def test_an_action_never_leads_to_another_site(url: str, back: str) -> None:
    answer = post(url, "pause", clock="reports", job="weekly_figures", reason="x", back=back)
    if answer.status_code == 303:
        assert answer.headers["location"] == "/"
        post(url, "resume", clock="reports", job="weekly_figures", reason="x")
