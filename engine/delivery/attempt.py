"""One slice to its outcomes: send, wait and send again, halve what is refused, name what nobody knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard, assert_never

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    Destination,
    Op,
    Outcome,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Transport,
    Unavailable,
)
from engine.clock import Clock, Entropy
from engine.core.names import Digest
from engine.core.retry import RetryBudget, RetryPolicy, wait_seconds
from engine.core.split import halves, idempotency_key
from engine.delivery.batches import BATCH_COLUMNS, Slice
from engine.delivery.pacer import LOCAL_CODES, RECORDS, Pacer
from engine.delivery.transport import Metered
from engine.failpoints import failpoint

ADAPTER_ERROR = "adapter_error"


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A row that was not delivered: its place in the plan, the outcome, the destination's code and message.

    ``uncertain`` says that an earlier send of the same row may have taken effect, whatever the last answer was.
    """

    ordinal: int
    outcome: str
    code: str
    message: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """What is the same for every batch of a plan."""

    sync: str
    object: str
    plan: str
    digest: Digest
    policy: RetryPolicy
    bytes_max: int
    refused_share_max: float
    """Above this share of single rejected records in one refused batch, the refusal is not about records."""


@dataclass(slots=True)
class Result:
    """How the rows of one slice ended; ``stop`` and ``unreachable`` say why the run should not go on."""

    exceptions: list[Exceptional] = field(default_factory=list)
    requests: int = 0
    bytes_sent: int = 0
    stop: Stop | None = None
    unreachable: Unavailable | None = None


class Sender:
    """Sends slices to one destination; between them it remembers only how much may still be repeated."""

    def __init__(
        self,
        sending: Sending,
        destination: Destination,
        transport: Transport,
        pacer: Pacer,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._sending = sending
        self._destination = destination
        self._transport = transport
        self._pacer = pacer
        self._clock = clock
        self._entropy = entropy
        self._budget = RetryBudget()

    async def deliver(self, rows: Slice, number: int, *, uncertain: bool = False) -> Result:
        """Send until every record has an outcome or no attempt is left.

        ``uncertain`` when an earlier process may have sent the slice; that it was, nobody knows.
        """
        result = Result()
        parts = [(rows, uncertain)]
        singles_max = max(1, math.ceil(rows.cut.count * self._sending.refused_share_max))
        while parts:
            part, uncertain = parts.pop(0)
            if (cause := result.stop or result.unreachable) is not None:
                result.exceptions += _all(part, "failed", cause.code, cause.message, uncertain)
                continue
            if part.cut.count == 1 and _bytes(part) > self._sending.bytes_max:
                message = "the record exceeds the destination's limit"
                result.exceptions += _all(part, "rejected", "too_large", message, uncertain)
                continue
            reply, may_have_acted = await self._attempts(part, number, result)
            uncertain = uncertain or may_have_acted
            if isinstance(reply, Refused) and part.cut.count > 1:
                parts[:0] = [(part.part(half), uncertain) for half in halves(part.cut)]
                continue
            _settle(result, part, reply, uncertain)
            if isinstance(reply, Refused) and singles_max < min(_rejected(result.exceptions), rows.cut.count):
                result.stop = Stop(reply.code, f"the destination refuses record after record: {reply.message}")
        return result

    async def _attempts(self, part: Slice, number: int, result: Result) -> tuple[Reply, bool]:
        """The last reply, and whether any attempt may have taken effect without saying so."""
        batch = self._batch(part, number)
        uncertain = False
        self._budget = self._budget.earned()

        async def once() -> Reply:
            nonlocal uncertain
            meter = Metered(self._transport)
            if refusal := await self._pacer.turn(RECORDS, len(batch)):
                return refusal
            failpoint("batch.before_send")
            reply = await self._sent(batch, meter)
            failpoint("batch.after_send")
            result.requests += meter.requests if _is_local(reply) else max(1, meter.requests)
            result.bytes_sent += meter.bytes_sent
            uncertain = uncertain or _may_have_acted(reply)
            await self._told(reply)
            return reply

        policy, began = self._sending.policy, self._clock.monotonic()

        def is_over(state: RetryCallState) -> bool:
            seconds = self._clock.monotonic() - began + state.upcoming_sleep
            return state.attempt_number >= policy.attempts or seconds >= policy.deadline_seconds

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_result(self._may_repeat),
            wait=self._wait,
            stop=is_over,
            retry_error_callback=_last_reply,
        )
        reply: Reply = await retrying(once)
        return reply, uncertain

    async def _sent(self, batch: Batch, transport: Transport) -> Reply:
        try:
            reply: object = await self._destination.send(batch, transport)
        except Exception as error:  # noqa: BLE001  # the one boundary: an adapter's bug must not lose a window
            return Stop(ADAPTER_ERROR, f"the adapter failed with {type(error).__name__}; its outcome is unknown")
        if _is_reply(reply):
            return reply
        return Stop(
            ADAPTER_ERROR, f"the adapter gave a {type(reply).__name__} that is no reply; its outcome is unknown"
        )

    async def _told(self, reply: Reply) -> None:
        """Let everybody who uses the account know what a reply means for the next call."""
        match reply:
            case Throttled(retry_after):
                await self._pacer.throttled(retry_after)
            case Unavailable(_, _, _, retry_after):
                if not _is_local(reply):
                    await self._pacer.failed(retry_after)
            case _:
                await self._pacer.answered()

    def _may_repeat(self, reply: Reply) -> bool:
        """Whether the call may be tried again; one that went unanswered costs the run some of its budget for that."""
        if isinstance(reply, Throttled) or _is_local(reply):
            return True
        if not isinstance(reply, Unavailable):
            return False
        left = self._budget.spent()
        self._budget = left or self._budget
        return left is not None

    def _wait(self, state: RetryCallState) -> float:
        reply = _last_reply(state)
        asked = reply.retry_after if isinstance(reply, Throttled | Unavailable) else None
        return wait_seconds(
            self._sending.policy,
            state.attempt_number,
            asked.total_seconds() if asked is not None else None,
            self._entropy.uniform,
        )

    def _batch(self, part: Slice, number: int) -> Batch:
        return Batch(
            sync=self._sending.sync,
            object=self._sending.object,
            op=Op(part.op),
            plan=self._sending.plan,
            number=number,
            idempotency_key=idempotency_key(self._sending.sync, self._sending.digest, part.cut),
            rows=part.rows.select(list(BATCH_COLUMNS)),
        )


