"""The secrets of routes, as a delivery reads them: if one is missing, it is an error of that route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.alert.delivery.error import DeliveryError
from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.errors import ConfigurationError, NotRootError
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from scheduled_tasks.alert.routes import Route


def url_of(endpoint: Endpoint) -> str:
    """The URL of a route, or of another place to which something is sent.

    Raises:
        DeliveryError: its credential is missing, or for root only.
    """
    try:
        return endpoint.read(settings.load()).strip()
    except (ConfigurationError, NotRootError) as error:
        raise DeliveryError(str(error), is_permanent=True) from None


def signing_secret(route: Route) -> str:
    """The secret with which a webhook is signed; "" if the route has none.

    Raises:
        DeliveryError: its credential is missing, or for root only.
    """
    return url_of(Endpoint(credential=route.signing_credential)) if route.signing_credential else ""
