"""Who may not act is refused: another site in a person's own browser, a viewer, an operator of another clock."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from scheduled_tasks.page import demo
from scheduled_tasks.page.access.actor import Authority, Identity
from scheduled_tasks.page.access.forgery import token_of
from scheduled_tasks.page.access.settings import Proxy
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import ANNA, BEN, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from scheduled_tasks.page.access import AccessSettings

# carl may act on the clock booking and on the jobs of the owner search.
CARL = replace(
    ANNA,
    authority=Authority(of_clocks={"booking": frozenset({"carl"})}, of_owners={"search": frozenset({"carl"})}),
    local_user="carl",
)
WRITTEN = (
    "SELECT (SELECT count(*) FROM pause), (SELECT count(*) FROM request), (SELECT count(*) FROM feature_change),"
    " (SELECT count(*) FROM incident WHERE acked_at IS NOT NULL OR snoozed_until IS NOT NULL)"
)


@pytest.fixture(scope="module")
def ledger(server: Callable[[str], str]) -> str:
    return demo.make(server("postgres"), "page_refused")


@pytest.fixture
def written(ledger: str) -> Callable[[], list[tuple[int, ...]]]:
    """How many rows people's actions have written."""

    def written() -> list[tuple[int, ...]]:
        with psycopg.connect(ledger) as connection:
            return connection.execute(WRITTEN).fetchall()

    return written


@contextmanager
def page_for(ledger: str, access: AccessSettings) -> Iterator[str]:
    with serving(create_app(ledger, zone="UTC", access=access)) as url:
        yield url


@contextmanager
def other_site(html: str) -> Iterator[str]:
    """Another site: the same machine by another name and port."""
    with serving(Starlette(routes=[Route("/", lambda _: HTMLResponse(html))])) as url:
        yield url.replace("127.0.0.1", "localhost")


@pytest.fixture
def browsers_page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def csrf(access: AccessSettings) -> str:
    """The token of a person's forms."""
    return token_of(Identity(access.local_user, way="local"), access.key)


def form(url: str, kind: str, **fields: str) -> str:
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{url}/act/{kind}">{inputs}<button>Win a prize</button></form>'


def test_another_site_can_not_frame_the_page(ledger: str, browsers_page: Page) -> None:
    said: list[str] = []
    browsers_page.on("console", lambda message: said.append(message.text))
    with page_for(ledger, ANNA) as url, other_site(f'<h1>A prize</h1><iframe src="{url}/"></iframe>') as other:
        browsers_page.goto(other)
        expect(browsers_page.locator("h1")).to_have_text("A prize")
        frame = browsers_page.frames[1]
        frame.wait_for_load_state()
        assert frame.url == "chrome-error://chromewebdata/"
        assert frame.locator("form, nav, .act").count() == 0
    assert [text for text in said if "frame-ancestors 'none'" in text]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["another site", "another port of this site"])
def test_another_origin_can_not_post_a_form_even_with_its_token(
    ledger: str, browsers_page: Page, written: Callable[[], object], name: str
) -> None:
    before = written()
    with page_for(ledger, ANNA) as url:
        html = form(url, "pause", csrf=csrf(ANNA), clock="billing", reason="theirs", back="/")
        with other_site(html) as other:
            browsers_page.goto(other.replace("localhost", name))
            with browsers_page.expect_response(f"{url}/act/pause") as answer:
                browsers_page.get_by_role("button").click()
            assert answer.value.status == 403
            expect(browsers_page.locator("body")).to_contain_text("another site sent this form")
    assert written() == before


def test_another_site_can_not_post_from_a_script(
    ledger: str, browsers_page: Page, written: Callable[[], object]
) -> None:
    before = written()
    with page_for(ledger, ANNA) as url, other_site("<h1>A prize</h1>") as other:
        browsers_page.goto(other)
        with browsers_page.expect_request(f"{url}/act/pause") as request:
            became = browsers_page.evaluate(
                "([url, csrf]) => fetch(`${url}/act/pause`, {method: 'POST', mode: 'no-cors', credentials: 'include',"
                " body: new URLSearchParams({csrf, clock: 'billing', reason: 'theirs'})}).catch(() => 'kept back')",
                [url, csrf(ANNA)],
            )
        assert request.value.method == "POST"
        assert became == "kept back"  # not even the refusal can be read (Cross-Origin-Resource-Policy)
    assert written() == before


def test_a_person_can_post_the_same_form_on_the_page_itself(ledger: str, browsers_page: Page) -> None:
    with page_for(ledger, ANNA) as url:
        browsers_page.goto(f"{url}/pauses")
        post_on_the_page(browsers_page, url, "pause", csrf=csrf(ANNA), clock="reports", reason="mine", back="/pauses")
        expect(browsers_page.locator("main")).to_contain_text("mine")


