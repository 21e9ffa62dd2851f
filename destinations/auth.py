"""Forms of credential, as operators write them. What becomes of them is in `tokens`, and how another token is had in `renewal`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, SecretStr, StringConstraints

from destinations.addresses import PrivateAddress
from destinations.base import DestinationConfig
from destinations.token_file import TOKEN


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


class Issued(DestinationConfig):
    """A credential for which a token endpoint issues access tokens.

    The processes of a host share a token in ``access_token_file``, encrypted; where there is none, each has one of its own, in memory
    only.
    """

    token_url: PrivateAddress
    access_token_file: Path | None = None


class ClientCredentials(Issued):
    """OAuth 2 client credentials (RFC 6749, 4.4); ``parameters`` are what the server wants beyond the standard's."""

    client_id: str
    client_secret: SecretStr
    proof: ClientProof = ClientProof.HEADER
    scope: str = ""
    parameters: dict[str, str] = {}


class RefreshToken(Issued):
    """OAuth 2 refresh token (RFC 6749, 6), in a file that only its owner may read and that a successor is written to."""

    client_id: str
    client_secret: SecretStr | None = None
    proof: ClientProof = ClientProof.HEADER
    refresh_token_file: Path


class Assertion(Issued, ABC):
    """What the client says of itself and signs (RFC 7521, 4.1), at the moment when a token is asked for."""

    grant_type: ClassVar[str]

    @abstractmethod
    def secret(self) -> str:
        """What the client signs with."""

    @abstractmethod
    def asserted(self, now: datetime) -> str:
        """The assertion; good for a while after ``now``."""


Renewable: TypeAlias = ClientCredentials | RefreshToken | Assertion
Fixed: TypeAlias = Bearer | Basic
Auth: TypeAlias = Fixed | Renewable
