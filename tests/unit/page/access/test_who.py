"""Who asks: the socket's peer, a trusted proxy's header, a token; everything else is nobody or refused."""

from __future__ import annotations

import os
import pwd
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.page.access import AccessMiddleware, Actor, configured, gate, require_safe_address
from scheduled_tasks.page.access.settings import KEYS, hash_of
from tests.documented import table
from tests.unit.page.access.gate import SECRET, TABLE, TOKEN, Gate, settings

WWW_DATA, NOBODY = pwd.getpwnam("www-data").pw_uid, pwd.getpwnam("nobody").pw_uid
PROXY = "10.0.0.5"
NAMED = {"X-Forwarded-User": "anna", "X-Proxy-Secret": "between us"}


def test_the_user_at_the_other_end_of_the_socket_is_the_actor() -> None:
    assert Gate().ask(peer=0).actor["name"] == "root"
    assert Gate().ask(peer=0).actor["admin"]
    nobody = Gate().ask(peer=NOBODY).actor
    assert (nobody["name"], nobody["admin"], nobody["clocks"]) == ("nobody", False, [])


def test_groups_of_this_machine_count_for_the_sockets_user() -> None:
    group = next(iter(os.getgrouplist("nobody", pwd.getpwnam("nobody").pw_gid)))
    assert group
    assert Gate(settings(admins=["@nogroup"])).ask(peer=NOBODY).actor["admin"]


def test_a_user_without_a_name_is_refused() -> None:
    refused = Gate().ask(peer=4_000_000)
    assert (refused.status, refused.text) == (403, "the user 4000000 has no name on this machine\n")


def test_the_proxy_names_the_person_over_the_socket() -> None:
    headers = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "booking, data"}
    anna = Gate().ask(peer=WWW_DATA, headers=headers).actor
    assert (anna["name"], anna["clocks"], anna["owners"], anna["admin"]) == ("anna", ["booking"], ["data"], False)


def test_the_proxy_without_a_name_is_nobody() -> None:
    assert Gate().ask(peer=WWW_DATA).status == 401
    assert Gate().ask(peer=WWW_DATA, headers={"X-Forwarded-User": " "}).status == 401


def test_a_header_by_another_user_of_the_socket_is_refused() -> None:
    refused = Gate().ask(peer=NOBODY, headers={"X-Forwarded-User": "root"})
    assert (refused.status, refused.text) == (403, "the header x-forwarded-user counts only from the proxy\n")


def test_the_proxy_names_the_person_from_its_address_with_the_secret() -> None:
    assert Gate().ask(client=PROXY, headers=NAMED).actor["name"] == "anna"
    assert Gate().ask(client="fd00::17", headers=NAMED).actor["name"] == "anna"


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("10.0.0.6", NAMED),
        ("127.0.0.1", NAMED),
        (PROXY, {"X-Forwarded-User": "anna"}),
        (PROXY, {**NAMED, "X-Proxy-Secret": "between"}),
        (PROXY, {**NAMED, "X-Proxy-Secret": ""}),
        ("not an address", NAMED),
        ("10.0.0.6", {"X_Forwarded_User": "root"}),
        ("10.0.0.6", {"X-Forwarded-Groups": "ops"}),
    ],
)
def test_a_header_that_does_not_come_from_the_proxy_is_refused(client: str, headers: dict[str, str]) -> None:
    assert Gate().ask(client=client, headers=headers).status == 403


def test_a_header_that_comes_twice_is_refused() -> None:
    twice = [("X-Forwarded-User", "anna"), ("x_forwarded_user", "root"), ("X-Proxy-Secret", "between us")]
    assert Gate().ask(client=PROXY, headers=twice).status == 400


@pytest.mark.parametrize("name", ["X_Forwarded_Groups", "x-forwarded_groups"])
def test_a_header_that_a_proxy_removes_with_hyphens_does_not_come_through_with_underscores(name: str) -> None:
    refused = Gate().ask(peer=WWW_DATA, headers={"X-Forwarded-User": "anna", name: "ops"})
    assert (refused.status, refused.text) == (403, "the header x-forwarded-groups is written with _\n")


def test_a_name_that_looks_like_a_group_is_not_one() -> None:
    assert not Gate().ask(peer=WWW_DATA, headers={"X-Forwarded-User": "@ops"}).actor["admin"]


@pytest.mark.parametrize("name", ["a" * 201, "anna\tadmin", "an\x7fna"])
def test_a_name_that_can_not_be_one_is_refused(name: str) -> None:
    assert Gate().ask(peer=WWW_DATA, headers={"X-Forwarded-User": name}).status == 400


@pytest.mark.parametrize("address", ["10.0.0.6", "127.0.0.1", PROXY])
def test_who_comes_by_tcp_without_anything_is_nobody(address: str) -> None:
    refused = Gate().ask(client=address)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="clocks"')


def test_a_token_acts_like_a_member_of_its_groups() -> None:
    ci = Gate().ask(client="10.0.0.6", headers={"Authorization": f"Bearer {TOKEN}"}).actor
    assert (ci["name"], ci["clocks"], ci["owners"], ci["admin"]) == ("token ci", ["booking"], [], False)


