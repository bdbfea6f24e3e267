"""The table `[notify]`: it is read whole, or every one of its faults is named at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.alert.endpoints import Endpoint, ping_url, read_credential
from scheduled_tasks.alert.route_keys import KEYS, KINDS, ROUTE_KEYS
from scheduled_tasks.alert.routes import (
    NotifySettings,
    Route,
    missing_credentials,
    notify_names,
    notify_settings,
)
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.metrics.sender_needs import why_no_database
from scheduled_tasks.options import ALERTS, OPTIONS, read_options
from scheduled_tasks.run.settings import Settings
from tests.documented import PAGES, table

WHOLE = """
credentials = ["database_url", "notify.mail_url", "notify.hook_url", "notify.hook_key",
  "notify.pager_url", "notify.hc_key"]
encrypted_credentials = ["notify.heartbeat"]

[notify]
default = ["ops", "hook"]
fallback = "pager"
heartbeat_credential = "heartbeat"
alertmanager_url = "http://192.0.2.9:9093"
page_url = "https://clocks.example.org/{run}"
monitors_credential = "hc_key"
allow_network = ["192.0.2.9"]

[notify.routes.ops]
kind = "mail"
credential = "mail_url"
to = ["ops@example.org", "Night Shift <night@example.org>"]
from = "clocks@example.org"
allow_network = ["192.0.2.25"]

[notify.routes.hook]
kind = "webhook"
credential = "hook_url"
signing_credential = "hook_key"
allow_network = ["192.0.2.25", "2001:db8::/32"]

