"""A TCP proxy that misbehaves: it stands between a client and a server and does to their bytes what networks do.

It knows bytes and turns, not HTTP: what a client sends until the server speaks is a request, what the server then says
is its response, which holds for every protocol without pipelining. Faults are replaced at any time and meet every
connection from then on; `cut` ends those that are open. It counts what it did, so that a test can say what was repeated.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

PIECE_BYTES = 64 * 1024
START_SECONDS_MAX = 10.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing throws away what was not sent and answers RST."""


@dataclass(frozen=True)
class Faults:
    """What happens to bytes; ``lost_responses`` counts down, shares are of turns."""

    latency_seconds: float = 0.0
    bytes_per_second: int | None = None
    to_server_bytes_max: int | None = None
    """After so many bytes of a connection to the server, it ends."""
    to_client_bytes_max: int | None = None
    """After so many bytes of a connection to the client, it ends."""
    resets: bool = False
    """A connection that a fault ends is ended by RST, else by FIN."""
    refuses: bool = False
    """New connections are ended before a byte."""
    stalls: bool = False
    """Nothing is passed on and nothing is closed."""
    lost_responses: int = 0
    """So many responses are thrown away with their connection: the server acted, and the client does not know."""
    lost_share: float = 0.0
    repeated_share: float = 0.0
    """Of requests that are sent a second time, whose response nobody sees."""


NO_FAULTS = Faults()


@dataclass
class Counts:
    """What the proxy did; ``broken`` counts connections that ended by a fault while a request was on its way."""

    connections: int = 0
    requests: int = 0
    lost: int = 0
    repeated: int = 0
    broken: int = 0


@dataclass(eq=False)
class _Connection:
    """Both sides of one connection, and whose turn it is."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asked: bool = False
    request: bytearray = field(default_factory=bytearray)
    to_server: int = 0
    to_client: int = 0


class _Ended(Exception):
    """A fault ends the connection."""


class FaultProxy:
    """Made by `proxying`; ``faults`` and `cut` are for the test's thread, all else is the loop's."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self.faults = NO_FAULTS
        self.counts = Counts()
        self.port = 0
        self._upstream = (host, port)
        self._dice = random.Random(seed)
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()

    def through(self, url: str) -> str:
        """``url`` by way of the proxy."""
        return urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """End every open connection by RST, and return when that is done."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(START_SECONDS_MAX)

    async def _cut(self) -> None:
        for connection in tuple(self._open):
            self._end(connection, resets=True)

    async def _accepted(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        if self.faults.refuses:
            _close(client, resets=True)
            return
        try:
            server_reader, server = await asyncio.open_connection(*self._upstream)
        except OSError:
            _close(client, resets=True)
            return
        connection = _Connection(client, server)
        self._open.add(connection)
        pumps = [
            self._pump(reader, connection, self._to_server),
            self._pump(server_reader, connection, self._to_client),
        ]
        await asyncio.gather(*pumps)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        connection: _Connection,
        passed: Callable[[_Connection, bytes], Coroutine[Any, Any, None]],
    ) -> None:
        """Pass pieces on until one side or a fault ends the connection; the other pump ends with it."""
        resets = False
        try:
            while connection in self._open and (piece := await reader.read(PIECE_BYTES)):
                await self._delayed(len(piece))
                await passed(connection, piece)
        except _Ended:
            resets = self.faults.resets
        except OSError:
            pass
        self._end(connection, resets=resets)

    async def _delayed(self, size: int) -> None:
        faults = self.faults
        wait = faults.latency_seconds + (size / faults.bytes_per_second if faults.bytes_per_second else 0.0)
        if wait > 0:
            await asyncio.sleep(wait)
        while self.faults.stalls:  # noqa: ASYNC110  # another thread switches it, which no event of this loop sees
            await asyncio.sleep(0.01)

    async def _to_server(self, connection: _Connection, piece: bytes) -> None:
        if not connection.asked:
            self.counts.requests += 1
            connection.request.clear()
        connection.asked = True
        connection.request += piece
        limit = self.faults.to_server_bytes_max
        connection.server.write(_within(piece, limit, connection.to_server))
        connection.to_server += len(piece)
        await connection.server.drain()
        if limit is not None and connection.to_server > limit:
            raise _Ended

    async def _to_client(self, connection: _Connection, piece: bytes) -> None:
        if connection.asked:
            if self._is_lost():
                self.counts.lost += 1
                raise _Ended
            connection.asked = False
            if self._dice.random() < self.faults.repeated_share:
                self.counts.repeated += 1
                self._start(self._repeat(bytes(connection.request)))
        limit = self.faults.to_client_bytes_max
        connection.client.write(_within(piece, limit, connection.to_client))
        connection.to_client += len(piece)
        await connection.client.drain()
        if limit is not None and connection.to_client > limit:
            connection.asked = True  # what the client has is no whole response
            raise _Ended

    def _is_lost(self) -> bool:
        faults = self.faults
        if faults.lost_responses > 0:
            self.faults = replace(faults, lost_responses=faults.lost_responses - 1)
            return True
        return self._dice.random() < faults.lost_share

    async def _repeat(self, request: bytes) -> None:
        """What a network may do to a request that nobody sent twice; ends with the first bytes of its response."""
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(*self._upstream)
            writer.write(request)
            await reader.read(PIECE_BYTES)
            writer.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, connection: _Connection, *, resets: bool) -> None:
        if connection not in self._open:
            return
        self._open.discard(connection)
        self.counts.broken += connection.asked
        _close(connection.client, resets=resets)
        _close(connection.server, resets=False)

    def serve(self, ready: threading.Event) -> None:
        """Run the loop until `stop`; in a thread of its own."""
        asyncio.set_event_loop(self._loop)

        async def begin() -> asyncio.Server:
            server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            return server

        server = self._loop.run_until_complete(begin())
        ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    async def _finish(self) -> None:
        await self._cut()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


def _within(piece: bytes, limit: int | None, before: int) -> bytes:
    return piece if limit is None else piece[: max(0, limit - before)]


def _close(writer: asyncio.StreamWriter, *, resets: bool) -> None:
    if resets:
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    else:
        writer.close()


@contextmanager
def proxying(url: str, *, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy on a free loopback port before the server of ``url``, for as long as a block lasts."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    proxy = FaultProxy(address.hostname, address.port, seed)
    ready = threading.Event()
    thread = threading.Thread(target=proxy.serve, args=(ready,), name="fault proxy", daemon=True)
    thread.start()
    assert ready.wait(START_SECONDS_MAX)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()
