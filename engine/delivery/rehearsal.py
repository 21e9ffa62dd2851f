"""A delivery without a ledger: rows to one destination over a given wire, in a time that passes by itself.

The conformance kit judges adapters by it, so they are judged by the sender and the transport that runs use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
import pyarrow as pa

from destinations.base import Destination, Stop, Transport
from engine.core.names import Digest
from engine.core.retry import RetryPolicy
from engine.core.split import Cut
from engine.delivery.attempt import Sender, Sending
from engine.delivery.batches import slices
from engine.delivery.jobs import JobLog, JobsNotKept, OpenJob
from engine.delivery.pacer import Pacer, Unlimited
from engine.delivery.result import Exceptional
from engine.delivery.transport import HttpTransport, TransportLimits

ATTEMPTS = 4
STARTS = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED_SHARE_MAX = 0.5
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a rehearsal ended: who was delivered, what became of the others by id, and what it took."""

    delivered: frozenset[str]
    others: Mapping[str, Exceptional]
    stop: Stop | None
    waited_seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """Where requests go, and how long one may take in all; a destination without HTTP needs no wire."""

    wire: httpx.AsyncBaseTransport | None = None
    total_seconds: float = 5.0
    attempts: int = ATTEMPTS
    jobs: JobLog | None = None
    """Where job ids are kept between two rehearsals that stand for two processes."""


class KeptJobs:
    """A log of jobs that outlives a delivery, as the ledger outlives a process."""

    def __init__(self) -> None:
        self._jobs: dict[Cut, str] = {}

    def left(self, cut: Cut) -> OpenJob | None:
        """The job that was submitted for these rows; it is told once."""
        job = self._jobs.pop(cut, None)
        return None if job is None else OpenJob(job)

    async def submitted(self, number: int, cut: Cut, job: str) -> None:
        """Keep the id of a job."""
        del number
        self._jobs[cut] = job


class SkippedClock:
    """A clock on which every wait is over at once and has lasted as long as was asked."""

    def __init__(self) -> None:
        self.waited_seconds = 0.0

    def now(self) -> datetime:
        return STARTS + timedelta(seconds=self.waited_seconds)

    def monotonic(self) -> float:
        return self.waited_seconds

    async def sleep(self, seconds: float) -> None:
        self.waited_seconds += seconds
        await asyncio.sleep(0)


class _Middle:
    """Randomness without surprise."""

    def token(self, nbytes: int) -> str:
        return "0" * (2 * nbytes)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def rehearse(destination: Destination, rows: pa.RecordBatch, line: Line, *, object: str, plan: str) -> Rehearsal:
    """Deliver ``rows`` as a run would: the columns of a plan's payloads, ``op`` first.

    The same rows of the same ``plan`` leave under the same idempotency keys. Closes the destination.
    """
    return asyncio.run(_rehearse(destination, rows, line, object, plan))


def ask(destination: Destination, line: Line, question: Callable[[Transport], Awaitable[_Answer]]) -> _Answer:
    """The answer to a question over the engine's transport, such as the destination's own check. Closes it."""
    return asyncio.run(_ask(destination, line, question))


async def _ask(destination: Destination, line: Line, question: Callable[[Transport], Awaitable[_Answer]]) -> _Answer:
    clock = SkippedClock()
    transport = _transport(line, Pacer(Unlimited(), clock), clock)
    try:
        return await question(transport)
    finally:
        await transport.close()
        await destination.close()


async def _rehearse(destination: Destination, rows: pa.RecordBatch, line: Line, object: str, plan: str) -> Rehearsal:
    limits, clock = destination.limits_for(rows.num_rows), SkippedClock()
    pacer = Pacer(Unlimited(), clock)
    transport = _transport(line, pacer, clock)
    sending = Sending(
        sync="rehearsal",
        object=object,
        run=plan,
        plan=plan,
        digest=Digest(plan),
        policy=RetryPolicy(attempts=line.attempts),
        bytes_max=limits.bytes,
        refused_share_max=REFUSED_SHARE_MAX,
        jobs=destination.spec.jobs,
        plan_records=rows.num_rows,
    )
    sender = Sender(sending, destination, transport, pacer, clock, _Middle(), line.jobs or JobsNotKept())
    ids = rows.column("id").to_pylist()
    others: dict[str, Exceptional] = {}
    stop = None
    try:
        for number, rest in enumerate(slices([rows], first=0, records=limits.records, size=limits.bytes)):
            if stop is not None:
                others |= {ids[n]: _unsent(n) for n in range(rest.cut.first, rest.cut.last + 1)}
                continue
            result = await sender.deliver(rest, number)
            others |= {ids[exception.ordinal]: exception for exception in result.exceptions}
            stop = result.stop
    finally:
        await transport.close()
        await destination.close()
    return Rehearsal(frozenset(ids) - others.keys(), others, stop, clock.waited_seconds)


def _transport(line: Line, pacer: Pacer, clock: SkippedClock) -> HttpTransport:
    return HttpTransport(pacer, clock, TransportLimits(total_seconds=line.total_seconds), line.wire)


def _unsent(ordinal: int) -> Exceptional:
    return Exceptional(ordinal, "unsent", "stopped", "the run stopped before")
