"""Which addresses operators may write: those where nobody on the way can read along, and who allows others."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from destinations.base import DestinationConfig

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""The hosts that are this machine: what leaves for them cannot be read on the way, so it needs no https."""


def _private(address: str) -> str:
    parts = urlsplit(address)
    is_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_loopback):
        raise ValueError("must be an https address, for a secret is sent there")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must carry no user, password or fragment")
    return address


PrivateAddress = Annotated[str, AfterValidator(_private)]
"""The address of an API or of a token endpoint, as operators write it: https, or this machine."""


class NetworkConfig(DestinationConfig):
    """Base of the config of an adapter whose address operators choose.

    Calls go to the internet, and to this machine where its address stands in the config as `LOOPBACK` has it. ``allow_private``
    lets them go to all of this machine and of private networks. The engine judges the address that a host leads to, each time
    that it connects.
    """

    allow_private: bool = False


class UrlConfig(NetworkConfig):
    """Base of the config of an adapter whose API is the operator's own: https, or this machine, or ``allow_http``."""

    url: str
    allow_http: bool = False

    @model_validator(mode="after")
    def _safe_address(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _refusal("must be an http or https address")
        if parts.username or parts.password or parts.fragment:
            raise _refusal("must carry no user, password or fragment; put credentials in `headers`")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.allow_http:
            raise _refusal("must be https; `allow_http: true` accepts a connection that anybody can read")
        return self


def _refusal(message: str) -> PydanticCustomError:
    """What is wrong with ``url``, told at its own line."""
    return PydanticCustomError("bad_value", "{message}", {"message": message, "key": "url"})