def _is_reply(given: object) -> TypeGuard[Reply]:
    """Whether an adapter kept to the interface, down to each outcome."""
    if not isinstance(given, Outcomes):
        return isinstance(given, Reply)
    outcomes: object = given.outcomes
    return isinstance(outcomes, tuple | list) and all(isinstance(outcome, Outcome) for outcome in outcomes)


def _is_local(reply: Reply) -> bool:
    """Whether we ourselves refused the call, so that the destination knows nothing of it."""
    return isinstance(reply, Unavailable) and reply.code in LOCAL_CODES


def _may_have_acted(reply: Reply) -> bool:
    if isinstance(reply, Unavailable):
        return reply.applied_unknown
    return isinstance(reply, Stop) and reply.code == ADAPTER_ERROR


def _last_reply(state: RetryCallState) -> Reply:
    assert state.outcome is not None, "asked only after an attempt"
    reply: Reply = state.outcome.result()
    return reply


def _matched(part: Slice, outcomes: Iterable[Outcome]) -> list[Exceptional]:
    """Outcomes by record id; a record without one is unknown, and so is a whole batch whose answer contradicts itself."""
    ids = {text: part.cut.first + i for i, text in enumerate(part.rows.column("id").to_pylist())}
    delivered: set[str] = set()
    found: dict[str, Exceptional] = {}
    for outcome in outcomes:
        if outcome.id not in ids or outcome.id in delivered or outcome.id in found:
            return _all(part, "unknown", "protocol", "the answer names a record twice or one that was not sent")
        if isinstance(outcome, Delivered):
            delivered.add(outcome.id)
        else:
            kind = "rejected" if isinstance(outcome, Rejected) else "failed"
            found[outcome.id] = Exceptional(ids[outcome.id], kind, outcome.code, outcome.message)
    silent = [
        Exceptional(ordinal, "unknown", "not_reported", "the answer does not name this record")
        for text, ordinal in ids.items()
        if text not in delivered and text not in found
    ]
    return [*found.values(), *silent]


def _settle(result: Result, part: Slice, reply: Reply, uncertain: bool) -> None:  # noqa: FBT001  # goes with the reply
    """Give each record of ``part`` its outcome; after an ``uncertain`` send one that no answer speaks of is unknown."""
    unanswered = "unknown" if uncertain else "failed"
    match reply:
        case AllDelivered():
            pass
        case Outcomes(outcomes):
            result.exceptions += [replace(e, uncertain=uncertain) for e in _matched(part, outcomes)]
        case Refused(code, message):
            result.exceptions += _all(part, "rejected", code, message, uncertain)
        case Stop(code, message):
            result.stop = reply
            result.exceptions += _all(part, unanswered, code, message, uncertain)
        case Throttled():
            result.unreachable = Unavailable("throttled", "throttled for too long", applied_unknown=False)
            result.exceptions += _all(part, unanswered, "throttled", "throttled", uncertain)
        case Unavailable(code, message):
            result.unreachable = reply
            result.exceptions += _all(part, unanswered, code, message, uncertain)
        case _:
            assert_never(reply)


def _all(
    part: Slice,
    outcome: str,
    code: str,
    message: str,
    uncertain: bool = False,  # noqa: FBT001, FBT002  # a fact that goes along
) -> list[Exceptional]:
    return [Exceptional(o, outcome, code, message, uncertain) for o in range(part.cut.first, part.cut.last + 1)]


def _rejected(exceptions: Sequence[Exceptional]) -> int:
    return sum(1 for e in exceptions if e.outcome == "rejected")


def _bytes(part: Slice) -> int:
    return sum(len(value.encode()) for name in BATCH_COLUMNS for value in part.rows.column(name).to_pylist())
