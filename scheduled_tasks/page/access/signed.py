"""Values that a browser keeps and can't change: in cookies, signed with the page's key, until a time."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any


def sign(values: dict[str, Any], key: bytes, purpose: str, until: float) -> str:
    """Sign values for a purpose, until an instant in seconds since the epoch."""
    payload = urlsafe_b64encode(json.dumps({**values, "until": until}).encode()).decode()
    return f"{payload}.{_signature(payload, key, purpose)}"


def read(text: str, key: bytes, purpose: str, now: float) -> dict[str, Any] | None:
    """Read signed values; None if they aren't signed by this key for this purpose, or have ended."""
    payload, _, signature = text.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(payload, key, purpose).encode()):
        return None
    values: dict[str, Any] = json.loads(urlsafe_b64decode(payload))
    return values if now < values["until"] else None


def _signature(payload: str, key: bytes, purpose: str) -> str:
    return hmac.digest(key, f"{purpose} {payload}".encode(), "sha256").hex()
