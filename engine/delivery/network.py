"""Connections: the one place where a host becomes an address, which is judged and then connected to as it was judged.

A name that is looked up a second time may lead elsewhere, so it is looked up once for each connection. The name itself stays
what the certificate of the server is held against and what `Host` says.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import TypeAlias

import httpcore
import httpx
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream

from destinations.base import Denied, Stop
from engine.core.reach import Address, Reach, literal

ADDRESS_REFUSED = "address_refused"
"""Code of a run that ends because its destination is where no call may go."""
ADDRESSES_MAX = 8
"""Addresses of a name that are tried."""
Look: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Gives the addresses that a name leads to, the best one first; raises `OSError` when it leads nowhere."""


async def looked_up(host: str, port: int) -> Sequence[Address]:
    """What the machine's own resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ip_address(at[0]) for *_, at in found))


class Guarded(AsyncNetworkBackend):
    """Connects to hosts within a reach, and raises `Denied` for others before a byte leaves."""

    def __init__(self, reach: Reach, look: Look = looked_up, network: AsyncNetworkBackend | None = None) -> None:
        self._reach = reach
        self._look = look
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to the first address that takes one; each has its share of the time that is left."""
        clock = asyncio.get_running_loop().time
        ends = None if timeout is None else clock() + timeout
        addresses = await self._judged(host, port, timeout)
        for left in range(len(addresses), 0, -1):
            share = None if ends is None else max(0.0, ends - clock()) / left
            try:
                address = str(addresses[-left])
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore.ConnectError(f"{host} leads nowhere")

    async def sleep(self, seconds: float) -> None:
        """As the network under it."""
        await self._network.sleep(seconds)

    async def _judged(self, host: str, port: int, seconds: float | None) -> Sequence[Address]:
        address = literal(host)
        if address is not None:
            addresses: Sequence[Address] = (address,)
        else:
            try:
                async with asyncio.timeout(seconds):
                    addresses = await self._look(host, port)
            except TimeoutError:
                raise httpcore.ConnectTimeout(f"{host} is not found in time") from None
            except (OSError, UnicodeError):
                raise httpcore.ConnectError(f"{host} is not found") from None
        if why := self._reach.refusal(host, port, addresses):
            raise Denied(Stop(ADDRESS_REFUSED, why))
        return addresses[:ADDRESSES_MAX]


class Wire(httpx.AsyncHTTPTransport):
    """The client's own way out, over a network that judges each address."""

    def __init__(self, network: Guarded, authorities: ssl.SSLContext, connections: int) -> None:
        super().__init__(verify=authorities, trust_env=False)
        # The library offers no other way to give it a network; a release that keeps its connections elsewhere must not
        # go around the judge without a word.
        assert isinstance(self._pool, httpcore.AsyncConnectionPool), "it keeps its connections elsewhere"
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=authorities,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=httpx.Limits().keepalive_expiry,
            network_backend=network,
        )
