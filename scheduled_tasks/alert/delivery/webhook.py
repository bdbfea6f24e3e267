"""Deliver a message to a webhook: JSON (webhook.schema.json), signed as Standard Webhooks describes it.

The signature is HMAC-SHA256 of `id.timestamp.body` (standardwebhooks.com); receivers find libraries that verify it in
many languages. The id is the notice's: a message that comes twice, because its sender was killed, has the same one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

from scheduled_tasks.alert.delivery import http
from scheduled_tasks.alert.delivery.error import DeliveryError
from scheduled_tasks.alert.delivery.secrets import signing_secret, url_of

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Message
    from scheduled_tasks.alert.routes import Route

BASE64_PREFIX = "whsec_"  # of a secret whose rest is base64; any other is used as its characters are


def send(route: Route, message: Message) -> None:
    """Post the message's JSON.

    Raises:
        DeliveryError: it was not answered with a success.
    """
    url = url_of(route.endpoint)
    body = json.dumps(message.data, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    at = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(message.id),
        "Webhook-Id": str(message.id),
        "Webhook-Timestamp": str(at),
    }
    if key := _signing_key(route):
        headers["Webhook-Signature"] = signature(key, str(message.id), at, body)
    http.request(url, body=body, headers=headers)


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """The value of the header Webhook-Signature."""
    signed = hmac.digest(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def _signing_key(route: Route) -> bytes:
    text = signing_secret(route)
    if not text.startswith(BASE64_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(BASE64_PREFIX), validate=True)
    except binascii.Error:
        wrong = f"the signing secret begins with {BASE64_PREFIX}, and what follows is not base64"
        raise DeliveryError(wrong, is_permanent=True) from None
