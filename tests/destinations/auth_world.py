"""An API whose calls need a token, the endpoint that gives tokens out, and a clock that goes when it is moved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, TypeVar

import httpx

from destinations.auth import Auth, ClientCredentials
from destinations.base import (
    AllDelivered,
    Batch,
    DestinationConfig,
    Idempotency,
    Limits,
    Op,
    Reply,
    Spec,
    Transport,
)
from destinations.http import HttpDestination, Talk
from destinations.testing.issuer import Issuer
from engine.clock import SystemClock
from engine.core.reach import Reach
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.transport import HttpTransport, TransportLimits
from tests.destinations.batches import batch
from tests.loopback import Quiet, serving

TOKENS, API = "https://auth.example/token", "https://api.example/contacts"
SECRET = "a client secret: 100% & more"
LIFE = 3600.0
ONE = batch(Op.UPSERT, {"ada": {"name": "Ada"}})
T = TypeVar("T")


class Hand(SystemClock):
    """A clock that goes when it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Api(HttpDestination):
    """Takes whatever is authorised, in as many calls as wanted."""

    spec: ClassVar[Spec] = Spec(
        name="api",
        title="Api",
        config=DestinationConfig,
        operations=frozenset({Op.UPSERT}),
        limits=Limits(records=10, bytes=10_000),
        idempotency=Idempotency.KEYED,
    )

    def __init__(self, auth: Auth | None, calls: int = 1, address: str = API) -> None:
        super().__init__(DestinationConfig())
        self._auth = auth
        self._address = address
        self._calls = calls

    def auth(self) -> Auth | None:
        return self._auth

    def encode(self, batch: Batch) -> httpx.Request:
        return httpx.Request("POST", self._address, json={"ids": batch.ids})

    def decode(self, batch: Batch, response: httpx.Response) -> Reply:
        return AllDelivered()

    def talk(self, batch: Batch) -> Talk[Reply]:
        for _ in range(self._calls):
            yield self.encode(batch)
        return AllDelivered()


class World(httpx.AsyncBaseTransport):
    """A token endpoint and an API behind one wire."""

    def __init__(self, issuer: Issuer | None = None) -> None:
        self.issuer = issuer or Issuer(TOKENS)
        self.taken: list[httpx.Request] = []
        self.clock = Hand()
        self.gate: asyncio.Event | None = None
        """What the token endpoint waits for."""
        self.watch: Callable[[httpx.Request], None] = lambda _: None
        """Called for each request before its answer is given."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.gate is not None and str(request.url) == TOKENS:
            await self.gate.wait()
        answer = self.issuer.answer(request)
        if answer is None:
            self.taken.append(request)
        self.watch(request)
        return answer or httpx.Response(200)

    def run(self, call: Callable[[Transport], Awaitable[T]]) -> T:
        """What a call says that needs a transport, in an event loop of its own as each run has one."""

        async def answered() -> T:
            transport = HttpTransport(Pacer(Unlimited(), self.clock, {}), self.clock, TransportLimits(), self)
            try:
                return await call(transport)
            finally:
                await transport.close()

        return asyncio.run(answered())

    def send(self, api: Api) -> Reply:
        return self.run(lambda transport: api.send(ONE, transport))

    @property
    def asked(self) -> int:
        return len(self.issuer.asked)


async def sent_on(api: Api, clock: SystemClock, count: int, *, after: Callable[[], None] = lambda: None) -> Reply:
    """What the first batch came to that was not delivered, or the last of ``count``, over a real network."""
    transport = HttpTransport(Pacer(Unlimited(), clock, {}), clock, TransportLimits(), reach=Reach(private=True))
    reply: Reply = AllDelivered()
    try:
        for _ in range(count):
            reply = await api.send(ONE, transport)
            after()
            if not isinstance(reply, AllDelivered):
                break
    finally:
        await transport.close()
    return reply


def credentials(**changed: Any) -> ClientCredentials:
    return ClientCredentials(**{"token_url": TOKENS, "client_id": "tidegate", "client_secret": SECRET, **changed})


class Served:
    """A world on a socket, for other processes; ``before`` and ``after`` are called around the answer for a token."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.taken = 0
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.address = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        answer = self.issuer.answer(request)
        self.taken += answer is None
        return answer or httpx.Response(200)


@contextmanager
def served(issuer: Issuer) -> Iterator[Served]:
    """``issuer`` and the API that takes its tokens, on a free port."""
    world, one_at_a_time = Served(issuer), threading.Lock()

    class Calls(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            address = world.address + self.path
            with one_at_a_time:
                answer = world.answer(httpx.Request("POST", address, headers=dict(self.headers), content=body))
                is_token = address == issuer.address and answer.is_success
                if is_token:
                    world.before()
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
                if is_token:
                    world.after()

    with serving(Calls) as address:
        world.address, issuer.address = address, f"{address}/token"
        yield world
