"""A transport that attaches the current token to each call, and repeats a call once that was refused for it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import httpx

from destinations.base import Denied, Sign, Stop, Transport, Unavailable
from destinations.grants import Token
from destinations.tokens import REFUSED, Tokens

ATTEMPTS_MAX = 3
"""How often a call leaves: with the token that there is, with one that another process got meanwhile, and with a new one."""


class Authorized:
    """A transport that attaches the current token, and repeats a call once that was refused for it.

    A token goes only where the first call goes, which the adapter chose: an address that an answer names may be anybody's.
    """

    def __init__(self, wire: Transport, tokens: Tokens, expired: AbstractSet[int]) -> None:
        self._wire = wire
        self._tokens = tokens
        self._expired = expired
        self._origin: tuple[str, str, int | None] | None = None

    def monotonic(self) -> float:
        """As the wire under it."""
        return self._wire.monotonic()

    async def request(self, request: httpx.Request, sign: Sign | None = None) -> httpx.Response | Unavailable:
        """Send with a token; a call that is refused for it was not applied. Raises `Denied` when no token helps."""
        origin = (request.url.scheme, request.url.host, request.url.port)
        self._origin = self._origin or origin
        if origin != self._origin:
            return await self._wire.request(request, sign)
        token = _or_denied(await self._tokens.current(self._wire))
        attempts = 0
        while not isinstance(token, Unavailable):
            answer = await self._wire.request(_bearing(request, token), sign)
            if not self._is_refusal(answer, token):
                return answer
            attempts += 1
            if attempts == ATTEMPTS_MAX or (attempts > 1 and not token.is_shared):
                self._tokens.forget(token)
                raise Denied(REFUSED)
            token = _or_denied(await self._tokens.instead_of(token, self._wire))
        return token

    def _is_refusal(self, answer: httpx.Response | Unavailable, token: Token) -> bool:
        if isinstance(answer, Unavailable) or not self._tokens.is_renewable:
            return False
        if answer.status_code in self._expired:
            return True
        self._tokens.answered(token)
        return False


def _or_denied(said: Token | Unavailable | Stop) -> Token | Unavailable:
    if isinstance(said, Stop):
        raise Denied(said)
    return said


def _bearing(request: httpx.Request, token: Token) -> httpx.Request:
    """A request of its own for each attempt, as what signs it may add to it."""
    headers = httpx.Headers(request.headers)
    headers["authorization"] = f"{token.scheme} {token.text}"
    content, extensions = request.content, dict(request.extensions)
    return httpx.Request(request.method, request.url, headers=headers, content=content, extensions=extensions)
