"""Who may: find out whose a request to the page is, and refuse what that person may not do.

Headers, a socket's peer and the configuration come in; an `Actor` goes out, as `request.state.actor`. Only
`peer_protocol.py` and `oidc.py` need more than the standard library. docs/decisions/0039-who-may.md has the reasons.
"""

from scheduled_tasks.page.access.actor import Actor
from scheduled_tasks.page.access.middleware import AccessMiddleware
from scheduled_tasks.page.access.settings import AccessSettings, configured, require_safe_address

__all__ = ["AccessMiddleware", "AccessSettings", "Actor", "configured", "require_safe_address"]
