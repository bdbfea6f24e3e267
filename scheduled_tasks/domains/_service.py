"""Another company's HTTP service that speaks JSON: asked with a timeout, and again where that may help.

What comes in: a request. What goes out: the answer's JSON, or a `ServiceError` that names the service, the request and
what came back. httpx asks and stamina repeats: its backoff hook can wait as long as the service's Retry-After says.
Both are imported when the first service is made, not with the tasks.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, Self

from scheduled_tasks import setting
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

ATTEMPTS = 4
LONGEST_WAIT = 60.0  # seconds; a service that wants longer is asked again by the next run
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class ServiceError(ScheduledTasksError):
    """A service didn't do what it was asked.

    Attributes:
        status: of its answer; 0 where it gave none.
        is_temporary: whether the same request may succeed later.
        retry_after: how many seconds the service asks us to wait, where it says.
    """

    def __init__(
        self, message: str, *, status: int = 0, is_temporary: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.is_temporary, self.retry_after = status, is_temporary, retry_after


class Service:
    """A service at a URL, with one pool of connections; to be closed.

    Args:
        name: what people call it, for errors.
        url: its base; paths are added to it.
        headers: sent with each request. They don't appear in errors or in the log.

    Raises:
        ConfigurationError: the URL isn't one, the setting http_timeout isn't a number, or httpx is missing.
    """

    def __init__(self, name: str, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise ConfigurationError(
                f"httpx is not installed, {name} can't be asked: pip install 'scheduled-tasks[example]'"
            ) from error
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"the URL of {name} is {url!r}: it has to start with https:// or http://")
        self.name = name
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it says each request at INFO
        try:
            self._client = httpx.Client(base_url=url, headers=headers, timeout=_timeout(), follow_redirects=False)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"the URL of {name} is {url!r}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, str | int]) -> Any:
        """The JSON of a resource.

        Raises:
            ServiceError: it can't be had, also after `ATTEMPTS` attempts where they may help.
        """
        return self._ask("GET", path, params=dict(params))

    def post(self, path: str, body: object) -> Any:
        """The JSON of the answer to a JSON body. The request must be one that may be sent twice.

        Raises:
            ServiceError: as `get`.
        """
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        import stamina

        for attempt in stamina.retry_context(
            on=_backoff, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=10.0
        ):
            with attempt:
                return self._ask_once(method, path, request)
        raise AssertionError  # the last attempt returned or raised

    def _ask_once(self, method: str, path: str, request: dict[str, Any]) -> Any:
        import httpx

        asked = f"{self.name}: {method} {path}"
        try:
            response = self._client.request(method, path, **request)
        except httpx.TimeoutException as error:
            raise ServiceError(f"{asked}: no answer within {_timeout():g} s", is_temporary=True) from error
        except httpx.HTTPError as error:
            raise ServiceError(f"{asked}: {type(error).__name__}: {error}", is_temporary=True) from error
        if not response.is_success:
            status = response.status_code
            raise ServiceError(
                f"{asked}: answered {status} {response.reason_phrase}: {_excerpt(response)}",
                status=status,
                is_temporary=status == TOO_MANY_REQUESTS or status >= SERVER_ERROR,
                retry_after=_retry_after(response),
            )
        try:
            return json.loads(response.content, parse_float=Decimal, parse_constant=_refuse)
        except ValueError as error:
            raise ServiceError(
                f"{asked}: answered {response.status_code} with a body that is not JSON: {_excerpt(response)}",
                status=response.status_code,
            ) from error


def _backoff(error: Exception) -> bool | float:
    """Whether to ask again, and after how many seconds where the service says (RFC 9110, section 10.2.3)."""
    if not isinstance(error, ServiceError) or not error.is_temporary:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_WAIT else False


def _retry_after(response: httpx.Response) -> float | None:
    """Retry-After in seconds; it comes as such or as a date, and what is neither is as if it weren't there."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" says: UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _timeout() -> float:
    """Seconds to wait for a connection, and for each part of an answer; the clock's timeout bounds the whole."""
    text = setting("http_timeout", "10")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"the setting http_timeout is {text!r}: write seconds, for example 10")
    return seconds


def _excerpt(response: httpx.Response) -> str:
    text = " ".join(response.text[:2_000].split())
    return repr(text[:200] + "…" if len(text) > 200 else text)  # noqa: PLR2004 - enough to recognise a page by


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
