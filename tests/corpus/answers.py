"""Answers of a destination that nobody expects, given to the webhook's adapter by the transport that runs use."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from destinations.base import AllDelivered, Batch, Op, Outcomes, Refused, Reply, Stop, Throttled, Unavailable
from destinations.webhook import Webhook, WebhookConfig
from engine.clock import SystemClock
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.transport import HttpTransport, TransportLimits
from tests.corpus.hostile import HERE
from tests.destinations.batches import batch

LONG = "x" * 65_536
TWO = batch(Op.UPSERT, {"a": {"name": "Ada"}, "b": {"name": "Bo"}})
_REPLIES = (AllDelivered, Outcomes, Refused, Stop, Throttled, Unavailable)


class Bytes(httpx.AsyncByteStream):
    """A body in pieces, as a socket would give it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        for start in range(0, len(self._content), 16_384):
            yield self._content[start : start + 16_384]


class Wire(httpx.AsyncBaseTransport):
    """Gives one answer to every request."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        self._answer = (status, headers, content)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, content = self._answer
        return httpx.Response(status, headers=headers, stream=Bytes(content), request=request)


def replied(status: int, headers: list[tuple[bytes, bytes]], content: bytes, to: Batch = TWO) -> Reply:
    """What the adapter makes of one answer."""

    async def send() -> Reply:
        clock = SystemClock()
        wire = Wire(status, headers, content)
        adapter = Webhook(WebhookConfig(url="https://receiver.test/batch"))
        limits = TransportLimits(total_seconds=5.0)
        transport = HttpTransport(Pacer(Unlimited(), clock), clock, limits, wire, adapter.exhausted_for)
        try:
            return await adapter.send(to, transport)
        finally:
            await transport.close()

    return asyncio.run(send())


def answered(dice: random.Random, count: int) -> Iterator[tuple[object, Callable[[], object]]]:
    """Cases to try: each status with some body and headers, then anything with anything."""
    for number in range(count):
        status = 100 + number % 500
        headers, content = _headers(dice), dice.choice(bodies())
        if dice.random() < 0.2:
            content = content[: dice.randrange(len(content) + 1)]
        yield (status, headers, content[:200]), lambda s=status, h=headers, c=content: _judge(s, h, c)  # type: ignore[misc]


def _judge(status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    reply = replied(status, headers, content)
    assert isinstance(reply, _REPLIES), f"{reply!r} is no reply"
    if isinstance(reply, AllDelivered | Outcomes):
        assert 200 <= status < 300, "only an answer delivers"
    if isinstance(reply, Outcomes):
        assert {outcome.id for outcome in reply.outcomes} == set(TWO.ids), "each record has its outcome"


@cache
def corpus() -> dict[str, Any]:
    """The answers that are checked in."""
    found: dict[str, Any] = yaml.safe_load((Path(HERE) / "answers.yaml").read_text(encoding="utf-8"))
    return found


@cache
def bodies() -> tuple[bytes, ...]:
    """The bodies of the corpus, and packed ones: of one layer, two, cut short, and a bomb."""
    plain = [_body(entry) for entry in corpus()["bodies"]]
    bomb = gzip.compress(bytes(32 * 1024 * 1024))
    packed = [
        gzip.compress(b"{}"),
        zlib.compress(b"{}"),
        gzip.compress(gzip.compress(b"{}")),
        gzip.compress(b"{}")[:-4],
    ]
    return (*plain, *packed, bomb)


def _body(entry: str | dict[str, Any]) -> bytes:
    if isinstance(entry, str):
        return entry.encode("utf-8", "surrogatepass")
    return bytes.fromhex(entry["hex"]) if "hex" in entry else (entry["repeat"] * entry["times"]).encode()


def _headers(dice: random.Random) -> list[tuple[bytes, bytes]]:
    found: list[tuple[str, str]] = []
    for given in dice.choices(corpus()["headers"], k=dice.choice((1, 1, 2))):
        found += given.items()
    if dice.random() < 0.3:
        found += [("retry-after", wait) for wait in dice.choices(corpus()["retry_after"], k=dice.choice((1, 1, 2)))]
    return [(name.encode(), value.replace("{long}", LONG).encode()) for name, value in found]
