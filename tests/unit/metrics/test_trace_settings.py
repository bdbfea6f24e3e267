"""The table `[traces]`: it is read whole, or every one of its faults is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.metrics.sender_needs import missing_credentials, sender_network, why_no_database
from scheduled_tasks.metrics.traces.trace_settings import KEYS, TraceSettings, trace_settings
from tests.documented import PAGES, table
from tests.unit.alert.test_routes import settings

WHOLE = """
credentials = ["notify.otlp_url", "notify.otlp_headers"]

[traces]
credential = "otlp_url"
headers_credential = "otlp_headers"
service = "shop"
resource = { "deployment.environment.name" = "production" }
allow_network = ["192.0.2.4"]
"""


def test_a_whole_table_is_read() -> None:
    read = trace_settings(settings(WHOLE))
    assert read == TraceSettings(
        Endpoint(credential="otlp_url"), "otlp_headers", "shop", {"deployment.environment.name": "production"},
        ("192.0.2.4",),
    )  # fmt: skip
    assert read


def test_without_a_table_nothing_is_exported() -> None:
    assert not trace_settings(settings(""))
    assert sender_network(settings("")) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("traces = 1", "traces=1: is not a table; write [traces] and below it name = value"),
        ("[traces]", "traces.url: is missing; it is the URL of an OTLP/HTTP receiver, http://127.0.0.1:4318"),
        (
            '[traces]\nurl = "otlp.example.org"',
            "traces.url='otlp.example.org': is not a URL that begins with http:// or https://; it is the URL of an ",
        ),
        (
            '[traces]\nurl = "https://a.example"\ncredential = "a"\n',
            "traces.credential='a': is not a credential of the sender of notices; add \"notify.a\" to credentials",
        ),
        (
            '[traces]\nurl = "https://a.example"\nservice = ""',
            "traces.service='': is not a text of at most 255 printable characters; it is the attribute service.name",
        ),
        (
            '[traces]\nurl = "https://a.example"\nresource = { team = 7 }',
            "traces.resource={'team': 7}: is not a text of at most 255 printable characters; it is more attributes",
        ),
        ('[traces]\nendpoint = "https://a.example"', "traces.endpoint='https://a.example': is unknown; "),
    ],
)
def test_a_fault_says_what_to_write_instead(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        trace_settings(settings(text))
    assert f"/etc/shop/config.toml: {fault}" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "posted_to"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://api.example.org/otlp/v1/traces", "https://api.example.org/otlp/v1/traces"),
    ],
)
def test_a_url_without_a_path_gets_that_of_otlp(url: str, posted_to: str) -> None:
    assert TraceSettings(Endpoint(url)).url(settings("")) == posted_to


@pytest.mark.parametrize(
    ("line", "network"),
    [
        ("url = 'http://127.0.0.1:4318'", ()),
        ("url = 'http://192.0.2.4:4318'", ("192.0.2.4",)),
        ("url = 'https://otlp.example.org'", ("any",)),
        ("url = 'https://otlp.example.org'\nallow_network = ['192.0.2.4', '192.0.2.5']", ("192.0.2.4", "192.0.2.5")),
    ],
)
def test_the_sender_can_reach_the_receiver_besides_its_routes(line: str, network: tuple[str, ...]) -> None:
    route = "[notify.routes.ops]\nkind = 'webhook'\nurl = 'http://192.0.2.1/'\n"
    assert sender_network(settings(f"[traces]\n{line}")) == network
    expected = ("any",) if "any" in network else ("192.0.2.1", *network)
    assert sender_network(settings(f"{route}[traces]\n{line}")) == expected


def test_a_sender_that_only_exports_needs_a_database_too() -> None:
    traces = '[traces]\nurl = "http://127.0.0.1:4318"'
    own = settings(f'tasks_role = "shop_tasks"\n{traces}')
    assert "[traces]: the sender of notices has no database" in why_no_database(own, {"database_url"})
    assert why_no_database(own, {"database_url", "notify.database_url"}) == ""
    assert why_no_database(settings(traces), {"database_url"}) == ""


def test_a_credential_without_a_value_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/notify.otlp_url").write_text("https://otlp.example.org")
    [problem] = missing_credentials(settings(WHOLE, tmp_path / "config.toml"))
    assert problem.startswith("the credential notify.otlp_headers has no value")


def test_the_documented_table_is_the_codes_own() -> None:
    assert set(table("reference/configuration.md", "key of traces")) == set(KEYS)


def test_the_documented_example_is_without_fault() -> None:
    [example] = [block for block in PAGES["reference/configuration.md"].split("```") if "\n[traces]" in block]
    read = trace_settings(settings(example.removeprefix("toml\n")))
    assert (read.endpoint.url, read.service) == ("https://otlp.example.org", "shop-tasks")
