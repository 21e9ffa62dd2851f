"""Which addresses operators may write: those where nobody on the way can read along, and who allows others."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

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
