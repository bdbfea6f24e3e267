"""Webhooks, Apprise and Alertmanager against real servers: what they get, and what becomes of an answer."""

from __future__ import annotations

import base64
import dataclasses
import json
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from scheduled_tasks.alert.delivery import DeliveryError, deliver, error
from scheduled_tasks.alert.delivery.http import request
from tests.documented import PAGES, ROOT, blocks
from tests.integration.alert.messages import DATA, ID, MESSAGE, SUBJECT, TEXT, route
from tests.sinks import WebServer, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "whsec_" + base64.b64encode(b"32 bytes that only two sides know").decode()
SCHEMA = json.loads(
    (Path(error.__file__).with_name("webhook.schema.json")).read_text(encoding="utf-8"),
)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as one:
        yield one


def test_a_webhook_gets_the_messages_json_once_and_its_id_as_the_key(server: WebServer) -> None:
    assert deliver(route("webhook", f"{server.url}/hook?team=ops"), MESSAGE) == ""
    [posted] = server.requests
    assert (posted.method, posted.path, posted.json) == ("POST", "/hook?team=ops", DATA)
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.headers["Idempotency-Key"] == posted.headers["Webhook-Id"] == str(ID)
    assert "Webhook-Signature" not in posted.headers
    jsonschema.validate(posted.json, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("secret", [SECRET, "plain text"])
def test_a_signed_webhook_is_verified_by_the_example_in_the_docs_and_not_if_it_was_changed(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    deliver(route("webhook", server.url, signing_credential="hook_secret"), MESSAGE)
    [posted] = server.requests
    [example] = [block.text for block in blocks("reference/webhook.md") if block.language == "python"]
    names: dict[str, Any] = {}
    exec(example, names)
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret == SECRET else secret.encode()
    assert names["is_ours"](posted.headers, posted.body, key)
    assert not names["is_ours"](posted.headers, posted.body + b" ", key)
    old = {**posted.headers, "Webhook-Timestamp": str(int(time.time()) - 400)}
    assert not names["is_ours"](old, posted.body, key)


def test_a_signed_webhook_is_verified_by_the_library_of_standard_webhooks(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    deliver(route("webhook", server.url, signing_credential="hook_secret"), MESSAGE)
    [posted] = server.requests
    headers = {name.lower(): value for name, value in posted.headers.items()}
    assert Webhook(SECRET).verify(posted.body, headers) == DATA
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(posted.body.replace(b"full", b"free"), headers)


def test_a_secret_that_is_no_base64_is_refused_before_anything_is_sent(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec_not base64!")
    with pytest.raises(DeliveryError, match="not base64") as refused:
        deliver(route("webhook", server.url, signing_credential="hook_secret"), MESSAGE)
    assert (refused.value.is_permanent, server.requests) == (True, [])


@pytest.mark.parametrize(
    ("status", "is_permanent"),
    [(400, True), (401, True), (404, True), (410, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_an_error_says_what_the_server_answered_and_whether_to_try_again(
    server: WebServer, status: int, *, is_permanent: bool
) -> None:
    server.answers = [(status, {}, b'{"error": "invalid\n token=abcdef123456"}')]
    with pytest.raises(DeliveryError, match=rf"{server.url} answered {status} .*invalid token=\*\*\*") as refused:
        deliver(route("webhook", f"{server.url}/services/T0000/secret-path"), MESSAGE)
    assert refused.value.is_permanent is is_permanent
    assert "secret-path" not in str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(server: WebServer, status: int) -> None:
    server.answers = [(status, {"Location": f"{server.url}/elsewhere"}, b"")]
    with pytest.raises(DeliveryError, match=f"answered {status}, with a redirection") as refused:
        deliver(route("webhook", server.url), MESSAGE)
    assert (refused.value.is_permanent, len(server.requests)) == (True, 1)


def test_the_user_of_a_url_is_sent_as_basic_authentication_and_never_shown(server: WebServer) -> None:
    url = server.url.replace("//", "//ada:p%40ss@") + "/hook"
    server.answers = [(200, {}, b""), (403, {}, b"")]
    deliver(route("webhook", url), MESSAGE)
    assert server.requests[0].headers["Authorization"] == f"Basic {base64.b64encode(b'ada:p@ss').decode()}"
    with pytest.raises(DeliveryError) as refused:
        deliver(route("webhook", url), MESSAGE)
    assert str(refused.value) == f"{server.url} answered 403 Forbidden"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "example.org", "http://", "http://[::1", "http://h:99999/"]
)
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(DeliveryError, match="not one of http:// or https://") as refused:
        deliver(route("webhook", url), MESSAGE)
    assert refused.value.is_permanent


def test_a_server_that_nobody_reaches_is_tried_again() -> None:
    with web_server() as gone:
        url = gone.url
    with pytest.raises(DeliveryError, match=f"{url} can't be reached: .*refused") as refused:
        deliver(route("webhook", url), MESSAGE)
    assert not refused.value.is_permanent


def test_a_server_that_never_ends_its_answer_is_given_up() -> None:
    def drip(_posted: object) -> None:
        time.sleep(0.3)

    with web_server(on_request=drip) as slow, pytest.raises(DeliveryError, match=r"no answer within 0\.1 s|timed out"):
        request(slow.url, timeout=0.1)


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    with web_server(tls=context) as server, pytest.raises(DeliveryError, match="certificate") as refused:
        deliver(route("webhook", server.url), MESSAGE)
    assert (server.requests, refused.value.is_permanent) == ([], False)


def self_signed(folder: Path) -> ssl.SSLContext:
    import subprocess

    command = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]
    paths = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"]
    subprocess.run([*command, *paths], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_message_with_half_characters_is_sent_all_the_same(server: WebServer) -> None:
    odd = dataclasses.replace(MESSAGE, text="half \ud83d")
    deliver(route("webhook", server.url), odd)
    assert server.requests[0].json["text"] == "half ?"


def test_apprise_sends_subject_and_text_and_cuts_what_is_too_long(server: WebServer) -> None:
    url = server.url.replace("http", "json")
    assert deliver(route("apprise", f"{url}/?overflow=truncate"), MESSAGE) == ""
    [posted] = server.requests
    assert (posted.json["title"], posted.json["message"].strip(), posted.json["type"]) == (
        SUBJECT,
        TEXT.strip(),
        "failure",
    )


def test_what_apprise_logs_of_a_failure_is_the_error(server: WebServer) -> None:
    server.answers = [(500, {}, b"")] * 3
    with pytest.raises(DeliveryError, match=r"JSON did not accept the message: .*500") as refused:
        deliver(route("apprise", server.url.replace("http", "json")), MESSAGE)
    assert not refused.value.is_permanent


def test_one_of_several_urls_that_fails_is_a_problem_and_no_error(server: WebServer) -> None:
    url = server.url.replace("http", "json")
    server.answers = [(404, {}, b""), (200, {}, b"")]
    assert "JSON did not accept the message" in deliver(route("apprise", f"{url}/a\n{url}/b"), MESSAGE)
    assert [posted.path for posted in server.requests] == ["/a", "/b"]


def test_a_url_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(DeliveryError, match=r"Apprise doesn't know the URL of the route \(nowhere://…\)") as refused:
        deliver(route("apprise", "nowhere://token-of-the-team"), MESSAGE)
    assert refused.value.is_permanent
    assert "token-of-the-team" not in str(refused.value)


def test_the_page_describes_each_field_of_the_schema() -> None:
    page = PAGES["reference/webhook.md"]
    assert [name for name in SCHEMA["properties"] if f"| `{name}` |" not in page] == []


GOLDEN = sorted((ROOT / "tests/golden_messages").glob("*/message.json"))


@pytest.mark.parametrize("file", GOLDEN, ids=[file.parent.name for file in GOLDEN])
def test_every_golden_message_fits_the_schema(file: Path) -> None:
    data = {"text": "in message.txt", **json.loads(file.read_text())}
    jsonschema.validate(data, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_alertmanager_gets_an_alert_with_the_incidents_labels(server: WebServer) -> None:
    deliver(route("alertmanager", server.url), MESSAGE)
    [posted] = server.requests
    [alert] = posted.json
    assert posted.path == "/api/v2/alerts"
    assert alert["labels"] == {
        "alertname": "ScheduledTaskFailing", "kind": "failing", "clock": "booking", "job": "cancel", "owner": "data",
        "severity": "critical",
    }  # fmt: skip
    assert alert["annotations"] == {
        "summary": "booking/cancel: failing", "description": "OSError: the disk is full",
        "runbook_url": "https://wiki.example.org/disk", "incident": "42",
    }  # fmt: skip
    assert alert["startsAt"] == "2026-11-24T06:00:10Z"
    assert alert["endsAt"] > alert["startsAt"]


def test_of_several_alertmanagers_one_that_accepts_is_enough(server: WebServer) -> None:
    with web_server() as gone:
        other = gone.url
    deliver(route("alertmanager", f"{other} {server.url}"), MESSAGE)
    assert len(server.requests) == 1
    server.answers = [(500, {}, b"")]
    with pytest.raises(DeliveryError, match=f"{other} can't be reached.*; {server.url} answered 500"):
        deliver(route("alertmanager", f"{other} {server.url}"), MESSAGE)
