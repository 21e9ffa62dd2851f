"""How each form of credential gets another access token of its token endpoint."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar, assert_never
from urllib.parse import quote_plus, urlencode

import httpx

from destinations.auth import Assertion, ClientCredentials, ClientProof, RefreshToken, Renewable
from destinations.base import Sign, Stop, Transport, Unavailable
from destinations.grants import INVALID_GRANT, Grant, RetryAfter, granted
from destinations.own_file import OwnFileBusy, OwnFileError
from destinations.token_file import TokenFile

_T = TypeVar("_T")
BUSY = Unavailable("auth_busy", "another process is renewing the token", applied_unknown=False)


class Endpoint:
    """The token endpoint of a credential, over the wire of a run."""

    def __init__(self, wire: Transport, retry_after: RetryAfter) -> None:
        self._wire = wire
        self._retry_after = retry_after

    async def renewed(self, auth: Renewable) -> Grant | Unavailable | Stop:
        """Another access token for what ``auth`` proves, or why there is none."""
        match auth:
            case ClientCredentials():
                form = {"grant_type": "client_credentials", "scope": auth.scope, **auth.parameters}
                return await self._granted(_request(auth, form))
            case Assertion():
                return await self._granted(_posted(auth.token_url, {}), partial(_asserting, auth))
            case RefreshToken():
                return await self._refreshed(auth)
            case _:
                assert_never(auth)

    async def _refreshed(self, auth: RefreshToken) -> Grant | Unavailable | Stop:
        file = TokenFile(auth.refresh_token_file)
        try:
            async with file.file.turn():
                said = await to_its_end(self._exchanged(auth, file))
        except OwnFileBusy:
            return BUSY
        except OwnFileError as error:
            return Stop("auth_file", str(error))
        if said == INVALID_GRANT:
            message = f"the refresh token is refused (invalid_grant); put a new one into {auth.refresh_token_file}"
            return Stop(INVALID_GRANT.code, message)
        return said

    async def _exchanged(self, auth: RefreshToken, file: TokenFile) -> Grant | Unavailable | Stop:
        token = file.read()
        file.prove(token)
        said = await self._granted(_request(auth, {"grant_type": "refresh_token", "refresh_token": token}))
        if said == INVALID_GRANT and (other := file.read()) != token:
            token = other
            said = await self._granted(_request(auth, {"grant_type": "refresh_token", "refresh_token": token}))
        if isinstance(said, Grant) and said.successor not in ("", token):
            file.keep(said.successor)
        return said

    async def _granted(self, request: httpx.Request, sign: Sign | None = None) -> Grant | Unavailable | Stop:
        return await granted(self._wire, request, self._retry_after, sign)


def _asserting(auth: Assertion, request: httpx.Request, now: datetime) -> httpx.Request:
    """The request with what the client signs at the moment of the attempt."""
    return _posted(str(request.url), {"grant_type": auth.grant_type, "assertion": auth.asserted(now)})


def _request(auth: ClientCredentials | RefreshToken, form: Mapping[str, str]) -> httpx.Request:
    fields = {name: value for name, value in form.items() if value}
    headers = {}
    if auth.client_secret is None:
        fields["client_id"] = auth.client_id
    elif auth.proof is ClientProof.BODY:
        fields |= {"client_id": auth.client_id, "client_secret": auth.client_secret.get_secret_value()}
    else:
        pair = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret.get_secret_value())}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return _posted(auth.token_url, fields, headers)


def _posted(
    address: str, fields: Mapping[str, str], headers: Mapping[str, str] = MappingProxyType({})
) -> httpx.Request:
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded", **headers}
    return httpx.Request("POST", address, headers=headers, content=urlencode(fields).encode())


async def to_its_end(call: Coroutine[Any, Any, _T]) -> _T:
    """Await ``call`` even when cancelled: a server that has taken the old token back must have its new one kept."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
