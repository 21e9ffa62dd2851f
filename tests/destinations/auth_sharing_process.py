"""A process that sends batches with a token that others share: FILE ADDRESS COUNT; prints what the last came to."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from destinations.base import Reply
from engine.clock import SystemClock
from tests.destinations.auth_world import Api, credentials, sent_on


async def sent(file: Path, address: str, count: int) -> Reply:
    auth = credentials(token_url=f"{address}/token", access_token_file=file)
    return await sent_on(Api(auth, address=f"{address}/contacts"), SystemClock(), count)


if __name__ == "__main__":
    print(repr(asyncio.run(sent(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))), flush=True)
