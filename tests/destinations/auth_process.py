"""A process that sends batches and needs a new token for each: FILE ADDRESS COUNT; prints what the last came to."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from destinations.auth import RefreshToken
from destinations.base import Reply
from tests.destinations.auth_world import LIFE, Api, Hand, sent_on


async def sent(file: Path, address: str, count: int) -> Reply:
    clock = Hand()

    def a_life_later() -> None:
        clock.seconds += LIFE

    auth = RefreshToken(token_url=f"{address}/token", client_id="tidegate", refresh_token_file=file)
    return await sent_on(Api(auth, address=f"{address}/contacts"), clock, count, after=a_life_later)


if __name__ == "__main__":
    print(repr(asyncio.run(sent(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))), flush=True)
