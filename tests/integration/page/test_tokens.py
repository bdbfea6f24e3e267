"""`clocks tokens`: a program's token acts as a member of its groups until it ends or is revoked; the hash is stored."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from scheduled_tasks.page.access import AccessSettings
from scheduled_tasks.page.access.actor import Authority
from scheduled_tasks.page.access.settings import hash_of
from scheduled_tasks.page.app import create_app
from tests.integration.operate.shop import clocks
from tests.integration.page.conftest import serving
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nobody is known by the way in which a request comes; who is in the group ops may act on the clock booking.
ACCESS = AccessSettings(b"a secret", Authority(of_clocks={"booking": frozenset({"@ops"})}))


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    with serving(create_app(database_url, zone="UTC", access=ACCESS)) as url:
        yield url


def get(url: str, token: str, path: str = "/api/status") -> int:
    return httpx.get(url + path, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


def pause(url: str, token: str, clock: str) -> int:
    fields, headers = {"clock": clock, "reason": "by a program"}, {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/act/pause", data=fields, headers=headers).status_code


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(clocks("tokens", "list", "--json").stdout)
    return found


def test_a_token_looks_and_one_of_a_group_acts_like_its_members(url: str, database_url: str) -> None:
    viewer = clocks("tokens", "create", "grafana").stdout.strip()
    operator = clocks("tokens", "create", "ci", "--group", "ops", "--reason", "it deploys").stdout.strip()
    assert httpx.get(f"{url}/api/status").status_code == 401
    assert get(url, viewer) == get(url, operator) == 200
    assert pause(url, viewer, "booking") == 403
    assert pause(url, operator, "algolia") == 403
    assert pause(url, operator, "booking") == 303
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT clock, paused_by FROM pause").fetchall() == [("booking", "token ci")]


def test_only_the_hash_of_a_token_is_stored_and_it_is_shown_once(database_url: str) -> None:
    done = clocks("tokens", "create", "ci", "--until", "30d")
    token = done.stdout.strip()
    assert re.fullmatch("st_[0-9a-f]{64}", token)
    assert "is not shown again" in done.stderr
    with psycopg.connect(database_url) as connection:
        [(row, sha256)] = connection.execute("SELECT page_token::text, sha256 FROM page_token").fetchall()
    assert token.removeprefix("st_") not in row
    assert sha256 == hash_of(token)
    assert token.removeprefix("st_") not in clocks("tokens", "list").output + json.dumps(listed())
    assert [(row["name"], row["state"], row["created_by"]) for row in listed()] == [("ci", "valid", "anna")]


def test_a_revoked_token_is_refused_within_seconds_and_its_name_can_be_used_again(url: str, database_url: str) -> None:
    first = clocks("tokens", "create", "ci").stdout.strip()
    assert get(url, first) == 200
    assert clocks("tokens", "revoke", "ci").stdout == "ci is revoked\n"
    wait_for("the page to refuse the token", lambda: get(url, first) == 401)
    assert clocks("tokens", "revoke", "ci").stdout == "ci was revoked already\n"
    second = clocks("tokens", "create", "ci").stdout.strip()
    wait_for("the page to know the new token", lambda: get(url, second) == 200)
    assert get(url, first) == 401
    assert [(row["name"], row["state"], row["revoked_by"]) for row in listed()] == [
        ("ci", "valid", None), ("ci", "revoked", "anna"),
    ]  # fmt: skip


def test_a_token_ends(url: str, database_url: str) -> None:
    token = clocks("tokens", "create", "ci").stdout.strip()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE page_token SET until = now() - interval '1 s'")
    answer = httpx.get(f"{url}/api/status", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.text) == (401, "the token ci has ended\n")
    assert [row["state"] for row in listed()] == ["ended"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create", "two words"], "a token can't be called 'two words'"),
        (["create", "ci", "--until", "2020-01-01"], "is in the past"),
        (["revoke", "nobody"], "there is no token 'nobody'"),
    ],
)
def test_a_mistake_is_refused(database_url: str, arguments: list[str], problem: str) -> None:
    done = clocks("tokens", *arguments, check=False)
    assert done.exit_code == 64
    assert problem in done.stderr


def test_two_valid_tokens_do_not_have_one_name(database_url: str) -> None:
    clocks("tokens", "create", "ci")
    again = clocks("tokens", "create", "ci", check=False)
    assert (again.exit_code, "there is a token ci: revoke it first" in again.stderr) == (64, True)


def test_a_ledger_that_does_not_answer_lets_no_token_pass(database_url: str) -> None:
    away = psycopg.conninfo.make_conninfo(database_url, host="/nowhere", connect_timeout="1")
    with serving(create_app(away, zone="UTC", access=replace(ACCESS, local_user="anna"))) as url:
        assert get(url, "st_" + "0" * 64) == 503
