"""The window loop: intent, send, receipt, and on to the next window until the plan ends or something says stop.

The log is passed in, so this module knows neither ledger nor segments. A window is intended before its first byte
and received before the next is intended; after a crash at most one window is sent again, under the same keys.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import pyarrow.compute as pc

from engine.core.events import BatchIntent, BatchReceipt
from engine.core.names import Digest
from engine.core.split import idempotency_key
from engine.delivery.attempt import Sender
from engine.delivery.batches import Slice
from engine.delivery.result import Exceptional, Result
from engine.failpoints import failpoint

GRACE_SECONDS = 8.0
"""How long a window in flight may go on after the operator asked to stop."""

_POLL_SECONDS = 0.05


class DeliveryLog(Protocol):
    """Where intents and receipts are kept; every method returns only when they are durable."""

    async def intend(self, window: int, batches: Sequence[BatchIntent]) -> None:
        """Before the first byte of a window."""
        ...

    async def receive(self, window: int, receipts: Sequence[BatchReceipt], exceptions: Sequence[Exceptional]) -> None:
        """After the last answer of a window."""
        ...


class StopSignal(Protocol):
    """Tells the loop to end: the operator asked, or the lease is gone."""

    def is_set(self) -> bool:
        """Whether to end; a window in flight may still finish within `GRACE_SECONDS`."""
        ...

    def at_once(self) -> bool:
        """Whether even the window in flight must end now."""
        ...


@dataclass(frozen=True, slots=True)
class Completed:
    """Every row of the plan has an outcome."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The destination refuses or cannot be reached; the rest of the plan is owed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Halted:
    """The operator or the lease ended the loop; the plan can be resumed where it stands."""


End = Completed | Stopped | Halted


@dataclass(frozen=True, slots=True)
class WindowRules:
    """How much may be in flight: ``batches`` between intent and receipt, ``concurrency`` calls at once."""

    batches: int
    concurrency: int
    stop_ratio: float
    """The share of rejected records above which the run stops early."""


class Executor:
    """Delivers the slices of one plan."""

    def __init__(self, sender: Sender, log: DeliveryLog, rules: WindowRules, *, sync: str, digest: Digest) -> None:
        self._sender = sender
        self._log = log
        self._rules = rules
        self._sync = sync
        self._digest = digest
        self._sent = 0
        self._rejected = 0

    async def resume(self, window: int, slices: Iterable[Slice], numbers: Sequence[int], stop: StopSignal) -> End:
        """Send a window again that an earlier process intended; its intents stand in the log already."""
        return await self._window(window, list(zip(numbers, slices, strict=True)), stop, uncertain=True)

    async def run(self, slices: Iterator[Slice], *, window: int, number: int, stop: StopSignal) -> End:
        """Send everything; ``window`` and ``number`` are the first to use."""
        while batch := list(enumerate(islice(slices, self._rules.batches), start=number)):
            if stop.is_set():
                return Halted()
            failpoint("window.before_intent")
            await self._log.intend(window, [self._intent(n, s) for n, s in batch])
            failpoint("window.after_intent")
            end = await self._window(window, batch, stop, uncertain=False)
            if not isinstance(end, Completed):
                return end
            window, number = window + 1, number + len(batch)
        return Completed()

    def _intent(self, number: int, rows: Slice) -> BatchIntent:
        key = idempotency_key(self._sync, self._digest, rows.cut)
        return BatchIntent(number=number, op=rows.op, first=rows.cut.first, last=rows.cut.last, key=key)

    async def _window(
        self, window: int, batches: Sequence[tuple[int, Slice]], stop: StopSignal, *, uncertain: bool
    ) -> End:
        results = await self._send_all(batches, stop, uncertain=uncertain)
        if results is None:
            return Halted()
        exceptions = [e for result in results.values() for e in result.exceptions]
        receipts = [_receipt(number, rows, results[number]) for number, rows in batches]
        failpoint("window.before_receipt")
        await self._log.receive(window, receipts, exceptions)
        failpoint("window.after_receipt")
        return self._judged(batches, results, exceptions)

    async def _send_all(
        self, batches: Sequence[tuple[int, Slice]], stop: StopSignal, *, uncertain: bool
    ) -> Mapping[int, Result] | None:
        """Results by batch number, or None when the loop had to end before all were in."""
        places = asyncio.Semaphore(self._rules.concurrency)
        refusing: list[Result] = []

        async def one(number: int, rows: Slice) -> Result:
            async with places:
                if refusing:
                    return _unsent(rows, refusing[0], uncertain=uncertain)
                result = await self._sender.deliver(rows, number, uncertain=uncertain)
                if result.stop is not None or result.unreachable is not None:
                    refusing.append(result)
                return result

        tasks = {number: asyncio.create_task(one(number, rows)) for number, rows in batches}
        everything = asyncio.gather(*tasks.values())
        ending = asyncio.create_task(_ended(stop))
        try:
            either: set[asyncio.Future[Any]] = {everything, ending}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return dict(zip(tasks, await everything, strict=True)) if everything.done() else None
        finally:
            # However the window ends, also by an error of our own: when the caller learns of it, nothing is being sent.
            for task in (ending, *tasks.values()):
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def _judged(
        self, batches: Sequence[tuple[int, Slice]], results: Mapping[int, Result], exceptions: Sequence[Exceptional]
    ) -> End:
        for result in results.values():
            if result.stop is not None:
                return Stopped(result.stop.code, result.stop.message)
            if result.unreachable is not None:
                return Stopped(result.unreachable.code, result.unreachable.message)
        self._sent += sum(rows.cut.count for _, rows in batches)
        self._rejected += sum(1 for e in exceptions if e.outcome == "rejected")
        if self._rejected > self._rules.stop_ratio * self._sent and self._rejected >= 100:
            return Stopped("too_many_rejected", f"{self._rejected} of {self._sent} records were rejected")
        return Completed()


async def _ended(stop: StopSignal) -> None:
    """Returns when a window in flight may not go on."""
    grace = GRACE_SECONDS
    while not stop.at_once() and grace > 0:
        await asyncio.sleep(_POLL_SECONDS)
        if stop.is_set():
            grace -= _POLL_SECONDS


def _unsent(rows: Slice, because: Result, *, uncertain: bool) -> Result:
    cause = because.stop or because.unreachable
    assert cause is not None
    ordinals = range(rows.cut.first, rows.cut.last + 1)
    why = "not sent: the destination refused the call before"
    return Result([Exceptional(o, "failed", cause.code, why, uncertain) for o in ordinals])


def _receipt(number: int, rows: Slice, result: Result) -> BatchReceipt:
    changes = Counter({v["values"]: v["counts"] for v in pc.value_counts(rows.rows.column("change")).to_pylist()})
    kinds = Counter(e.outcome for e in result.exceptions)
    if result.exceptions:
        column = rows.rows.column("change")
        changes.subtract(Counter(column[e.ordinal - rows.cut.first].as_py() for e in result.exceptions))
    return BatchReceipt(
        number=number,
        inserts=changes["insert"],
        updates=changes["update"],
        deletes=changes["delete"],
        rejected=kinds["rejected"],
        failed=kinds["failed"],
        unknown=kinds["unknown"],
        requests=result.requests,
        bytes_sent=result.bytes_sent,
    )
