"""A process that sends batches with a token that others share: FILE ADDRESS COUNT; prints what the last came to."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from destinations.base import AllDelivered, Reply
from engine.clock import SystemClock
from engine.core.reach import Reach
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.transport import HttpTransport, TransportLimits
from tests.destinations.auth_world import ONE, Api, credentials


async def sent(file: Path, address: str, count: int) -> Reply:
    """What the first batch came to that was not delivered, or the last one."""
    clock = SystemClock()
    api = Api(credentials(token_url=f"{address}/token", access_token_file=file), address=f"{address}/contacts")
    transport = HttpTransport(Pacer(Unlimited(), clock, {}), clock, TransportLimits(), reach=Reach(private=True))
    reply: Reply = AllDelivered()
    try:
        for _ in range(count):
            reply = await api.send(ONE, transport)
            if not isinstance(reply, AllDelivered):
                break
    finally:
        await transport.close()
    return reply


if __name__ == "__main__":
    print(repr(asyncio.run(sent(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))), flush=True)
