"""Servers on loopback that speak raw bytes, and a request to them over the engine's own HTTP client."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx

from destinations.base import Unavailable
from engine.core.reach import Reach
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.transport import HttpTransport, TransportLimits
from tests.delivery.scripted import ran

Speak = Callable[[socket.socket], None]
BODY = b'{"records": []}'
QUICK = TransportLimits(total_seconds=5.0, connect_seconds=5.0)


class Server:
    """``requests`` are the heads of what it was sent, ``connections`` how often somebody connected."""

    def __init__(self, speak: Speak) -> None:
        self._speak = speak
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}/batch"
        self.requests: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                with peer, suppress(ConnectionError):
                    while head := read(peer):
                        self.requests.append(head)
                        self._speak(peer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def read(peer: socket.socket) -> bytes:
    """A whole request; its head, or nothing when the client went away."""
    received = b""
    while not received.endswith(BODY):
        if not (piece := peer.recv(65_536)):
            return b""
        received += piece
    return received.partition(b"\r\n\r\n")[0]


@contextmanager
def serving(speak: Speak) -> Iterator[Server]:
    server = Server(speak)
    try:
        yield server
    finally:
        server.close()


def reset(peer: socket.socket) -> None:
    """End the connection with a reset instead of an orderly close."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def asked(url: str, limits: TransportLimits = QUICK, calls: int = 1) -> list[httpx.Response | Unavailable]:
    """What so many requests, one after the other, were answered."""

    async def every() -> list[httpx.Response | Unavailable]:
        clock = SkippedClock()
        transport = HttpTransport(Pacer(Unlimited(), clock), clock, limits, reach=Reach(private=True))
        try:
            return [await transport.request(httpx.Request("POST", url, content=BODY)) for _ in range(calls)]
        finally:
            await transport.close()

    return ran(every())


def failure(url: str, limits: TransportLimits = QUICK) -> tuple[str, bool]:
    """Code and uncertainty of a request that fails."""
    (reply,) = asked(url, limits)
    assert isinstance(reply, Unavailable)
    return reply.code, reply.applied_unknown
