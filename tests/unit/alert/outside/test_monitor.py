"""Each service is pinged as its documentation says."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from scheduled_tasks.alert.outside.monitor import MAX_BODY, RunPing, What, request_of

RUN = UUID("3f2a8c91-0000-4000-8000-000000000001")
SCHEDULE = {"schedule": {"type": "crontab", "value": "30 2 * * *"}, "timezone": "Europe/Paris"}


def ping(what: What, **values: Any) -> RunPing:
    return RunPing("shop", "sell", "app1", what, **{"run_id": RUN, **values})


HEALTHCHECKS = "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.mark.parametrize(("what", "path"), [("start", "/start"), ("success", ""), ("fail", "/fail"), ("log", "/log")])
def test_healthchecks_gets_each_signal_at_its_own_path_with_the_runs_id(what: What, path: str) -> None:
    request = request_of(HEALTHCHECKS, ping(what))
    assert request
    assert request.url == f"{HEALTHCHECKS}{path}?rid={RUN}"
    assert request.method == "GET"


def test_healthchecks_gets_the_exit_code_and_the_text() -> None:
    request = request_of("https://hc.example.org/ping/key/shop-sell/?create=1", ping("fail", exit_code=75, text="why"))
    assert request
    assert request.url == f"https://hc.example.org/ping/key/shop-sell/75?create=1&rid={RUN}"
    assert (request.method, request.body) == ("POST", b"why")


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = "why\n" + "é" * 20_000 + "\nthe last line"
    request = request_of(HEALTHCHECKS, ping("fail", text=text))
    assert request
    assert request.body
    assert len(request.body) <= MAX_BODY
    assert request.body.startswith(b"why\n")
    assert request.body.decode().endswith("\nthe last line")


def test_a_ping_that_ends_whatever_runs_names_no_run() -> None:
    request = request_of(HEALTHCHECKS, ping("success", run_id=None))
    assert request
    assert request.url == HEALTHCHECKS


@pytest.mark.parametrize(("what", "status"), [("start", "in_progress"), ("success", "ok"), ("fail", "error")])
def test_sentry_gets_a_check_in_with_the_schedule(what: What, status: str) -> None:
    request = request_of("https://abc123@o1.ingest.sentry.io/42", ping(what, duration=3.25, schedule=SCHEDULE))
    assert request
    assert request.url == "https://o1.ingest.sentry.io/api/42/cron/shop-sell/abc123/"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {
        "status": status,
        "check_in_id": "3f2a8c91000040008000000000000001",
        "duration": 3.25,
        "monitor_config": SCHEDULE,
    }


def test_sentrys_own_url_of_a_monitor_is_taken_as_it_is() -> None:
    url = "https://sentry.example.org/prefix/api/42/cron/nightly/abc123/"
    request = request_of(url, ping("success"))
    assert request
    assert request.url == url


def test_a_dsn_below_a_path_keeps_the_path() -> None:
    request = request_of("https://abc123@sentry.example.org/prefix/42", ping("success"))
    assert request
    assert request.url == "https://sentry.example.org/prefix/api/42/cron/shop-sell/abc123/"


def test_cronitor_gets_the_state_the_run_and_the_duration() -> None:
    request = request_of("https://cronitor.link/p/key/sell", ping("fail", duration=3.25, exit_code=1, text="why"))
    assert request
    assert request.url == (
        f"https://cronitor.link/p/key/sell?state=fail&host=app1&message=why&series={RUN}&status_code=1"
        "&metric=duration%3A3.250"
    )


@pytest.mark.parametrize("what", ["start", "fail", "log"])
def test_any_other_url_hears_of_successes_only(what: What) -> None:
    assert request_of("https://nosnch.in/c2354d53d2", ping(what)) is None
    request = request_of("https://nosnch.in/c2354d53d2", ping("success"))
    assert request
    assert request.url == "https://nosnch.in/c2354d53d2"


@pytest.mark.parametrize("url", ["https://abc123@o1.ingest.sentry.io/42", "https://cronitor.link/p/key/sell"])
def test_a_skip_is_told_only_where_there_is_a_place_for_it(url: str) -> None:
    assert request_of(url, ping("log", text="skipped")) is None
