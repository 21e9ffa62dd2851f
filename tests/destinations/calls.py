"""Calls of an adapter through the engine's own HTTP client, over a scripted wire or a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import httpx

from destinations.base import Batch, Destination, Reply, Transport
from engine.clock import SystemClock
from engine.core.reach import Reach
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.transport import HttpTransport, TransportLimits

NOW = datetime(2026, 11, 25, 8, 0, 0, 900_000, tzinfo=UTC)
T = TypeVar("T")


class Stopped(SystemClock):
    """A clock whose wall time stands still."""

    def now(self) -> datetime:
        return NOW


def send(
    destination: Destination,
    batch: Batch,
    wire: httpx.AsyncBaseTransport | None = None,
    limits: TransportLimits | None = None,
) -> Reply:
    """The reply to one batch that is sent once."""
    return asked(lambda transport: destination.send(batch, transport), wire, limits)


def asked(
    call: Callable[[Transport], Awaitable[T]],
    wire: httpx.AsyncBaseTransport | None = None,
    limits: TransportLimits | None = None,
) -> T:
    """What a call says that needs a transport."""

    async def answered() -> T:
        clock = Stopped()
        pacer, here = Pacer(Unlimited(), clock, {}), Reach(private=True)
        transport = HttpTransport(pacer, clock, limits or TransportLimits(), wire, reach=here)
        try:
            return await call(transport)
        finally:
            await transport.close()

    return asyncio.run(answered())
