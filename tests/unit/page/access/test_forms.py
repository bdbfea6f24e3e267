"""Forms: only this page's own pass, from the person who got them, not too many and not too long."""

from __future__ import annotations

import pwd
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.page.access.rates import Rate
from tests.unit.page.access.gate import TOKEN, Gate, run, settings

NOBODY = pwd.getpwnam("nobody").pw_uid


def test_a_form_of_this_page_passes_with_its_whole_body() -> None:
    answer = Gate().send_form("reason=the+till").actor
    assert answer["body"].startswith("reason=the+till&csrf=")


def test_the_token_can_be_a_header() -> None:
    gate = Gate()
    token = gate.ask(peer=0).actor["csrf"]
    kind = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRF-Token": token}
    assert gate.ask("POST", "/act", peer=0, headers=kind, body=b"reason=x").actor["name"] == "root"


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
def test_a_form_without_its_token_is_refused(csrf: str) -> None:
    refused = Gate().send_form(csrf=csrf)
    assert (refused.status, "reload the page" in refused.text) == (403, True)


def test_the_token_of_another_person_is_refused() -> None:
    gate = Gate()
    others = gate.ask(peer=NOBODY).actor["csrf"]
    assert gate.send_form(csrf=others).status == 403


def test_a_token_holds_after_a_restart_of_the_page_and_not_on_another_page() -> None:
    token = Gate().ask(peer=0).actor["csrf"]
    assert Gate().send_form(csrf=token).status == 200
    assert Gate(settings().__class__(b"another key")).send_form(csrf=token).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://page.example", "Host": "page.example"}, 403),
        ({"Origin": "https://page.example", "Host": "page.example"}, 200),
        ({"Origin": "https://evil.example", "Host": "page.example"}, 403),
        ({"Origin": "null", "Host": "page.example"}, 403),
        ({}, 200),
    ],
)
def test_a_form_that_another_site_sent_is_refused_even_with_its_token(headers: dict[str, str], status: int) -> None:
    assert Gate().send_form(headers=headers).status == status


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""])
def test_a_browser_sends_forms_as_forms(kind: str) -> None:
    assert Gate().send_form(headers={"Content-Type": kind}).status == 415


def test_a_program_with_a_token_of_its_own_needs_no_form() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = Gate().ask("POST", "/api", client="10.0.0.6", headers=headers, body=b'{"reason": "deploy"}').actor
    assert (answer["name"], answer["body"]) == ("token ci", '{"reason": "deploy"}')


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_no_other_method_passes(method: str) -> None:
    assert Gate().ask(method, peer=0).status == 405


def test_a_form_that_is_too_long_is_refused() -> None:
    assert Gate().send_form("reason=" + "x" * 70_000).status == 413
    assert Gate().send_form("a=1&" * 200).status == 400


def test_an_actor_acts_not_too_often_and_no_other_is_held_up() -> None:
    gate = Gate()
    statuses = [gate.send_form().status for _ in range(25)]
    assert statuses.count(200) == 20
    last = gate.send_form()
    assert (last.status, 1 <= int(last.headers["retry-after"]) <= 3) == (429, True)
    assert gate.ask(peer=0).status == 200  # reading goes on
    assert gate.send_form(peer=NOBODY).status == 200


def test_a_websocket_gets_no_answer() -> None:
    sent: list[Any] = []

    async def nothing(*message: Any) -> None:
        sent.append(message)

    run(Gate().middleware({"type": "websocket"}, nothing, nothing))  # type: ignore[arg-type]
    assert sent == []


@given(st.lists(st.floats(0, 100), max_size=200).map(sorted))
def test_no_more_than_the_rate_passes_whenever_it_is_asked(times: list[float]) -> None:
    rate = Rate(burst=5, per_second=0.5)
    passed = [at for at in times if rate.wait("anna", at) == 0]
    for number, first in enumerate(passed):
        for later, last in enumerate(passed[number:]):
            assert later + 1 <= 5 + (last - first) * 0.5 + 1e-6


def test_who_is_told_to_wait_passes_after_that_time() -> None:
    rate = Rate(burst=1, per_second=0.5)
    assert rate.wait("anna", 0) == 0
    assert rate.wait("anna", 0.5) == 1.5
    assert rate.wait("anna", 2.0) == 0


def test_names_are_forgotten_when_there_are_too_many() -> None:
    rate = Rate(burst=1, per_second=1)
    for number in range(25_000):
        rate.wait(str(number), 0)
    assert len(rate._left) <= 10_000
    assert rate.wait("24999", 0) > 0