def test_a_wrong_or_ended_token_is_refused_even_over_the_socket() -> None:
    wrong = Gate().ask(peer=0, headers={"Authorization": "Bearer st_"})
    assert (wrong.status, wrong.text) == (401, "no such token\n")
    ended = {"ci": {"sha256": hash_of(TOKEN), "until": datetime(2026, 1, 1, tzinfo=UTC)}}
    refused = Gate(settings(tokens=ended)).ask(peer=0, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (refused.status, refused.text) == (401, "the token ci has ended\n")


def test_a_page_in_the_foreground_knows_its_user_and_no_other_host_or_name() -> None:
    gate = Gate(configured({"admins": ["anna"]}, SECRET, local_user="anna"))
    for host in ("localhost:8765", "127.0.0.1:8765", "[::1]:8765", "localhost"):
        assert gate.ask(client="127.0.0.1", headers={"Host": host}).actor["name"] == "anna"
    assert gate.ask(client="127.0.0.1", headers={"Host": "evil.example:8765"}).status == 401  # DNS rebinding
    assert gate.ask(client="127.0.0.1").status == 401
    assert gate.ask(client="10.0.0.6", headers={"Host": "localhost:8765"}).status == 401


def test_files_of_the_page_are_for_everybody_and_nothing_else_is() -> None:
    assert Gate().ask(path="/static/page.css", client="10.0.0.6").actor["name"] is None
    assert Gate().ask(path="/static/../", client="10.0.0.6", method="POST").status in {401, 403}
    assert Gate().ask(path="/staticfile", client="10.0.0.6").status == 401


def test_an_operator_may_act_on_named_clocks_and_owners_only() -> None:
    bert = Actor("bert", clocks=frozenset({"booking"}), owners=frozenset({"data"}))
    assert bert.is_operator
    assert [bert.may_act_on("booking"), bert.may_act_on("night", "data")] == [True, True]
    assert [bert.may_act_on("night"), bert.may_act_on("night", "shop"), bert.may_act_on("")] == [False] * 3
    viewer = Actor("anna")
    assert not viewer.is_operator
    assert not viewer.may_act_on("booking", "data")
    assert Actor("root", is_admin=True).may_act_on("night", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "page.example"])
def test_a_page_that_knows_nobody_does_not_listen_beyond_this_machine(host: str) -> None:
    with pytest.raises(ConfigurationError, match="does not listen on"):
        require_safe_address(configured({"admins": ["anna"]}, SECRET, local_user="anna"), host)
    over_socket = {"proxy": {"user_header": "X-User", "users": ["www-data"]}}
    with pytest.raises(ConfigurationError, match="does not listen on"):
        require_safe_address(configured(over_socket, SECRET), host)
    require_safe_address(settings(), host)
    for own in ("127.0.0.1", "::1", "localhost"):
        require_safe_address(configured({}, SECRET), own)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"admins": "anna"}, "admins = 'anna': write a list of names"),
        ({"clock_operators": ["anna"]}, "clock_operators = ['anna']: write a table"),
        ({"proxy": {"user_header": "X-User"}}, "proxy: write users"),
        ({"proxy": {"users": ["www-data"]}}, "proxy.user_header = None: write a text"),
        ({"proxy": {"user": "X"}}, "proxy: unknown key 'user'; write users"),
        ({"admin": ["anna"]}, "[page]: unknown key 'admin'; write admins"),
        ({"idle_seconds": "15min"}, "[page] idle_seconds = '15min': write a whole number of seconds"),
        (
            {"proxy": {"user_header": "X", "addresses": ["proxy.example"]}},
            "'proxy.example' is not an address or network",
        ),
        ({"tokens": {"ci": {"sha256": TOKEN, "until": datetime(2099, 1, 1, tzinfo=UTC)}}}, "not the token"),
        ({"tokens": {"ci": {"sha256": "0" * 64}}}, "tokens.ci.until: write when it ends"),
        ({"oidc": {"issuer": "https://id.example"}}, "oidc.client_id = None: write a text"),
    ],
)
def test_a_faulty_table_is_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        configured({**TABLE, **changed}, SECRET, proxy_secret="between us")
    assert problem in str(refused.value)


def test_addresses_of_a_proxy_need_a_secret() -> None:
    with pytest.raises(ConfigurationError, match=r"needs the credential page\.proxy_secret"):
        configured(TABLE, SECRET)


def test_the_keys_are_documented() -> None:
    documented = {key.partition(".")[0] for key in table("reference/configuration.md", "key of page")}
    assert documented == set(KEYS)


def test_only_a_page_with_a_provider_imports_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None: ...

    assert type(gate(nothing, settings())) is AccessMiddleware
    oidc = {"issuer": "https://id.example", "client_id": "clocks", "public_url": "https://page.example"}
    monkeypatch.setitem(sys.modules, "scheduled_tasks.page.access.oidc", None)
    with pytest.raises(ConfigurationError, match="install the extra page-oidc"):
        gate(nothing, settings(oidc=oidc))
