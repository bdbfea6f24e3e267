"""Call another company's JSON service over HTTP, with a timeout and retries.

A request goes in. The JSON of the answer comes out, or a `ServiceError` that names the service, the request and the
answer. httpx makes the requests and stamina repeats them: its backoff hook can wait as long as Retry-After asks.
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
MAX_WAIT = 60.0  # seconds; if a service asks for more, the next run tries again
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class ServiceError(ScheduledTasksError):
    """A request to a service failed.

    Attributes:
        status: of the answer; 0 if there was none.
        is_temporary: whether the same request can succeed later.
        retry_after: how many seconds the service asks the caller to wait, or None.
    """

    def __init__(
        self, message: str, *, status: int = 0, is_temporary: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.is_temporary, self.retry_after = status, is_temporary, retry_after


class Service:
    """A service at a URL, with one pool of connections; must be closed.

    Args:
        name: its name in errors.
        url: the base URL; paths are appended.
        headers: sent with each request; not shown in errors or in the log.

    Raises:
        ConfigurationError: the URL is invalid, the setting http_timeout isn't a number, or httpx is missing.
    """

    def __init__(self, name: str, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise ConfigurationError(
                f"httpx is not installed, so {name} can't be reached: pip install httpx stamina"
            ) from error
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"the URL of {name} is {url!r}: it has to start with https:// or http://")
        self.name = name
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request at INFO
        try:
            self._client = httpx.Client(base_url=url, headers=headers, timeout=_timeout(), follow_redirects=False)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"the URL of {name} is {url!r}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, str | int]) -> Any:
        """Get the JSON of a resource. Raises ServiceError if the last of up to `ATTEMPTS` requests failed."""
        return self._request("GET", path, params=dict(params))

    def post(self, path: str, body: object) -> Any:
        """Post a JSON body and return the JSON of the answer. Raises as `get`. It must be safe to send it twice."""
        return self._request("POST", path, json=body)

    def _request(self, method: str, path: str, **request: Any) -> Any:
        import stamina

        for attempt in stamina.retry_context(
            on=_backoff, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=10.0
        ):
            with attempt:
                return self._request_once(method, path, request)
        raise AssertionError  # the last attempt returned or raised

    def _request_once(self, method: str, path: str, request: dict[str, Any]) -> Any:
        import httpx

        request_name = f"{self.name}: {method} {path}"
        try:
            response = self._client.request(method, path, **request)
        except httpx.TimeoutException as error:
            raise ServiceError(f"{request_name}: no answer within {_timeout():g} s", is_temporary=True) from error
        except httpx.HTTPError as error:
            raise ServiceError(f"{request_name}: {type(error).__name__}: {error}", is_temporary=True) from error
        if not response.is_success:
            status = response.status_code
            raise ServiceError(
                f"{request_name}: answered {status} {response.reason_phrase}: {_excerpt(response)}",
                status=status,
                is_temporary=status == TOO_MANY_REQUESTS or status >= SERVER_ERROR,
                retry_after=_retry_after(response),
            )
        try:
            return json.loads(response.content, parse_float=Decimal, parse_constant=_refuse)
        except ValueError as error:
            raise ServiceError(
                f"{request_name}: answered {response.status_code} with a body that is not JSON: {_excerpt(response)}",
                status=response.status_code,
            ) from error


def _backoff(error: Exception) -> bool | float:
    """Whether to retry, and after how many seconds if the service says so (RFC 9110, section 10.2.3)."""
    if not isinstance(error, ServiceError) or not error.is_temporary:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= MAX_WAIT else False


def _retry_after(response: httpx.Response) -> float | None:
    """Retry-After in seconds. It is either seconds or a date; anything else is ignored."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" means UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _timeout() -> float:
    """Seconds to wait for a connection and for each part of an answer; the job's timeout limits the whole run."""
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
    return repr(text[:200] + "…" if len(text) > 200 else text)  # noqa: PLR2004 - enough to recognise a page


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
