"""Who may: find out whose a request to the page is, and refuse what that person may not do.

Headers, a socket's peer and the configuration come in; an `Actor` goes out, as `request.state.actor`. Only
`peer_protocol.py` and `oidc.py` need more than the standard library. docs/decisions/0039-who-may.md has the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.page.access.actor import Actor
from scheduled_tasks.page.access.middleware import AccessMiddleware
from scheduled_tasks.page.access.settings import AccessSettings, configured, require_safe_address

if TYPE_CHECKING:
    from scheduled_tasks.page.access.middleware import App, KnownTokens

__all__ = ["AccessMiddleware", "AccessSettings", "Actor", "configured", "gate", "require_safe_address"]


def gate(app: App, settings: AccessSettings, known_tokens: KnownTokens | None = None) -> AccessMiddleware:
    """An application behind the page's gate; in Starlette `Middleware(gate, settings=…)`.

    Args:
        app: the application.
        settings: who is who, and who may what.
        known_tokens: those of the database; None for none.

    Raises:
        ConfigurationError: it needs an extra that is not installed.
    """
    middleware = _middleware(app, settings)
    middleware.known_tokens = known_tokens
    return middleware


def _middleware(app: App, settings: AccessSettings) -> AccessMiddleware:
    if settings.oidc is None:
        return AccessMiddleware(app, settings)
    try:
        from scheduled_tasks.page.access.oidc import OidcMiddleware
    except ModuleNotFoundError as error:
        problem = (
            f"[page.oidc] needs {error.name}: install the extra page-oidc, 'pip install scheduled-tasks[page-oidc]'"
        )
        raise ConfigurationError(problem) from None
    return OidcMiddleware(app, settings, settings.oidc)
