"""The window loop: intent, send, receipt, and on to the next window until the plan ends or something says stop.

The log is passed in, so this module knows neither ledger nor segments. A window is intended before its first byte
and received before the next is intended; after a crash at most one window is sent again, under the same keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from engine.core.events import BatchIntent, BatchReceipt
from engine.core.names import Digest, Position, StreamId
from engine.core.split import idempotency_key
from engine.delivery.allowance import Allowance
from engine.delivery.attempt import Sender
from engine.delivery.batches import Slice
from engine.delivery.result import Exceptional, Result, all_of, receipt_of, rejected
from engine.delivery.window import Pacing, WindowRules
from engine.errors import FactsMoved
from engine.failpoints import failpoint

GRACE_SECONDS = 8.0
"""How long a window in flight may go on after the operator asked to stop."""

LOOKS_MAX = 20
"""How often what may leave is looked up again for one window because of decisions that came in between."""
DECIDED_MEANWHILE = "decided_meanwhile"

_POLL_SECONDS = 0.05


class DeliveryLog(Protocol):
    """Where intents and receipts are kept; every method returns only when they are durable."""

    async def intend(
        self, window: int, batches: Sequence[BatchIntent], resting_on: Mapping[StreamId, Position]
    ) -> None:
        """Before the first byte of a window.

        Raises `FactsMoved`, and records nothing, when one of the streams that it is ``resting_on`` moved since.
        """
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
class Leaving:
    """Batch ``number`` of a plan, and which of its rows must not leave."""

    number: int
    rows: Slice
    withheld: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Answered:
    """What became of a batch, and what is to be recorded of it."""

    result: Result
    receipt: BatchReceipt


class Executor:
    """Delivers the slices of one plan."""

    def __init__(
        self,
        sender: Sender,
        log: DeliveryLog,
        rules: WindowRules,
        allowance: Allowance,
        *,
        sync: str,
        digest: Digest,
        pacing: Callable[[], Pacing | None] = lambda: None,
    ) -> None:
        self._pacing = pacing
        self._sender = sender
        self._log = log
        self._rules = rules
        self._allowance = allowance
        self._sync = sync
        self._digest = digest
        self._sent = 0
        self._rejected = 0

    async def resume(
        self, window: int, slices: Iterable[Slice], intents: Sequence[BatchIntent], stop: StopSignal
    ) -> End:
        """Send a window again that an earlier process intended; its intents stand in the log already.

        What was withheld then stays so; who took consent back since is withheld as well, and may have been sent.
        """
        now = set((await self._allowance.withheld(intents[0].first, intents[-1].last)).rows)
        batches = [
            Leaving(intent.number, rows, frozenset(intent.withheld) | _within(rows, now))
            for intent, rows in zip(intents, slices, strict=True)
        ]
        return await self._window(window, batches, stop, uncertain=True)

    async def run(self, slices: Iterator[Slice], *, window: int, number: int, stop: StopSignal) -> End:
        """Send everything; ``window`` and ``number`` are the first to use."""
        while cut := list(islice(slices, self._rules.window(self._pacing()))):
            batches = await self._intended(cut, window, number, stop)
            if isinstance(batches, Halted):
                return batches
            if batches is None:
                return Stopped(DECIDED_MEANWHILE, "decisions were recorded faster than their effect could be looked up")
            failpoint("window.after_intent")
            end = await self._window(window, batches, stop, uncertain=False)
            if not isinstance(end, Completed):
                return end
            window, number = window + 1, number + len(batches)
        return Completed()

    async def _intended(
        self, cut: Sequence[Slice], window: int, number: int, stop: StopSignal
    ) -> Sequence[Leaving] | Halted | None:
        """Record that what may leave of these slices will; None when that changed under each of `LOOKS_MAX` looks.

        Nobody's decision may stand in the log before the intent and not count for it. So the intent is recorded only where
        nothing was decided since the look; each further look answers a decision that came in between. That it is to stop
        may be such a decision.
        """
        for _ in range(LOOKS_MAX):
            seen = await self._allowance.withheld(cut[0].cut.first, cut[-1].cut.last)
            if stop.is_set():
                return Halted()
            withheld = set(seen.rows)
            batches = [Leaving(n, rows, _within(rows, withheld)) for n, rows in enumerate(cut, start=number)]
            failpoint("window.before_intent")
            with suppress(FactsMoved):
                await self._log.intend(window, [self._intent(batch) for batch in batches], seen.heads)
                return batches
        return None

    def _intent(self, batch: Leaving) -> BatchIntent:
        cut, key = batch.rows.cut, idempotency_key(self._sync, self._digest, batch.rows.cut)
        withheld = tuple(sorted(batch.withheld))
        return BatchIntent(batch.number, batch.rows.op, cut.first, cut.last, key, withheld)

    async def _window(self, window: int, batches: Sequence[Leaving], stop: StopSignal, *, uncertain: bool) -> End:
        answered = await self._send_all(batches, stop, uncertain=uncertain)
        if answered is None:
            return Halted()
        results = [one.result for one in answered]
        exceptions = [e for result in results for e in result.exceptions]
        failpoint("window.before_receipt")
        await self._log.receive(window, [one.receipt for one in answered], exceptions)
        failpoint("window.after_receipt")
        return self._judged(batches, results, exceptions)

    async def _send_all(
        self, batches: Sequence[Leaving], stop: StopSignal, *, uncertain: bool
    ) -> Sequence[_Answered] | None:
        """What became of each batch in order, or None when the loop had to end before all were in."""
        places = asyncio.Semaphore(self._rules.concurrency)
        refusing: list[Result] = []

        async def sent(batch: Leaving) -> Result:
            async with places:
                if refusing:
                    return _unsent(batch.rows, refusing[0], uncertain=uncertain)
                result = await self._sender.deliver(
                    batch.rows, batch.number, withheld=batch.withheld, uncertain=uncertain
                )
                if result.stop is not None or result.unreachable is not None:
                    refusing.append(result)
                return result

        async def one(batch: Leaving) -> _Answered:
            result = await sent(batch)
            # Counted while others are under way: between two windows no call leaves.
            return _Answered(result, receipt_of(batch.number, batch.rows, result))

        tasks = [asyncio.create_task(one(batch)) for batch in batches]
        everything = asyncio.gather(*tasks)
        ending = asyncio.create_task(_ended(stop))
        try:
            either: set[asyncio.Future[Any]] = {everything, ending}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return await everything if everything.done() else None
        finally:
            # However the window ends, also by an error of our own: when the caller learns of it, nothing is being sent.
            for task in (ending, *tasks):
                task.cancel()
            await asyncio.gather(everything, *tasks, return_exceptions=True)

    def _judged(self, batches: Sequence[Leaving], results: Sequence[Result], exceptions: Sequence[Exceptional]) -> End:
        for result in results:
            if result.stop is not None:
                return Stopped(result.stop.code, result.stop.message)
            if result.unreachable is not None:
                return Stopped(result.unreachable.code, result.unreachable.message)
        self._sent += sum(batch.rows.cut.count for batch in batches)
        self._rejected += rejected(exceptions)
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


def _within(rows: Slice, ordinals: Collection[int]) -> frozenset[int]:
    if not ordinals:
        return frozenset()
    return frozenset(o for o in ordinals if rows.cut.first <= o <= rows.cut.last)


def _unsent(rows: Slice, because: Result, *, uncertain: bool) -> Result:
    cause = because.stop or because.unreachable
    assert cause is not None
    return Result(all_of(rows, "failed", cause.code, "not sent: the destination refused the call before", uncertain))
