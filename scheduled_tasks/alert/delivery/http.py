"""One HTTP request: to a webhook, to Alertmanager, to a monitor outside. A URL and a body come in, an answer goes out.

Of the standard library, so that these need no extra. Redirects are refused: urllib would follow the answer to a POST
with a GET, which has no body, and take its 200 for a message that was accepted.
"""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from scheduled_tasks import __version__
from scheduled_tasks.alert.delivery.error import DELIVERY_TIMEOUT, DeliveryError, one_line, reason_of, time_limit

USER_AGENT = f"scheduled-tasks/{__version__}"
MAX_ANSWER, MAX_QUOTED = 1 << 20, 200  # bytes that are read, characters that an error quotes
# Answers after which the same request can succeed later (RFC 9110, RFC 6585, RFC 8470).
TEMPORARY = {408, 409, 421, 423, 425, 429}
SERVER_ERRORS = 500  # and above


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_settings: Any) -> None:
        """Refuse: the answer is then an error of its own."""


_opener = urllib.request.build_opener(_NoRedirect)


def request(
    url: str,
    *,
    method: str = "POST",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = DELIVERY_TIMEOUT,
) -> bytes:
    """Send a request and return the body of its answer, which was a success.

    Args:
        url: http or https; a user and a password in it are sent as Basic authentication.
        method: of the request.
        body: of the request.
        headers: of the request.
        timeout: seconds for all of it.

    Raises:
        DeliveryError: the URL is none, the server can't be reached or answers with an error. Its text has the server's
            name and no other part of the URL, which may be a secret.
    """
    call, server = _request(url, method, body, headers or {})
    try:
        with time_limit(timeout), _opener.open(call, timeout=timeout) as answer:
            read: bytes = answer.read(MAX_ANSWER)
            return read
    except urllib.error.HTTPError as error:
        raise _refusal(server, error) from None
    except urllib.error.URLError as error:
        why = reason_of(error.reason) if isinstance(error.reason, OSError) else one_line(error.reason)
        raise DeliveryError(f"{server} can't be reached: {why}") from None
    except OSError as error:
        raise DeliveryError(f"{server} can't be reached: {reason_of(error)}") from None
    except http.client.HTTPException as error:
        raise DeliveryError(f"{server} gave no answer of HTTP: {one_line(error) or type(error).__name__}") from None
    except DeliveryError as error:
        raise DeliveryError(f"{server}: {error}") from None


def server_of(url: str) -> str:
    """The part of a URL that names the server, for a message.

    Raises:
        DeliveryError: it is no URL of HTTP.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DeliveryError("its URL is not one of http:// or https://", is_permanent=True)
    return f"{parts.scheme}://{parts.hostname}{port}"


def _request(
    url: str, method: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[urllib.request.Request, str]:
    server, parts = server_of(url), urlsplit(url)
    users, at, host = parts.netloc.rpartition("@")
    more = {"User-Agent": USER_AGENT}
    if at:
        name, _, password = users.partition(":")
        login = f"{unquote(name)}:{unquote(password)}".encode()
        more["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    plain = parts._replace(netloc=host, fragment="").geturl()
    try:
        return urllib.request.Request(plain, body, {**more, **headers}, method=method), server  # noqa: S310 - http only
    except ValueError:
        raise DeliveryError("its URL is not one of http:// or https://", is_permanent=True) from None


def _refusal(server: str, error: urllib.error.HTTPError) -> DeliveryError:
    with error:
        quoted = one_line(error.read(MAX_QUOTED))
    if 300 <= error.code < 400:  # noqa: PLR2004 - redirections
        instead = "with a redirection, which is not followed: store the URL that it leads to"
        return DeliveryError(f"{server} answered {error.code}, {instead}", is_permanent=True, status=error.code)
    is_permanent = error.code < SERVER_ERRORS and error.code not in TEMPORARY
    said = f": {quoted}" if quoted else ""
    answer = f"{server} answered {error.code} {error.reason}{said}"
    return DeliveryError(answer, is_permanent=is_permanent, status=error.code)
