"""The access token of one credential: when another one is asked for, and that all who wait for it get the same.

It is renewed at half its life by one call for all who wait for it. Who is refused with one is given another one once.
"""

from __future__ import annotations

import asyncio
import base64
import math
from weakref import WeakKeyDictionary

from destinations.auth import Auth, Bearer, Fixed
from destinations.base import Stop, Transport, Unavailable
from destinations.grants import Grant, RetryAfter, Token
from destinations.renewal import Endpoint
from destinations.shared_token import renewed_or_shared

SPARE_SECONDS = 60.0
"""How much of its life a token must have left to be used when it could not be renewed early."""

REFUSED = Stop("auth_refused", "the destination refuses its tokens, even one that was just issued")


class Tokens:
    """The current token of one credential, for all calls of a process."""

    def __init__(self, auth: Auth, retry_after: RetryAfter) -> None:
        self._auth = auth
        self._retry_after = retry_after
        self._token = _fixed(auth) if isinstance(auth, Fixed) else None
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._said: Token | Unavailable | Stop | None = None
        self._asked = 0
        self._is_doubtful = False
        """A token was refused, and no call was answered since."""

    @property
    def is_renewable(self) -> bool:
        """Whether another token can be had for one that is refused."""
        return not isinstance(self._auth, Fixed)

    async def current(self, wire: Transport) -> Token | Unavailable | Stop:
        """A token to send, renewed when half its life is over; else why there is none."""
        token = self._token
        if token is not None and wire.monotonic() < token.due_at:
            return token
        said = await self._in_place_of(token, wire)
        if isinstance(said, Unavailable) and token is not None and token.ends_at - wire.monotonic() > SPARE_SECONDS:
            # It is still good. Another one is asked for when half of what is left is over, and not by each call.
            token.due_at = min((wire.monotonic() + token.ends_at) / 2, token.ends_at - SPARE_SECONDS)
            return token
        return said

    async def instead_of(self, refused: Token, wire: Transport) -> Token | Unavailable | Stop:
        """Another token for one that the destination refuses; `REFUSED` when it came for such a one itself."""
        if refused.is_doubtful:
            self.forget(refused)
            return REFUSED
        # It is sent no more, even when there is no other one yet.
        refused.due_at = refused.ends_at = -math.inf
        self._is_doubtful = True
        return await self._in_place_of(refused, wire)

    def answered(self, token: Token) -> None:
        """A call with ``token`` was not refused."""
        token.is_doubtful = self._is_doubtful = False

    def forget(self, token: Token) -> None:
        """Send ``token`` no more: a later run begins with another one."""
        if self._token is token:
            self._token = None

    async def _in_place_of(self, old: Token | None, wire: Transport) -> Token | Unavailable | Stop:
        """Another token than ``old``; whoever waited for the call of another is told what that one was told."""
        asked = self._asked
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._token is not None and self._token is not old:
                return self._token
            if self._token is None and old is not None:
                # Its successor was refused meanwhile: the last of many calls asks for no third one.
                return REFUSED
            if self._asked != asked and self._said is not None:
                return self._said
            said = await self._renewed(old, wire)
            if isinstance(said, Grant):
                self._token = said.token
                said.token.is_doubtful = self._is_doubtful and not said.token.is_shared
            self._said = said.token if isinstance(said, Grant) else said
            self._asked += 1
            return self._said

    async def _renewed(self, old: Token | None, wire: Transport) -> Grant | Unavailable | Stop:
        assert not isinstance(self._auth, Fixed), "nothing renews a token that somebody made"
        return await renewed_or_shared(self._auth, old, Endpoint(wire, self._retry_after), wire)


def _fixed(auth: Fixed) -> Token:
    if isinstance(auth, Bearer):
        return Token(auth.token.get_secret_value())
    pair = f"{auth.username}:{auth.password.get_secret_value()}"
    return Token(base64.b64encode(pair.encode()).decode(), scheme="Basic")
