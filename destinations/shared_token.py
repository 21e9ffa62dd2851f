"""An access token that the processes of a host share: in one encrypted file, renewed by whoever finds it due.

The file opens with what the credential itself is secret by, so whoever could read it could have a token anyway; it holds nothing
in clear, and who may not read it by its mode cannot by a copy either.
"""

from __future__ import annotations

import base64
import math
from typing import assert_never

import orjson
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from destinations.auth import Assertion, ClientCredentials, RefreshToken, Renewable
from destinations.base import Stop, Transport, Unavailable
from destinations.grants import Grant, Token
from destinations.own_file import OwnFile, OwnFileBusy, OwnFileError
from destinations.renewal import BUSY, Endpoint, to_its_end
from destinations.token_file import TOKEN, TokenFile

SEALED_BYTES = 2_048
"""About what a file with a token takes."""


async def renewed_or_shared(
    auth: Renewable, old: Token | None, endpoint: Endpoint, wire: Transport
) -> Grant | Unavailable | Stop:
    """Another token than ``old``: one that another process put into the file, else a new one, which is put there."""
    if auth.access_token_file is None:
        return await endpoint.renewed(auth)
    file = OwnFile(auth.access_token_file)
    try:
        async with file.turn():
            return await to_its_end(_either(auth, old, endpoint, wire, file))
    except OwnFileBusy:
        return BUSY
    except OwnFileError as error:
        return Stop("auth_file", str(error))


async def _either(
    auth: Renewable, old: Token | None, endpoint: Endpoint, wire: Transport, file: OwnFile
) -> Grant | Unavailable | Stop:
    found = _opened(auth, file, wire.monotonic())
    if found is not None and (old is None or found.text != old.text) and found.due_at > wire.monotonic():
        return Grant(found, "")
    file.prove(bytes(SEALED_BYTES))
    said = await endpoint.renewed(auth)
    if isinstance(said, Grant):
        file.keep(_sealed(auth, said.token, said.token.ends_at - wire.monotonic()))
    return said


def _opened(auth: Renewable, file: OwnFile, now: float) -> Token | None:
    """The token of the file; None where it holds none that is of this credential, such as after its secret was changed."""
    if not file.path.exists():
        return None
    try:
        said = orjson.loads(_key(auth).decrypt(file.read()))
    except InvalidToken:
        return None
    began, life = now - file.age_seconds(), math.inf if said["life"] is None else float(said["life"])
    assert TOKEN.fullmatch(said["token"]), "it was judged before it was kept"
    return Token(said["token"], began + life / 2, began + life, is_shared=True)


def _sealed(auth: Renewable, token: Token, life: float) -> bytes:
    said = {"token": token.text, "life": None if math.isinf(life) else life}
    return _key(auth).encrypt(orjson.dumps(said))


def _key(auth: Renewable) -> Fernet:
    """Another one for each credential, and for each of what it asks for. Raises `OwnFileError` where its secret cannot be read."""
    about = auth.model_dump_json(exclude={"access_token_file"}).encode()
    derived = HKDF(SHA256(), 32, salt=None, info=b"tidegate access token " + about).derive(_secret(auth).encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _secret(auth: Renewable) -> str:
    match auth:
        case ClientCredentials():
            return auth.client_secret.get_secret_value()
        case Assertion():
            return auth.secret()
        case RefreshToken():
            return TokenFile(auth.refresh_token_file).read()
        case _:
            assert_never(auth)
