"""Reading back: batches as they were acknowledged are held against what the destination has, one call after the other.

A call obeys what sending obeys: the account's pace and circuit, its seats, and how often it may be repeated.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

from destinations.base import Batch, Destination, Op, ReadBack, Stop, Throttled, Transport, Unavailable
from engine.clock import Clock, Entropy
from engine.core.retry import RetryPolicy, wait_seconds
from engine.delivery.batches import BATCH_COLUMNS, Slice
from engine.delivery.pacer import BYTES, LOCAL_CODES, REQUESTS, Pacer
from engine.delivery.result import ADAPTER_ERROR, THROTTLED
from engine.delivery.seats import Seating

Unread: TypeAlias = Unavailable | Stop
"""Why a batch could not be read back."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where calls go, and what they obey."""

    destination: Destination
    transport: Transport
    pacer: Pacer
    seats: Seating
    clock: Clock
    entropy: Entropy
    policy: RetryPolicy


class Reader:
    """Reads the records of one sync back."""

    def __init__(self, account: Account, *, sync: str, object: str) -> None:
        self._account = account
        self._sync = sync
        self._object = object

    async def read(self, rows: Slice, number: int) -> ReadBack | Unread:
        """What is there of these rows, or why nobody knows."""
        batch, account = self._batch(rows, number), self._account
        began = account.clock.monotonic()
        for attempt in itertools.count(1):
            answer = await self._turn(batch) or await self._asked(batch)
            await self._told(answer)
            if isinstance(answer, ReadBack | Stop):
                return answer
            asked = answer.retry_after.total_seconds() if answer.retry_after is not None else None
            wait = wait_seconds(account.policy, attempt, asked, account.entropy.uniform)
            waited = account.clock.monotonic() - began + wait
            if attempt >= account.policy.attempts or waited >= account.policy.deadline_seconds:
                break
            await account.clock.sleep(wait)
        if isinstance(answer, Throttled):
            return Unavailable(THROTTLED, "throttled for too long", applied_unknown=False)
        return answer

    async def _turn(self, batch: Batch) -> Unavailable | None:
        """Wait until a call may leave; nothing is delivered by it, so it takes nothing of what is counted in records."""
        account = self._account
        if account.destination.calls_by_transport:
            return None
        return await account.pacer.turn(BYTES, batch.rows.nbytes) or await account.pacer.turn(REQUESTS)

    async def _asked(self, batch: Batch) -> ReadBack | Throttled | Unread:
        account = self._account
        if refusal := await account.seats.take():
            return refusal
        try:
            answer: object = await account.destination.read_back(batch, account.transport)
        except Exception as error:  # noqa: BLE001  # the one boundary: an adapter's bug must not look like drift
            return Stop(ADAPTER_ERROR, f"the adapter failed with {type(error).__name__}")
        finally:
            account.seats.leave()
        if not isinstance(answer, ReadBack | Throttled | Unavailable | Stop):
            return Stop(ADAPTER_ERROR, f"the adapter gave a {type(answer).__name__} that is no answer")
        if isinstance(answer, ReadBack):
            named = [found.id for found in answer.found]
            if len(set(named)) < len(named) or not set(batch.ids).issuperset(named):
                return Stop(ADAPTER_ERROR, "the answer names a record twice or one that was not asked about")
        return answer

    async def _told(self, answer: ReadBack | Throttled | Unread) -> None:
        """Let everybody who uses the account know what an answer means for the next call."""
        pacer = self._account.pacer
        match answer:
            case Throttled(retry_after):
                await pacer.throttled(retry_after)
            case Unavailable(code, _, _, retry_after):
                if code not in LOCAL_CODES:
                    await pacer.failed(retry_after)
            case _:
                await pacer.answered()

    def _batch(self, rows: Slice, number: int) -> Batch:
        return Batch(
            sync=self._sync,
            object=self._object,
            op=Op(rows.op),
            run="",
            plan="",
            number=number,
            first=rows.cut.first,
            idempotency_key="",
            rows=rows.rows.select(list(BATCH_COLUMNS)),
        )
