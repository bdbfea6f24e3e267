"""Deliver a message by a route. A route and a message come in; the message is accepted, or a DeliveryError is raised.

A kind of route is a module; what only one of them needs is imported when a message goes that way.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from scheduled_tasks.alert.delivery.error import DeliveryError

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from scheduled_tasks.alert.routes import Route

__all__ = ["DeliveryError", "deliver"]

MODULES = {"mail": "mail", "webhook": "webhook", "apprise": "apprise_urls", "alertmanager": "alertmanager"}


def deliver(route: Route, message: Message) -> str:
    """Deliver a message, within 30 seconds.

    Returns:
        what went wrong although the message was accepted, such as one of several addresses that the server refused; ""
        normally.

    Raises:
        DeliveryError: it was not accepted, or nobody knows whether it was.
    """
    module = import_module(f"{__name__}.{MODULES[route.kind]}")
    return str(module.send(route, message) or "")
