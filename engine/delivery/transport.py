"""HTTP as adapters see it: one request, paced and limited in time and size; trouble comes back as a value."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Protocol

import httpx

from destinations.base import Sign, Transport, Unavailable
from engine.clock import Clock
from engine.core.reach import Reach
from engine.delivery.answer import AnswerTooLarge, content
from engine.delivery.network import Guarded, Wire
from engine.delivery.pacer import BYTES, LOCAL_CODES, REQUESTS, Pacer

PUBLIC = Reach()


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """How long a request may take in all, how long a connection attempt, and how many connections there are."""

    total_seconds: float = 60.0
    connect_seconds: float = 10.0
    connections: int = 16


Ahead = Callable[[], Awaitable[Unavailable | None]]
"""Asked when a call has its turn: why it must not be made, if so."""


class Paced(Transport, Protocol):
    """A transport that asks right before a call leaves."""

    async def request(
        self, request: httpx.Request, sign: Sign | None = None, ahead: Ahead | None = None
    ) -> httpx.Response | Unavailable:
        """As `Transport.request`; nothing leaves that ``ahead`` refuses."""
        ...


class HttpTransport:
    """One HTTP client for a run: no redirects, no proxy settings from the environment, bounded bodies.

    ``exhausted_for`` reads from an answer how long no call is left, so that the next one is not sent to be throttled. ``reach``
    says where calls may go, and is asked for every connection; a ``wire`` of one's own goes where it likes.
    """

    def __init__(
        self,
        pacer: Pacer,
        clock: Clock,
        limits: TransportLimits,
        wire: httpx.AsyncBaseTransport | None = None,
        exhausted_for: Callable[[httpx.Response], timedelta | None] = lambda _: None,
        reach: Reach = PUBLIC,
    ) -> None:
        self._pacer = pacer
        self._clock = clock
        self._limits = limits
        self._exhausted_for = exhausted_for
        self._client = httpx.AsyncClient(
            transport=wire or Wire(Guarded(reach), _authorities(), limits.connections),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(limits.total_seconds, connect=limits.connect_seconds),
        )

    async def request(
        self, request: httpx.Request, sign: Sign | None = None, ahead: Ahead | None = None
    ) -> httpx.Response | Unavailable:
        """Wait for a turn, ask ``ahead``, sign, send once, read the whole body.

        Raises `Denied` where calls may not go to the address.
        """
        refusal = await self._pacer.turn(BYTES, len(request.content)) or await self._pacer.turn(REQUESTS)
        if refusal is None and ahead is not None:
            refusal = await ahead()
        if refusal is not None:
            return refusal
        if sign is not None:
            request = sign(request, self._clock.now())
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                answer = await self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Unavailable("connect", f"no connection ({type(error).__name__})", applied_unknown=False)
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            return Unavailable("no_answer", f"no whole answer ({type(error).__name__})", applied_unknown=True)
        if isinstance(answer, httpx.Response) and answer.is_success and (wait := self._exhausted_for(answer)):
            await self._pacer.exhausted(wait)
        return answer

    def monotonic(self) -> float:
        """Seconds on the engine's clock that only goes forward."""
        return self._clock.monotonic()

    async def _exchange(self, request: httpx.Request) -> httpx.Response | Unavailable:
        response = await self._client.send(request, stream=True)
        try:
            body = await content(response)
        except AnswerTooLarge:
            return Unavailable("answer_too_large", "the answer is larger than 16 MiB", applied_unknown=True)
        finally:
            await response.aclose()
        # As bytes: a server may send letters that no header can have, and text would have to be written as ASCII again.
        raw = response.headers.raw
        headers = [(name, value) for name, value in raw if name.lower() not in (b"content-encoding", b"content-length")]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


@cache
def _authorities() -> ssl.SSLContext:
    """Who may vouch for a server; read once a process, because reading them takes longer than a small sync."""
    return httpx.create_ssl_context(trust_env=False)


class Metered:
    """Counts what one batch costs; ``ahead`` says right before each call why it must not be made, if so."""

    def __init__(self, wire: Paced, ahead: Ahead | None = None) -> None:
        self._wire = wire
        self.ahead = ahead
        self.requests = 0
        self.bytes_sent = 0

    async def request(self, request: httpx.Request, sign: Sign | None = None) -> httpx.Response | Unavailable:
        """As the wire under it; a call that never left costs nothing."""
        answer = await self._wire.request(request, sign, self.ahead)
        if not (isinstance(answer, Unavailable) and answer.code in LOCAL_CODES):
            self.requests += 1
            self.bytes_sent += len(request.content)
        return answer

    def monotonic(self) -> float:
        """As the wire under it."""
        return self._wire.monotonic()
