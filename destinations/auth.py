"""How calls are authorised: forms of credential as data, the token that comes of them, and a transport that attaches it.

An access token is fetched through the engine's transport, renewed at half its life by one call for all who wait for it, and
kept in memory only. Who is refused with one is given another one once.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Coroutine, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, assert_never
from urllib.parse import quote_plus, urlencode
from weakref import WeakKeyDictionary

import httpx
from pydantic import AfterValidator, SecretStr, StringConstraints

from destinations.addresses import PrivateAddress
from destinations.base import CheckFailed, DestinationConfig, Sign, Stop, Transport, Unavailable
from destinations.grants import INVALID_GRANT, Grant, RetryAfter, Token, granted
from destinations.token_file import TOKEN, TokenFile, TokenFileBusy, TokenFileError

SPARE_SECONDS = 60.0
"""How much of its life a token must have left to be used when it could not be renewed early."""
_T = TypeVar("_T")


def _sendable(token: SecretStr) -> SecretStr:
    if not TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("must be visible ASCII without blanks or line ends")
    return token


class ClientProof(StrEnum):
    """Where the client's secret stands in a call of the token endpoint."""

    HEADER = "header"
    """HTTP Basic, which every server must take (RFC 6749, 2.3.1)."""
    BODY = "body"


class Bearer(DestinationConfig):
    """A token that somebody made and that nothing renews; a destination that refuses it ends the run."""

    token: Annotated[SecretStr, AfterValidator(_sendable)]


class Basic(DestinationConfig):
    """A user and a password that somebody made (RFC 7617); a destination that refuses them ends the run."""

    username: Annotated[str, StringConstraints(pattern=r"^[!-9;-~]+$")]
    password: Annotated[SecretStr, AfterValidator(_sendable)]


class ClientCredentials(DestinationConfig):
    """OAuth 2 client credentials (RFC 6749, 4.4); ``parameters`` are what the server wants beyond the standard's."""

    token_url: PrivateAddress
    client_id: str
    client_secret: SecretStr
    proof: ClientProof = ClientProof.HEADER
    scope: str = ""
    parameters: dict[str, str] = {}


class RefreshToken(DestinationConfig):
    """OAuth 2 refresh token (RFC 6749, 6), in a file that only its owner may read and that a successor is written to."""

    token_url: PrivateAddress
    client_id: str
    client_secret: SecretStr | None = None
    proof: ClientProof = ClientProof.HEADER
    refresh_token_file: Path


Renewable: TypeAlias = ClientCredentials | RefreshToken
Fixed: TypeAlias = Bearer | Basic
Auth: TypeAlias = Fixed | Renewable


class Denied(CheckFailed):
    """No call can be authorised; the message holds no secret and nothing that the other side wrote."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.message)
        self.stop = stop


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
            said = await self._granted(wire)
            if isinstance(said, Grant):
                self._token = said.token
                said.token.is_doubtful = self._is_doubtful
            self._said = said.token if isinstance(said, Grant) else said
            self._asked += 1
            return self._said

    async def _granted(self, wire: Transport) -> Grant | Unavailable | Stop:
        match self._auth:
            case ClientCredentials() as auth:
                form = {"grant_type": "client_credentials", "scope": auth.scope, **auth.parameters}
                return await self._call(wire, auth, form)
            case RefreshToken() as auth:
                return await self._renewed(wire, auth)
            case Bearer() | Basic():
                raise AssertionError("nothing renews a token that somebody made")
            case _:
                assert_never(self._auth)

    async def _renewed(self, wire: Transport, auth: RefreshToken) -> Grant | Unavailable | Stop:
        file = TokenFile(auth.refresh_token_file)
        try:
            async with file.turn():
                said = await _to_its_end(self._exchanged(wire, auth, file))
        except TokenFileBusy:
            return Unavailable("auth_busy", "another process is renewing the token", applied_unknown=False)
        except TokenFileError as error:
            return Stop("auth_file", str(error))
        if said == INVALID_GRANT:
            message = f"the refresh token is refused (invalid_grant); put a new one into {auth.refresh_token_file}"
            return Stop(INVALID_GRANT.code, message)
        return said

    async def _exchanged(self, wire: Transport, auth: RefreshToken, file: TokenFile) -> Grant | Unavailable | Stop:
        token = file.read()
        file.prove(token)
        said = await self._call(wire, auth, {"grant_type": "refresh_token", "refresh_token": token})
        if said == INVALID_GRANT and (other := file.read()) != token:
            token = other
            said = await self._call(wire, auth, {"grant_type": "refresh_token", "refresh_token": token})
        if isinstance(said, Grant) and said.successor not in ("", token):
            file.keep(said.successor)
        return said

    async def _call(self, wire: Transport, auth: Renewable, form: Mapping[str, str]) -> Grant | Unavailable | Stop:
        return await granted(wire, _request(auth, form), self._retry_after)


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
        if isinstance(token, Unavailable):
            return token
        answer = await self._wire.request(_bearing(request, token), sign)
        if not self._is_refusal(answer, token):
            return answer
        token = _or_denied(await self._tokens.instead_of(token, self._wire))
        if isinstance(token, Unavailable):
            return token
        answer = await self._wire.request(_bearing(request, token), sign)
        if self._is_refusal(answer, token):
            self._tokens.forget(token)
            raise Denied(REFUSED)
        return answer

    def _is_refusal(self, answer: httpx.Response | Unavailable, token: Token) -> bool:
        if isinstance(answer, Unavailable) or not self._tokens.is_renewable:
            return False
        if answer.status_code in self._expired:
            return True
        self._tokens.answered(token)
        return False


def _fixed(auth: Fixed) -> Token:
    if isinstance(auth, Bearer):
        return Token(auth.token.get_secret_value())
    pair = f"{auth.username}:{auth.password.get_secret_value()}"
    return Token(base64.b64encode(pair.encode()).decode(), scheme="Basic")


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


def _request(auth: Renewable, form: Mapping[str, str]) -> httpx.Request:
    fields = {name: value for name, value in form.items() if value}
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    if auth.client_secret is None:
        fields["client_id"] = auth.client_id
    elif auth.proof is ClientProof.BODY:
        fields |= {"client_id": auth.client_id, "client_secret": auth.client_secret.get_secret_value()}
    else:
        pair = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret.get_secret_value())}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return httpx.Request("POST", auth.token_url, headers=headers, content=urlencode(fields).encode())


async def _to_its_end(call: Coroutine[Any, Any, _T]) -> _T:
    """Await ``call`` even when cancelled: a server that has taken the old token back must have its new one kept."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
