"""Standard Webhooks signatures: HMAC-SHA256 over id, time and body, one per secret during a rotation.

Source: the specification at https://github.com/standard-webhooks/standard-webhooks (spec/standard-webhooks.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

import httpx

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
PREFIX = "whsec_"
SECRET_BYTES_MIN = 24


def secret_bytes(secret: str) -> bytes:
    """The key behind a secret: the decoded bytes of ``whsec_…``, else the text itself.

    Raises ``ValueError`` for one that is too short to be a secret.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else secret.encode()
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError(f"a secret needs at least {SECRET_BYTES_MIN} bytes")
    return key


def signed(request: httpx.Request, *, id: str, now: datetime, keys: Sequence[bytes]) -> httpx.Request:
    """The request with the three headers of an attempt at ``now``."""
    timestamp = str(int(now.timestamp()))
    content = b".".join((id.encode(), timestamp.encode(), request.content))
    signatures = " ".join(_signature(key, content) for key in keys)
    for name, value in zip(HEADERS, (id, timestamp, signatures), strict=True):
        request.headers[name] = value
    return request


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
