"""Deliver a message by mail: text and HTML, by the standard library's smtplib.

The Message-ID is made from the notice's id and the domain of the sender's address, which are the same whichever host
sends it: a mail program shows a message that was sent twice once, and the mails of one incident as one thread.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from scheduled_tasks.alert.delivery.error import DeliveryError, one_line, reason_of, time_limit
from scheduled_tasks.alert.delivery.secrets import url_of

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from scheduled_tasks.alert.routes import Route

URL_FORM = "smtp://[USER:PASSWORD@]HOST[:PORT], or smtps://…"
SOCKET_TIMEOUT = 15.0  # seconds for each answer; `time_limit` is for all
RELAY_PORT, SUBMISSION_PORT, TLS_PORT = 25, 587, 465
PERMANENT = range(500, 600)  # reply codes of SMTP (RFC 5321)


def send(route: Route, message: Message) -> str:
    """Send the mail; return which of several addresses the server refused.

    `smtps://` is TLS from the start; with `smtp://` it begins if the server offers it. A password goes over TLS only,
    unless the server is this machine; there TLS is not used, since nothing leaves it.

    Raises:
        DeliveryError: the server can't be reached, or accepts the mail for nobody.
    """
    url = _read(url_of(route.endpoint))
    mail = mail_of(route, message)
    server = f"{url.hostname}:{_port(url)}"
    try:
        with time_limit(), _connected(url) as connection:
            refused = connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise DeliveryError(
            f"{server} refused {_refused(error.recipients)}", is_permanent=all(code in PERMANENT for code in codes)
        ) from None
    except smtplib.SMTPResponseException as error:
        said = one_line(error.smtp_error)
        is_permanent = error.smtp_code in PERMANENT
        raise DeliveryError(f"{server} answered {error.smtp_code} {said}", is_permanent=is_permanent) from None
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(f"{server}: {one_line(error)}", is_permanent=True) from None
    except smtplib.SMTPException as error:
        raise DeliveryError(f"{server}: {one_line(error) or type(error).__name__}") from None
    except OSError as error:
        raise DeliveryError(f"{server} can't be reached: {reason_of(error)}") from None
    except DeliveryError as error:
        raise DeliveryError(f"{server}: {error}", is_permanent=error.is_permanent) from None
    return f"{server} refused {_refused(refused)}" if refused else ""


def mail_of(route: Route, message: Message) -> EmailMessage:
    """The mail, as it is sent.

    Raises:
        DeliveryError: an address of the route is none.
    """
    mail = EmailMessage(policy=SMTP)
    domain = parseaddr(route.sender)[1].rpartition("@")[2]
    try:
        mail["From"], mail["To"] = route.sender, ", ".join(route.to)
        mail["Subject"] = _clean(" ".join(message.subject.split()))
        mail["Message-ID"] = f"<{message.id}@{domain}>"
    except (ValueError, IndexError) as error:
        raise DeliveryError(f"its from or to is no address: {error}", is_permanent=True) from None
    mail["Date"] = format_datetime(datetime.now(UTC))
    if len(message.incidents) == 1:
        mail["References"] = f"<incident-{message.incidents[0]['id']}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # no answers of absent people (RFC 3834)
    mail.set_content(_clean(message.text))
    if message.html:
        mail.add_alternative(_clean(message.html), subtype="html")
    return mail


def _read(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        is_url = url.scheme in {"smtp", "smtps"} and bool(url.hostname) and _port(url) > 0
    except ValueError:
        is_url = False
    if not is_url:
        raise DeliveryError(f"its URL is not {URL_FORM} (in a password, write @ as %40)", is_permanent=True)
    return url


def _port(url: SplitResult) -> int:
    default = TLS_PORT if url.scheme == "smtps" else SUBMISSION_PORT if url.username else RELAY_PORT
    return url.port or default


def _connected(url: SplitResult) -> smtplib.SMTP:
    host, port = str(url.hostname), _port(url)
    name = socket.gethostname()
    name = name if "." in name else "[127.0.0.1]"  # of itself; socket.getfqdn() may wait for a resolver
    connection: smtplib.SMTP
    if url.scheme == "smtps":
        connection = smtplib.SMTP_SSL(host, port, name, timeout=SOCKET_TIMEOUT, context=_tls(url))
    else:
        connection = smtplib.SMTP(host, port, name, timeout=SOCKET_TIMEOUT)
    try:
        _log_in(connection, url)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_in(connection: smtplib.SMTP, url: SplitResult) -> None:
    connection.ehlo_or_helo_if_needed()
    if url.scheme == "smtp" and not _is_this_machine(connection):
        if connection.has_extn("starttls"):
            connection.starttls(context=_tls(url))
            connection.ehlo()
        elif url.username:
            refused = "the server offers no TLS, and the password would be sent in the clear: write smtps://"
            raise DeliveryError(refused, is_permanent=True)
    if url.username:
        connection.login(unquote(url.username), unquote(url.password or ""))


def _tls(url: SplitResult) -> ssl.SSLContext:
    """The settings of TLS; `?verify=no` accepts any certificate, as of a relay in one's own network."""
    context = ssl.create_default_context()
    if parse_qs(url.query).get("verify") == ["no"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_this_machine(connection: smtplib.SMTP) -> bool:
    assert connection.sock is not None  # noqa: S101 - it is connected
    here, there = connection.sock.getsockname()[0], connection.sock.getpeername()[0]
    return bool(here == there)


def _refused(recipients: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address} ({code} {one_line(said)})" for address, (code, said) in recipients.items())


def _clean(text: str) -> str:
    """The text without characters that no encoding has."""
    return text.encode("utf-8", "replace").decode()