def test_a_viewer_has_no_buttons_and_posts_in_vain(
    ledger: str, browsers_page: Page, written: Callable[[], object]
) -> None:
    before = written()
    with page_for(ledger, BEN) as url:
        for path in ("/", "/job/billing/export_invoices", "/flags", "/pauses", "/incidents"):
            browsers_page.goto(url + path)
            expect(browsers_page.locator("form[method=post]")).to_have_count(0)
        for kind, fields in {
            "pause": {"clock": "billing"},
            "run": {"clock": "billing", "job": "export_invoices"},
            "switch": {"flag": "INDEX_OFFERS", "active": "no"},
            "ack": {"incident": incident_of(ledger, "export_invoices")},
        }.items():
            post_on_the_page(browsers_page, url, kind, csrf=csrf(BEN), reason="mine", back="/", **fields)
            expect(browsers_page.locator("h1")).to_have_text("Not allowed")
            browsers_page.goto(url)
    assert written() == before


def test_an_operator_of_another_clock_has_no_buttons_there_and_posts_in_vain(
    ledger: str, browsers_page: Page, written: Callable[[], object]
) -> None:
    before = written()
    with page_for(ledger, CARL) as url:
        for path, number in {
            "/job/booking/close_the_day": 3,  # run now, pause, backfill
            "/job/algolia/index_venues": 3,
            "/job/billing/reconcile_payments": 0,
            "/flags": 0,
        }.items():
            browsers_page.goto(url + path)
            expect(browsers_page.locator(".acts > .act")).to_have_count(number)
        for kind, fields in {
            "pause": {"clock": "billing"},
            "resume": {"clock": "titelive"},
            "run": {"clock": "billing", "job": "export_invoices"},
            "backfill": {"clock": "billing", "job": "export_invoices", "slot": "2026-11-01T00:00",
                         "until_slot": "2026-11-02T00:00"},
            "switch": {"flag": "INDEX_OFFERS", "active": "no"},
            "snooze": {"incident": incident_of(ledger, "export_invoices"), "for": "1h"},
        }.items():  # fmt: skip
            post_on_the_page(browsers_page, url, kind, csrf=csrf(CARL), reason="mine", back="/", **fields)
            expect(browsers_page.locator("h1")).to_have_text("Not allowed")
            browsers_page.goto(url)
        everything = post(url, CARL, "pause", reason="mine")
        clock_of_the_owner = post(url, CARL, "pause", clock="algolia", reason="mine")
        assert (everything.status_code, clock_of_the_owner.status_code) == (403, 403)
        assert written() == before
        own = [post(url, CARL, "pause", clock="booking", reason="mine"),
               post(url, CARL, "run", clock="algolia", job="index_venues", reason="mine")]  # fmt: skip
        assert [answer.status_code for answer in own] == [303, 303]


def test_a_spoofed_header_over_tcp_is_refused(ledger: str) -> None:
    proxy = Proxy("x-forwarded-user", "x-forwarded-groups", frozenset({"www-data"}), frozenset({"10.0.0.5"}), "known")
    spoofed: tuple[dict[str, str], ...] = (
        {"X-Forwarded-User": "anna"},
        {"X-Forwarded-User": "anna", "X-Forwarded-For": "10.0.0.5"},
        {"X-Forwarded-User": "anna", "X-Proxy-Secret": "known"},
        {"X-Forwarded-Groups": "ops"},
    )
    with page_for(ledger, replace(ANNA, local_user="", proxy=proxy)) as url:
        assert httpx.get(url).status_code == 401
        for headers in spoofed:
            answer = httpx.get(url, headers=headers)
            assert answer.status_code == 403
            assert answer.text == "the header x-forwarded-user counts only from the proxy\n"


def incident_of(ledger: str, job: str) -> str:
    with psycopg.connect(ledger) as connection:
        return str(connection.execute("SELECT id FROM incident WHERE job = %s", [job]).fetchall()[0][0])


def post(url: str, access: AccessSettings, kind: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{url}/act/{kind}", data={"csrf": csrf(access), **fields})


def post_on_the_page(page: Page, url: str, kind: str, **fields: str) -> None:
    """Send a form that the page itself does not have, as a person with the browser's tools could."""
    page.locator("main").evaluate(
        "(main, html) => main.insertAdjacentHTML('beforeend', html)", form(url, kind, **fields)
    )
    page.get_by_role("button", name="Win a prize").click()
