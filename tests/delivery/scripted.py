"""A destination that follows a script and remembers what it took, and the real engine around it on a clock without waits."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pyarrow as pa

from destinations.base import (
    AllDelivered,
    Batch,
    Destination,
    DestinationConfig,
    Idempotency,
    Limits,
    Op,
    Refused,
    Reply,
    Spec,
    Transport,
    Unavailable,
)
from engine.core.events import BatchIntent, BatchReceipt
from engine.core.names import Digest, Position, StreamId
from engine.core.retry import OnUnknown, RetryPolicy
from engine.delivery.allowance import ALL_MAY_LEAVE, AllMayLeave, Allowance
from engine.delivery.attempt import Sender, Sending
from engine.delivery.batches import BATCH_COLUMNS, Slice, slices
from engine.delivery.executor import End, Executor
from engine.delivery.jobs import JobLog, JobsNotKept
from engine.delivery.pacer import Budget, Pacer, Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import Exceptional
from engine.delivery.seats import ANY_SEAT, Seating
from engine.delivery.stop import StopRequest
from engine.delivery.transport import Paced
from engine.delivery.window import Pacing, WindowRules

DIGEST = Digest("d" * 64)
T = TypeVar("T")


class Scripted(Destination):
    """Answers as ``script`` says; ``held`` are the ids that it took, ``sent`` the ids of every call."""

    spec = Spec(
        name="scripted",
        title="Scripted",
        config=DestinationConfig,
        operations=frozenset(Op),
        limits=Limits(records=1_000, bytes=1_000_000),
        idempotency=Idempotency.NATURAL,
    )

    def __init__(self, script: Callable[[Batch], Reply] = lambda _: AllDelivered()) -> None:
        super().__init__(DestinationConfig())
        self._script = script
        self.sent: list[tuple[str, ...]] = []
        self.keys: list[str] = []
        self.held: Counter[str] = Counter()

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        self.sent.append(batch.ids)
        self.keys.append(batch.idempotency_key)
        await asyncio.sleep(0)
        reply = self._script(batch)
        if isinstance(reply, AllDelivered):
            self.held.update(batch.ids)
        return reply


def refusing(poison: Collection[str]) -> Callable[[Batch], Reply]:
    """Refuses every batch with a record of ``poison`` in it, and takes the others."""
    return lambda batch: AllDelivered() if set(poison).isdisjoint(batch.ids) else Refused("invalid", "a bad record")


def in_turn(*replies: Reply) -> Callable[[Batch], Reply]:
    """One reply a call; the last one for all that follow."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class NoWire:
    """For a destination that needs no request."""

    async def request(self, request: httpx.Request, sign: object = None, ahead: object = None) -> Unavailable:
        raise AssertionError("nothing is requested here")


class Lowest:
    """The shortest wait that chance allows."""

    def token(self, nbytes: int) -> str:
        return "0" * (2 * nbytes)

    def uniform(self, low: float, high: float) -> float:
        return low


