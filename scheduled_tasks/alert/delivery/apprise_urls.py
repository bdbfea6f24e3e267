"""Deliver a message by Apprise, which knows the interfaces of many services, such as Slack, Telegram and ntfy.

Its URLs are credentials (github.com/caronc/apprise/wiki). It is the extra `notify`, because it brings requests and
takes half a second to import.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.delivery.error import DeliveryError, time_limit
from scheduled_tasks.alert.delivery.secrets import url_of
from scheduled_tasks.masking import mask

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from scheduled_tasks.alert.routes import Route

INSTALL = "Apprise is not installed: add scheduled-tasks[notify] to the project's requirements"
TYPES = {"critical": "failure", "warning": "warning", "ok": "success"}


class _Said(logging.Handler):
    """What Apprise logs of a failure: its answer is only no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(" ".join(record.getMessage().split()))


def send(route: Route, message: Message) -> str:
    """Send the message by each URL of the credential, one a line; return why some of them failed.

    Raises:
        DeliveryError: Apprise is not installed or doesn't know a URL, or no service accepted the message.
    """
    urls = url_of(route.endpoint).split()
    try:
        import apprise
    except ImportError:
        raise DeliveryError(INSTALL, is_permanent=True) from None
    said, logger = _Said(), logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        services = [_service(apprise, url, said) for url in urls]
        services = [_service(apprise, url, said) for url in urls]
        with time_limit():
            failed = [service for service in services if not _notify(service, message)]
    finally:
        logger.removeHandler(said)
    if not failed:
        return ""
    reason = mask("; ".join(said.lines)) or "it gave no reason"
    problem = f"{', '.join(str(service.service_name) for service in failed)} did not accept the message: {reason}"
    if len(failed) == len(services):
        raise DeliveryError(problem)
    return problem  # another try would send it a second time to those that have it


def _service(apprise: Any, url: str, said: _Said) -> Any:
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        scheme = url.partition("://")[0] if "://" in url else "it"
        reason = mask("; ".join(said.lines))
        problem = f"Apprise doesn't know the URL of the route ({scheme}://…)"
        raise DeliveryError(f"{problem}{f': {reason}' if reason else ''}", is_permanent=True)
    if "overflow=" not in url:  # a text that is too long for the service would be refused, and nobody told
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def _notify(service: Any, message: Message) -> bool:
    return bool(
        service.notify(
            title=message.subject, body=message.text, notify_type=TYPES[message.severity], body_format="text"
        )
    )
