"""Mails by a real SMTP server: what arrives, TLS and logins, and what becomes of refusals."""

from __future__ import annotations

import dataclasses
import ssl
from email.message import EmailMessage, Message
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.alert.delivery import DeliveryError, deliver, mail
from tests.integration.alert.messages import ID, INCIDENT, MESSAGE, SUBJECT, TEXT, route
from tests.integration.alert.test_http_deliveries import self_signed
from tests.sinks import PASSWORD, USER, mail_server

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = f"{USER.replace('@', '%40')}:{PASSWORD}@"


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    return self_signed(tmp_path)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server were another machine."""
    monkeypatch.setattr(mail, "_is_this_machine", lambda _connection: False)


def test_a_mail_has_text_and_html_and_its_id_from_the_notice() -> None:
    with mail_server() as server:
        assert (
            deliver(route("mail", f"smtp://127.0.0.1:{server.port}", to=("ops@example.org", "b@example.org")), MESSAGE)
            == ""
        )
    [received] = server.mails
    assert server.recipients == [["ops@example.org", "b@example.org"]]
    assert received["Subject"] == SUBJECT
    assert received["From"] == "Clocks <clocks@example.org>"
    assert received["Message-ID"] == f"<{ID}@example.org>"
    assert received["References"] == "<incident-42@example.org>"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Date"] is not None
    text, html = received.iter_parts()
    assert (text.get_content_type(), content(text)) == ("text/plain", TEXT)
    assert (html.get_content_type(), content(html)) == ("text/html", "<p>The disk is full ☠</p>\n")


def content(part: Message) -> str:
    """The text of a part, with the line ends of this machine."""
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_digest_belongs_to_no_thread() -> None:
    several = dataclasses.replace(MESSAGE, incidents=[INCIDENT, {**INCIDENT, "id": 43}])
    assert mail.mail_of(route("mail", "smtp://h"), several)["References"] is None


@pytest.mark.parametrize(
    "text",
    ["x" * 20_000, "a\nb\r\nc\rd", "\ud83d half", "\x00\x1b[2J", ".\n.\n..\n", ""],
    ids=["a long line", "line ends", "half a character", "controls", "dots", "nothing"],
)
def test_any_text_can_be_mailed(text: str) -> None:
    with mail_server() as server:
        deliver(route("mail", f"smtp://127.0.0.1:{server.port}"), dataclasses.replace(MESSAGE, text=text, html=""))
    [received] = server.mails
    expected = "\n".join(text.encode("utf-8", "replace").decode().splitlines())
    assert content(received).rstrip("\n") == expected.rstrip("\n")


def test_a_subject_is_one_line_whatever_it_contains() -> None:
    with mail_server() as server:
        odd = dataclasses.replace(MESSAGE, subject="a\r\nBcc: eve@example.org\n\n" + "é" * 300)
        deliver(route("mail", f"smtp://127.0.0.1:{server.port}"), odd)
    [received] = server.mails
    assert received["Subject"] == "a Bcc: eve@example.org " + "é" * 300
    assert received["Bcc"] is None
    assert server.recipients == [["ops@example.org"]]


def test_a_password_goes_over_tls_only_except_on_this_machine(tls: ssl.SSLContext, elsewhere: None) -> None:
    with mail_server() as server, pytest.raises(DeliveryError, match=r"offers no TLS.*write smtps://") as refused:
        deliver(route("mail", f"smtp://{LOGIN}127.0.0.1:{server.port}"), MESSAGE)
    assert (refused.value.is_permanent, server.mails, PASSWORD in str(refused.value)) == (True, [], False)
    with mail_server(tls_context=tls) as server:
        deliver(route("mail", f"smtp://{LOGIN}127.0.0.1:{server.port}?verify=no"), MESSAGE)
    assert (server.logins, server.encrypted) == (1, [True])


def test_on_this_machine_tls_is_not_used(tls: ssl.SSLContext) -> None:
    with mail_server(tls_context=tls, auth_require_tls=False) as server:
        deliver(route("mail", f"smtp://{LOGIN}127.0.0.1:{server.port}"), MESSAGE)
    assert (server.logins, server.encrypted) == (1, [False])


def test_a_certificate_that_nobody_signed_is_refused(tls: ssl.SSLContext, elsewhere: None) -> None:
    with mail_server(tls_context=tls) as server, pytest.raises(DeliveryError, match="certificate"):
        deliver(route("mail", f"smtp://127.0.0.1:{server.port}"), MESSAGE)
    assert server.mails == []


def test_a_wrong_password_is_a_permanent_error() -> None:
    with mail_server(auth_require_tls=False) as server, pytest.raises(DeliveryError, match="answered 535") as refused:
        deliver(route("mail", f"smtp://{USER.replace('@', '%40')}:wrong@127.0.0.1:{server.port}"), MESSAGE)
    assert refused.value.is_permanent


@pytest.mark.parametrize(("reply", "is_permanent"), [("550 no such user", True), ("451 try later", False)])
def test_a_recipient_that_is_refused_is_named(reply: str, *, is_permanent: bool) -> None:
    with mail_server() as server:
        server.refuses = {"ops@example.org": reply}
        with pytest.raises(DeliveryError, match=rf"refused ops@example.org \({reply[:3]} {reply[4:]}\)") as refused:
            deliver(route("mail", f"smtp://127.0.0.1:{server.port}"), MESSAGE)
        assert refused.value.is_permanent is is_permanent
        both = route("mail", f"smtp://127.0.0.1:{server.port}", to=("ops@example.org", "b@example.org"))
        assert f"refused ops@example.org ({reply})" in deliver(both, MESSAGE)
    assert server.recipients == [["b@example.org"]]


@pytest.mark.parametrize(("reply", "is_permanent"), [("554 spam", True), ("452 full", False)])
def test_a_text_that_is_refused_is_tried_again_if_the_server_says_so(reply: str, *, is_permanent: bool) -> None:
    with mail_server() as server:
        server.refuses = {"*": reply}
        with pytest.raises(DeliveryError, match=f"answered {reply}") as refused:
            deliver(route("mail", f"smtp://127.0.0.1:{server.port}"), MESSAGE)
    assert refused.value.is_permanent is is_permanent


def test_a_server_that_nobody_reaches_is_tried_again() -> None:
    with mail_server() as server:
        port = server.port
    with pytest.raises(DeliveryError, match=f"127.0.0.1:{port} can't be reached: .*refused") as refused:
        deliver(route("mail", f"smtp://127.0.0.1:{port}"), MESSAGE)
    assert not refused.value.is_permanent


@pytest.mark.parametrize("url", ["http://example.org", "smtp://", "mail.example.org", "smtp://h:99999"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"its URL is not smtp://") as refused:
        deliver(route("mail", url), MESSAGE)
    assert refused.value.is_permanent


def test_smtps_is_tls_from_the_start(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(ssl_context=tls) as server:
        deliver(route("mail", f"smtps://127.0.0.1:{server.port}?verify=no"), MESSAGE)
    assert len(server.mails) == 1
