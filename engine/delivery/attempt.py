"""One slice to its outcomes: send, wait and send again, halve what is refused, name what nobody knows."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from destinations.base import (
    Batch,
    Destination,
    Op,
    Refused,
    Reply,
    Running,
    Stop,
    Submitted,
    Throttled,
    Transport,
    Unavailable,
)
from destinations.base import Jobs as JobRules
from engine.clock import Clock, Entropy
from engine.core.names import Digest
from engine.core.retry import OnUnknown, RetryBudget, RetryPolicy, wait_seconds
from engine.core.split import halves, idempotency_key
from engine.delivery.allowance import ALL_MAY_LEAVE, Allowance, Look, Shrunk
from engine.delivery.batches import BATCH_COLUMNS, Slice
from engine.delivery.jobs import JOB_DEADLINE, JobLog, OpenJob, Poller
from engine.delivery.pacer import BYTES, LOCAL_CODES, RECORDS, REQUESTS, Pacer
from engine.delivery.result import ADAPTER_ERROR, Result, Settled, all_of, is_settled, rejected, settle
from engine.delivery.result import withheld as held_back
from engine.delivery.seats import ANY_SEAT, Seating
from engine.delivery.transport import Metered, Paced
from engine.failpoints import failpoint

INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Sending:
    """What is the same for every batch of a plan."""

    sync: str
    object: str
    run: str
    plan: str
    digest: Digest
    policy: RetryPolicy
    bytes_max: int
    refused_share_max: float
    """Above this share of single rejected records in one refused batch, the refusal is not about records."""
    on_unknown: OnUnknown = OnUnknown.RESEND
    jobs: JobRules | None = None
    """How jobs are asked about, where the destination makes some."""
    plan_records: int = 0
    """How many records the plan has."""


class Sender:
    """Sends slices to one destination; between them it remembers only how much may still be repeated."""

    def __init__(
        self,
        sending: Sending,
        destination: Destination,
        transport: Paced,
        pacer: Pacer,
        clock: Clock,
        entropy: Entropy,
        jobs: JobLog,
        seats: Seating = ANY_SEAT,
        allowance: Allowance = ALL_MAY_LEAVE,
    ) -> None:
        self._sending = sending
        self._destination = destination
        self._transport = transport
        self._pacer = pacer
        self._clock = clock
        self._entropy = entropy
        self._jobs = jobs
        self._seats = seats
        self._allowance = allowance
        self._poller = Poller(destination, sending.jobs or JobRules(), clock, entropy, self._told, seats)
        self._budget = RetryBudget()

    async def deliver(
        self, rows: Slice, number: int, *, withheld: Collection[int] = (), uncertain: bool = False
    ) -> Result:
        """Send until every record has an outcome or no attempt is left.

        ``withheld`` are rows that must not leave. ``uncertain`` when an earlier process may have sent the slice; that it
        was, nobody knows.
        """
        result, whole = Result(), self._jobs.left(rows.cut)
        parts = [(rows, uncertain)]
        if withheld and whole is None:
            # A job that has the slice already cannot be made smaller, and is asked about as it is.
            result.exceptions += held_back(withheld, uncertain)
            parts = [(part, uncertain) for part in rows.without(withheld)]
        singles_max = max(1, math.ceil(rows.cut.count * self._sending.refused_share_max))
        while parts:
            part, uncertain = parts.pop(0)
            left = whole if part is rows else self._jobs.left(part.cut)
            if (cause := result.stop or result.unreachable) is not None:
                result.exceptions += all_of(part, "failed", cause.code, cause.message, uncertain)
                continue
            if part.cut.count == 1 and _bytes(part) > self._sending.bytes_max:
                message = "the record exceeds the destination's limit"
                result.exceptions += all_of(part, "rejected", "too_large", message, uncertain)
                continue
            if uncertain and left is None and self._holds:
                message = "it may have been sent before the run was interrupted"
                result.exceptions += all_of(part, "unknown", INTERRUPTED, message, uncertain)
                continue
            reply, may_have_acted = await self._attempts(part, number, result, left)
            uncertain = uncertain or may_have_acted
            if isinstance(reply, Shrunk):
                result.exceptions += held_back(reply.withheld, uncertain)
                parts[:0] = [(rest, uncertain) for rest in part.without(reply.withheld)]
                continue
            if isinstance(reply, Refused) and part.cut.count > 1:
                parts[:0] = [(part.part(half), uncertain) for half in halves(part.cut)]
                continue
            if isinstance(reply, Unavailable) and uncertain and self._holds:
                # It is left for a person to look at, and says nothing of the batches behind it.
                result.exceptions += all_of(part, "unknown", reply.code, reply.message, uncertain)
                continue
            settle(result, part, reply, uncertain)
            if isinstance(reply, Refused) and singles_max < min(rejected(result.exceptions), rows.cut.count):
                # Its words may quote a record, and why a run stopped stands in the ledger.
                result.stop = Stop(reply.code, "the destination refuses record after record")
        return result

    @property
    def _holds(self) -> bool:
        return self._sending.on_unknown is OnUnknown.HOLD

    async def _attempts(
        self, part: Slice, number: int, result: Result, left: OpenJob | None
    ) -> tuple[Settled | Shrunk, bool]:
        """The last reply, and whether any attempt may have taken effect without saying so.

        The first attempt asks about a job that was ``left``; those after it send. Where what is in doubt is held there are
        none after it: the earlier process may have seen the job end, and submitted another.
        """
        batch = self._batch(part, number)
        uncertain = False
        self._budget = self._budget.earned()

        async def once() -> Settled | Shrunk:
            nonlocal uncertain, left
            look = Look(self._allowance, part.cut, self._clock)
            meter = Metered(self._transport, look.ahead)
            reply: Reply
            if left is None:
                if refusal := await self._turn(batch):
                    return refusal
                failpoint("batch.before_send")
                reply = await self._sent(batch, meter, look)
                failpoint("batch.after_send")
                meter.ahead = None
                if look.rows and not isinstance(reply, Submitted):
                    result.called(meter.requests, meter.bytes_sent)
                    uncertain = uncertain or meter.requests > 0
                    return Shrunk(look.rows)
                result.requests += 0 if _is_local(reply) or meter.requests else 1
            else:
                reply = Submitted(left.job)
            if isinstance(reply, Submitted):
                if left is None:
                    await self._jobs.submitted(number, part.cut, reply.job)
                    await self._told(reply)
                    failpoint("job.after_submit")
                settled, in_doubt = await self._poller.ended(left or OpenJob(reply.job), batch, meter)
                uncertain = uncertain or in_doubt
                left = None
            else:
                settled = reply
                await self._told(settled)
            result.called(meter.requests, meter.bytes_sent)
            uncertain = uncertain or _may_have_acted(settled)
            return settled

        attempts = 1 if left is not None and self._holds else self._sending.policy.attempts
        return await self._retrying(attempts)(once), uncertain

    def _retrying(self, attempts: int) -> AsyncRetrying:
        """Tries again as the policy says, from now until its deadline."""
        ends = self._clock.monotonic() + self._sending.policy.deadline_seconds

        def is_over(state: RetryCallState) -> bool:
            return state.attempt_number >= attempts or self._clock.monotonic() + state.upcoming_sleep >= ends

        return AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_result(self._may_repeat),
            wait=self._wait,
            stop=is_over,
            retry_error_callback=_last_reply,
        )

    async def _turn(self, batch: Batch) -> Unavailable | None:
        """Wait until the batch may leave; its calls have turns of their own where the transport makes them."""
        refusal = await self._pacer.turn(RECORDS, len(batch))
        if refusal is not None or self._destination.calls_by_transport:
            return refusal
        return await self._pacer.turn(BYTES, batch.rows.nbytes) or await self._pacer.turn(REQUESTS)

    async def _sent(self, batch: Batch, transport: Transport, look: Look) -> Settled | Submitted:
        if refusal := await self._seats.take():
            return refusal
        try:
            # Whoever took consent back during a wait for a turn, a seat or another attempt is not sent.
            if refusal := await look.ahead():
                return refusal
            reply: object = await self._destination.send(batch, transport)
        except Exception as error:  # noqa: BLE001  # the one boundary: an adapter's bug must not lose a window
            return _broken(f"the adapter failed with {type(error).__name__}")
        finally:
            self._seats.leave()
        if is_settled(reply) or (isinstance(reply, Submitted) and reply.is_usable):
            return reply
        return _broken(f"the adapter gave a {type(reply).__name__} that is no reply")

    async def _told(self, reply: Settled | Submitted | Running) -> None:
        """Let everybody who uses the account know what an answer means for the next call."""
        match reply:
            case Throttled(retry_after):
                await self._pacer.throttled(retry_after)
            case Unavailable(_, _, _, retry_after):
                if not _is_local(reply):
                    await self._pacer.failed(retry_after)
            case _:
                await self._pacer.answered()

    def _may_repeat(self, reply: Settled | Shrunk) -> bool:
        """Whether the call may be tried again; one that went unanswered costs the run some of its budget for that."""
        if isinstance(reply, Shrunk):
            return False
        if self._holds and _may_have_acted(reply):
            return False
        if isinstance(reply, Throttled) or _is_local(reply):
            return True
        if not isinstance(reply, Unavailable) or reply.code == JOB_DEADLINE:
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
            run=self._sending.run,
            plan=self._sending.plan,
            number=number,
            first=part.cut.first,
            idempotency_key=idempotency_key(self._sending.sync, self._sending.digest, part.cut),
            rows=part.rows.select(list(BATCH_COLUMNS)),
            plan_records=self._sending.plan_records,
        )


def _is_local(reply: Reply) -> bool:
    """Whether we ourselves refused the call, so that the destination knows nothing of it."""
    return isinstance(reply, Unavailable) and reply.code in LOCAL_CODES


def _may_have_acted(reply: Settled) -> bool:
    return isinstance(reply, Throttled | Unavailable | Stop) and reply.applied_unknown


def _broken(why: str) -> Stop:
    return Stop(ADAPTER_ERROR, f"{why}; its outcome is unknown", applied_unknown=True)


def _last_reply(state: RetryCallState) -> Settled | Shrunk:
    assert state.outcome is not None, "asked only after an attempt"
    reply: Settled | Shrunk = state.outcome.result()
    return reply


def _bytes(part: Slice) -> int:
    return sum(len(value.encode()) for name in BATCH_COLUMNS for value in part.rows.column(name).to_pylist())