[notify.routes.pager]
kind = "apprise"
credential = "pager_url"
"""


NAMES = st.sampled_from([*KEYS, *ROUTE_KEYS, "ops"])


def settings(text: str, path: Path = Path("/etc/shop/config.toml")) -> Settings:
    return Settings(path, tomllib.loads(text), deployed=True)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        notify_settings(settings(text))
    return [line.removeprefix("/etc/shop/config.toml: ") for line in str(caught.value).splitlines()]


def test_a_whole_table_is_read() -> None:
    read = notify_settings(settings(WHOLE))
    assert dict(read.routes) == {
        "ops": Route(
            "ops", "mail", Endpoint(credential="mail_url"), ("ops@example.org", "Night Shift <night@example.org>"),
            "clocks@example.org", allow_network=("192.0.2.25",),
        ),
        "hook": Route(
            "hook", "webhook", Endpoint(credential="hook_url"), signing_credential="hook_key",
            allow_network=("192.0.2.25", "2001:db8::/32"),
        ),
        "alertmanager": Route("alertmanager", "alertmanager", Endpoint("http://192.0.2.9:9093")),
        "pager": Route("pager", "apprise", Endpoint(credential="pager_url"), allow_network=("any",)),
    }  # fmt: skip
    assert (read.default, read.fallback, read.heartbeat) == (("ops", "hook"), "pager", Endpoint("", "heartbeat"))
    assert read.alertmanager == Endpoint("http://192.0.2.9:9093")
    assert (read.page_url, read.monitors_credential) == ("https://clocks.example.org/{run}", "hc_key")
    assert read.sender_network == ("any",)


def test_without_a_table_nobody_is_told() -> None:
    assert notify_settings(settings("")) == NotifySettings()
    assert not NotifySettings().needs_sender


def test_one_route_is_the_default_and_the_fallback() -> None:
    read = notify_settings(settings('[notify.routes.ops]\nkind = "webhook"\nurl = "http://127.0.0.1:8080/told"'))
    assert (read.default, read.fallback, read.needs_sender) == (("ops",), "ops", True)
    assert read.routes["ops"].endpoint == Endpoint("http://127.0.0.1:8080/told")


@pytest.mark.parametrize(
    ("line", "addresses"),
    [
        ('url = "http://127.0.0.1:8080"', ()), ('url = "http://localhost/"', ()), ('url = "http://[::1]/"', ()),
        ('url = "http://192.0.2.7/"', ("192.0.2.7",)), ('url = "http://[2001:db8::7]:80/"', ("2001:db8::7",)),
        ('url = "http://hook.example/"', ("any",)), ('credential = "hook_url"', ("any",)),
        ('credential = "hook_url"\nallow_network = ["192.0.2.7"]', ("192.0.2.7",)),
        ('credential = "hook_url"\nallow_network = []', ()),
    ],
)  # fmt: skip
def test_the_sender_can_reach_what_a_route_needs_and_no_more(line: str, addresses: tuple[str, ...]) -> None:
    route = f'credentials = ["notify.hook_url"]\n[notify.routes.ops]\nkind = "webhook"\n{line}'
    assert notify_settings(settings(route)).sender_network == addresses


def test_the_sender_can_reach_the_dead_mans_switch_and_the_alertmanager() -> None:
    text = '[notify]\nheartbeat_url = "http://192.0.2.8/"\nalertmanager_url = "http://192.0.2.9:9093"'
    assert notify_settings(settings(text)).sender_network == ("192.0.2.8", "192.0.2.9")
    text += '\nallow_network = ["192.0.2.0/24"]'
    assert notify_settings(settings(text)).sender_network == ("192.0.2.0/24",)


def test_an_alertmanager_is_a_route_and_the_default_one_if_there_is_no_other() -> None:
    only = settings('[notify]\nalertmanager_url = "http://192.0.2.9:9093"')
    read = notify_settings(only)
    assert (tuple(read.routes), read.default, read.fallback) == (("alertmanager",), ("alertmanager",), "alertmanager")
    assert notify_names(only).routes == ("alertmanager",)
    of_the_same_name = '[notify.routes.alertmanager]\nkind = "webhook"\nurl = "http://127.0.0.1"'
    assert faults(f'[notify]\nalertmanager_url = "http://192.0.2.9:9093"\n{of_the_same_name}') == [
        "notify.routes.alertmanager: is the name of the route to alertmanager_url; give the route another name"
    ]


def test_the_senders_database_is_required_if_the_jobs_have_a_role_of_their_own() -> None:
    route = '[notify.routes.ops]\nkind = "webhook"\nurl = "http://127.0.0.1"'
    own = settings(f'tasks_role = "shop_tasks"\n{route}')
    assert 'add "notify.database_url" to credentials' in why_no_database(own, {"database_url"})
    assert why_no_database(own, {"database_url", "notify.database_url"}) == ""
    assert why_no_database(settings(route), {"database_url"}) == ""
    assert why_no_database(settings('tasks_role = "shop_tasks"'), {"database_url"}) == ""


def test_every_fault_of_a_table_is_named_at_once() -> None:
    folder = Path(__file__).parent
    assert faults((folder / "faulty.toml").read_text()) == (folder / "faulty.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("notify = 1", "notify=1: is not a table; write [notify] and below it name = value"),
        ("[notify]\nroutes = 1", ("notify.routes=1: is not a table of routes; it is a table for each route, "
         "[notify.routes.NAME]")),
        ('[notify.routes."a b"]\nkind = "webhook"\nurl = "http://127.0.0.1"',
         "notify.routes.a b: is not a name; write letters, digits, _ and -, at most 64"),
        ('[notify]\nheartbeat_url = "https://a.example"\nheartbeat_credential = "a"',
         ("notify.heartbeat_credential='a': is not a credential of the sender of notices; add \"notify.a\" to "
         "credentials, and write the file credentials/notify.a")),
    ],
)  # fmt: skip
def test_a_fault_says_what_to_write(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_clock_files_can_name_routes_of_a_table_with_faults() -> None:
    names = notify_names(settings('credentials = ["notify.ping", "shop.token"]\n[notify.routes.ops]\nkind = "?"'))
    assert (names.routes, names.credentials) == (("ops",), ("ping",))


def test_a_credential_is_read_from_where_systemd_or_a_person_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    configuration = settings("", tmp_path / "config.toml")
    endpoint = Endpoint(credential="ops_url")
    with pytest.raises(ConfigurationError, match=r"notify\.ops_url has no value: write it into .*/notify\.ops_url"):
        endpoint.read(configuration)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/notify.ops_url").write_text("smtp://by.hand\n")
    assert endpoint.read(configuration) == "smtp://by.hand"
    (tmp_path / "ops_url").write_text("smtp://of.the.service\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert endpoint.read(configuration) == "smtp://of.the.service"
    monkeypatch.setenv("OPS_URL", "smtp://of.the.shell")
    assert endpoint.read(configuration) == "smtp://of.the.shell"


def test_an_encrypted_credential_is_read_only_by_the_service(tmp_path: Path) -> None:
    configuration = settings('encrypted_credentials = ["notify.ops_url"]', tmp_path / "config.toml")
    with pytest.raises(ConfigurationError, match="only the service that sends notices can read it"):
        read_credential("ops_url", configuration)


def test_a_credential_without_a_value_is_found_on_the_host_that_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "credentials").mkdir()
    for name, value in {"mail_url": "smtp://mail.example", "hook_key": "", "pager_url": "ntfy://topic"}.items():
        (tmp_path / f"credentials/notify.{name}").write_text(value)
    deployed = settings(WHOLE, tmp_path / "config.toml")
    assert [problem.partition(":")[0] for problem in missing_credentials(deployed)] == [
        f"the credential notify.{name} has no value" for name in ("hook_url", "hook_key", "hc_key")
    ]
    assert missing_credentials(deployed._replace(deployed=False)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([*KEYS, *KINDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)


@given(JSON)
def test_a_table_with_whatever_in_it_is_read_or_has_faults(table: object) -> None:
    given_settings = Settings(Path("/etc/shop/config.toml"), {"notify": table}, deployed=True)
    assert isinstance(notify_names(given_settings).routes, tuple)
    try:
        read = notify_settings(given_settings)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        assert [line for line in lines if "notify" not in line] == []
    else:
        assert set(read.default) <= set(read.routes)
        assert read.sender_network in {(), ("any",)} or "any" not in read.sender_network


@given(st.sampled_from([name for name, option in OPTIONS.items() if option.section == ALERTS]), JSON)
def test_an_alert_option_with_whatever_as_its_value_is_read_or_is_a_fault(name: str, value: object) -> None:
    options, found = read_options({name: value})
    assert len(options.values) + len(found) == 1


def test_a_pings_url_has_the_names_of_clock_and_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = settings("", tmp_path / "config.toml")
    monkeypatch.setenv("STOCK_PING", "https://ping.example/1")
    names = ("shop", "count", "app1")
    assert ping_url({}, *names, configuration) == ""
    url = "https://ping.example/key/{clock}-{job}-{host}"
    assert ping_url({"ping": url}, *names, configuration) == "https://ping.example/key/shop-count-app1"
    assert ping_url({"ping": "stock_ping"}, *names, configuration) == "https://ping.example/1"


def test_the_documented_tables_are_the_codes_own() -> None:
    assert set(table("reference/configuration.md", "key of notify")) == set(KEYS)
    documented = {key: cells[0] for key, cells in table("reference/configuration.md", "key of a route").items()}
    own = {key: kind for kind, keys in KINDS.items() for key in (*keys.required, *keys.optional)}
    own["url"] = ", ".join(kind for kind, keys in KINDS.items() if keys.schemes)
    assert documented == {key: own.get(key, "") for key in ROUTE_KEYS}


def test_the_documented_example_is_without_fault() -> None:
    [example] = [
        block for block in PAGES["reference/configuration.md"].split("```") if block.startswith("toml\ncredentials = ")
        and "[notify]" in block
    ]  # fmt: skip
    read = notify_settings(settings(example.removeprefix("toml\n")))
    assert (read.default, read.fallback) == (("ops",), "pager")