class Middle(Lowest):
    """Chance that takes no side."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def rows(ids: Sequence[str], op: str = "upsert", change: str = "insert", padding: str = "") -> pa.RecordBatch:
    """Plan rows; ``padding`` makes them larger."""
    count = len(ids)
    columns: dict[str, list[str]] = {
        "op": [op] * count,
        "change": [change] * count,
        "id": list(ids),
        "key": [json.dumps({"id": i}) for i in ids],
        "fields": [json.dumps({"name": padding})] * count,
        "changed": ['["name"]'] * count,
    }
    assert set(BATCH_COLUMNS) < columns.keys()
    return pa.RecordBatch.from_pydict({name: pa.array(column, pa.string()) for name, column in columns.items()})


def numbered(count: int) -> list[str]:
    return [str(n) for n in range(count)]


def whole(count: int, first: int = 0) -> Slice:
    """One slice of so many rows whose ids are their places in the plan."""
    (made,) = slices([rows([str(first + n) for n in range(count)])], first=first, records=count, size=10**9)
    return made


def sender(
    destination: Destination,
    clock: SkippedClock,
    *,
    policy: RetryPolicy | None = None,
    bytes_max: int = 10**9,
    refused_share_max: float = 0.5,
    budget: Budget | None = None,
    entropy: Any = None,
    jobs: JobLog | None = None,
    on_unknown: OnUnknown = OnUnknown.RESEND,
    seats: Seating = ANY_SEAT,
    allowance: Allowance = ALL_MAY_LEAVE,
    transport: Paced | None = None,
) -> Sender:
    sending = Sending(
        sync="people",
        object="contacts",
        run="r1",
        plan="p1",
        digest=DIGEST,
        policy=policy or RetryPolicy(),
        bytes_max=bytes_max,
        refused_share_max=refused_share_max,
        on_unknown=on_unknown,
        jobs=destination.spec.jobs,
    )
    pacer = Pacer(budget or Unlimited(), clock)
    return Sender(
        sending,
        destination,
        transport or NoWire(),
        pacer,
        clock,
        entropy or Middle(),
        jobs or JobsNotKept(),
        seats,
        allowance,
    )


@dataclass
class Journal:
    """What a delivery log was told, in order, and what the destination had been sent by then."""

    destination: Scripted
    story: list[tuple[str, int, int]] = field(default_factory=list)
    intents: list[BatchIntent] = field(default_factory=list)
    receipts: list[BatchReceipt] = field(default_factory=list)
    exceptions: list[Exceptional] = field(default_factory=list)
    on_receipt: Callable[[int], None] = lambda _: None

    async def intend(
        self, window: int, batches: Sequence[BatchIntent], resting_on: Mapping[StreamId, Position]
    ) -> None:
        del resting_on
        self.story.append(("intent", window, len(self.destination.sent)))
        self.intents += batches

    async def receive(self, window: int, receipts: Sequence[BatchReceipt], exceptions: Sequence[Exceptional]) -> None:
        self.story.append(("receipt", window, len(self.destination.sent)))
        self.receipts += receipts
        self.exceptions += exceptions
        self.on_receipt(window)


RULES = WindowRules(batches=3, concurrency=2, stop_ratio=0.5)


class Sent:
    """A plan of ``count`` rows, ten a batch, and how sending it ended."""

    def __init__(
        self,
        script: Callable[[Batch], Reply],
        count: int = 100,
        rules: WindowRules = RULES,
        budget: Budget | None = None,
        pacing: Callable[[], Pacing | None] = lambda: None,
    ) -> None:
        self.destination = Scripted(script)
        self.journal = Journal(self.destination)
        self.stop = StopRequest()
        self.clock = SkippedClock()
        self._executor = Executor(
            sender(self.destination, self.clock, budget=budget),
            self.journal,
            rules,
            AllMayLeave(),
            sync="people",
            digest=DIGEST,
            pacing=pacing,
        )
        self._rows = rows(numbered(count))

    def run(self, window: int = 0, number: int = 0, then: Callable[[], None] = lambda: None) -> End:
        """Send everything; ``then`` is called in the same loop when that ended in whatever way."""

        async def whole() -> End:
            found = slices([self._rows], first=0, records=10, size=10**6)
            try:
                return await self._executor.run(found, window=window, number=number, stop=self.stop)
            finally:
                then()

        return ran(whole())

    def resume(self, numbers: list[int]) -> End:
        found = slices([self._rows], first=0, records=10, size=10**6)
        intents = [BatchIntent(n, "upsert", 0, 0, "") for n in numbers]
        return ran(self._executor.resume(0, found, intents, self.stop))

    @property
    def buckets(self) -> Counter[str]:
        """Rows by how the receipts say they ended."""
        total: Counter[str] = Counter()
        for receipt in self.journal.receipts:
            total["delivered"] += receipt.inserts + receipt.updates + receipt.deletes
            total.update(rejected=receipt.rejected, failed=receipt.failed, unknown=receipt.unknown)
        return +total


def ran(story: Awaitable[T]) -> T:
    """The result of a coroutine, in a loop of its own."""

    async def awaited() -> T:
        return await story

    return asyncio.run(awaited())
