"""One call of an OAuth 2 token endpoint: what it gives, and what its refusals mean (RFC 6749, 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

import httpx
import orjson

from destinations.base import Sign, Stop, Transport, Unavailable
from destinations.token_file import TOKEN

RetryAfter: TypeAlias = Callable[[httpx.Response], timedelta | None]
ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "inactive_user": "let its user be active",
        "invalid_client": "correct its `client_id` and what proves the client",
        "invalid_client_id": "correct its `client_id`",
        "invalid_grant": "correct what it says of its user or its key, and let the client be approved",
        "invalid_request": "correct its `token_url` and `parameters`",
        "invalid_scope": "correct its `scope`",
        "invalid_target": "correct its `parameters`",
        "unauthorized_client": "let the client use this form of login",
        "unsupported_grant_type": "choose a form of login that the server offers",
    }
)
"""What a token endpoint may say is wrong (RFC 6749, 5.2; RFC 8707, 2), and what helps. Another word could be anything, even a secret.

Two are words of Salesforce: a client that it does not know, and a user who is switched off.
"""
_TRY_AGAIN = frozenset({408, 425, 429})


@dataclass(eq=False, slots=True)
class Token:
    """An access token, or what stands in its place. Its seconds are those of the transport's clock, so no other clock and no step of one matters."""

    text: str = field(repr=False)
    due_at: float = math.inf
    """From here on another one is asked for."""
    ends_at: float = math.inf
    is_doubtful: bool = False
    """It came after one that was refused, and no call was answered since."""
    scheme: str = "Bearer"
    is_shared: bool = False
    """Another process got it, perhaps long ago, so that a refusal of it says nothing of the credential."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token endpoint gave: an access token, and the refresh token that takes the place of the one it was given."""

    token: Token
    successor: str = field(default="", repr=False)


async def granted(
    wire: Transport, request: httpx.Request, retry_after: RetryAfter, sign: Sign | None = None
) -> Grant | Unavailable | Stop:
    """One call of the token endpoint. Whatever comes of it, the call that wanted the token has not left."""
    began = wire.monotonic()
    answer = await wire.request(request, sign)
    if isinstance(answer, Unavailable):
        return replace(answer, message=f"the token endpoint: {answer.message}", applied_unknown=False)
    status, said = answer.status_code, _members(answer)
    if status >= 500 or status in _TRY_AGAIN:
        message = f"the token endpoint answered {status}"
        return Unavailable(f"auth_http_{status}", message, False, retry_after(answer))
    error = said.get("error")
    if not 200 <= status < 300 or (isinstance(error, str) and error in ERRORS):
        return _denial(error if isinstance(error, str) and error in ERRORS else f"http_{status}")
    try:
        return _grant(said, began)
    except (KeyError, TypeError, ValueError):
        return Unavailable("auth_bad_answer", "the token endpoint gave no bearer token", applied_unknown=False)


def _members(answer: httpx.Response) -> Mapping[str, Any]:  # JSON that nobody has judged yet
    try:
        said = orjson.loads(answer.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _grant(said: Mapping[str, Any], began: float) -> Grant:  # as `_members`
    """Raises for an answer that grants nothing. A life that is not given, or not positive, ends with a refusal."""
    text, successor = said["access_token"], said.get("refresh_token") or ""
    if not TOKEN.fullmatch(text) or (successor and not TOKEN.fullmatch(successor)):
        raise ValueError("a token is visible ASCII")
    if str(said.get("token_type") or "bearer").lower() != "bearer":
        raise ValueError("another kind of token needs more than itself")
    life = float(said.get("expires_in") or math.inf)
    if not life > 0:
        life = math.inf
    return Grant(Token(text, began + life / 2, began + life), successor)


def _denial(code: str) -> Stop:
    advice = f": {ERRORS[code]}" if code in ERRORS else ""
    return Stop(f"auth_{code}", f"the token endpoint refuses the credential ({code}){advice}")


INVALID_GRANT = _denial("invalid_grant")
