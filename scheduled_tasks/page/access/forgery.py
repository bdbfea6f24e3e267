"""Refuse what another site makes a browser send (CSRF): by what the browser says, and by a token of the form.

A browser says from which site a request comes (Sec-Fetch-Site, Origin), and a page of another site can't change that.
Browsers say it to https:// and localhost only, so every form has a token too.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scheduled_tasks.page.access.authenticate import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduled_tasks.page.access.actor import Identity

SAFE_METHODS = {"GET", "HEAD"}
FIELD, HEADER = "csrf", "x-csrf-token"


def token_of(identity: Identity, key: bytes) -> str:
    """The token of a person's forms: nobody else's, and the same after a restart of the page."""
    return hmac.new(key, f"csrf {identity.way} {identity.name}".encode(), "sha256").hexdigest()


def require_same_site(headers: Mapping[str, str]) -> None:
    """Refuse a request that another site has caused, as far as the browser says so.

    Raises:
        Refused: it has.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise Refused(403, f"another site sent this form (Sec-Fetch-Site: {site})")
        return
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Refused(403, f"another site sent this form (Origin: {origin})")


def require_token(sent: str, expected: str) -> None:
    """Refuse a form without its token.

    Raises:
        Refused: it has none, or another's.
    """
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise Refused(403, "this form is not from this page, or from before a new login: reload the page")
