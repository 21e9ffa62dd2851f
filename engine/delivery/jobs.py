"""Jobs of a destination: what is kept of them before anybody asks, and asking until they end or are given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, assert_never

from destinations.base import (
    Batch,
    Destination,
    Ended,
    Progress,
    Running,
    Stop,
    Throttled,
    Transport,
    Unavailable,
)
from destinations.base import Jobs as JobRules
from engine.clock import Clock, Entropy
from engine.core.retry import RetryPolicy, backoff
from engine.core.split import Cut
from engine.delivery.result import ADAPTER_ERROR, Settled, is_settled
from engine.delivery.seats import ANY_SEAT, Seating

JOB_DEADLINE = "job_deadline"


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that was submitted ``age_seconds`` ago, and of whose end nothing is known."""

    job: str
    age_seconds: float = 0.0


class JobLog(Protocol):
    """Where job ids are kept."""

    def left(self, cut: Cut) -> OpenJob | None:
        """The job that an earlier process submitted for these rows and did not see end; it is told once."""
        ...

    async def submitted(self, number: int, cut: Cut, job: str) -> None:
        """Keep the id of a job for rows of batch ``number``; returns when it is durable."""
        ...


class JobsNotKept:
    """For a delivery without a log, in which no process follows another."""

    def left(self, cut: Cut) -> None:
        del cut

    async def submitted(self, number: int, cut: Cut, job: str) -> None:
        """Nothing is kept."""


class Poller:
    """Asks one destination about its jobs, at the pace that its spec and its answers give.

    ``told`` lets everybody who uses the account know what an answer means for the next call.
    """

    def __init__(
        self,
        destination: Destination,
        rules: JobRules,
        clock: Clock,
        entropy: Entropy,
        told: Callable[[Settled | Running], Awaitable[None]],
        seats: Seating = ANY_SEAT,
    ) -> None:
        self._destination = destination
        self._rules = rules
        self._clock = clock
        self._entropy = entropy
        self._told = told
        self._seats = seats
        self._policy = RetryPolicy(base_seconds=rules.ask_seconds, wait_seconds_max=rules.ask_seconds_max)

    async def ended(self, left: OpenJob, batch: Batch, transport: Transport) -> tuple[Settled, bool]:
        """What became of ``batch``, and whether that is in doubt because the job's end was not seen.

        A question that goes unanswered is asked again until the deadline, and never makes anybody submit again.
        """
        began, asked = self._clock.monotonic(), 0
        while True:
            asked += 1
            progress = await self._asked(left.job, batch, transport)
            await self._told(progress.reply if isinstance(progress, Ended) else progress)
            asks_for: timedelta | None
            match progress:
                case Ended(reply):
                    return reply, False
                case Stop(code, message):
                    return Stop(code, f"{message}; job {left.job} was submitted, and nobody knows how it ends"), True
                case Running(asks_for) | Throttled(asks_for) | Unavailable(retry_after=asks_for):
                    pass
                case _:
                    assert_never(progress)
            age = left.age_seconds + self._clock.monotonic() - began
            remaining = self._rules.deadline_seconds - age
            wait = max(min(self._wait(asked), remaining), asks_for.total_seconds() if asks_for else 0.0)
            if remaining <= 0 or wait > remaining:
                return _given_up(left.job, age, self._rules.deadline_seconds), True
            await self._clock.sleep(wait)

    async def _asked(self, job: str, batch: Batch, transport: Transport) -> Progress:
        if refusal := await self._seats.take():
            return refusal
        try:
            progress: object = await self._destination.poll(job, batch, transport)
        except Exception as error:  # noqa: BLE001  # an adapter's bug must not lose the job
            return Stop(ADAPTER_ERROR, f"the adapter failed with {type(error).__name__}")
        finally:
            self._seats.leave()
        if isinstance(progress, Running | Throttled | Unavailable | Stop):
            return progress
        if isinstance(progress, Ended) and is_settled(progress.reply):
            return progress
        return Stop(ADAPTER_ERROR, f"the adapter gave a {type(progress).__name__} that says nothing of a job")

    def _wait(self, asked: int) -> float:
        """Ever longer, and spread so that those who ask part."""
        ceiling = backoff(self._policy, asked, lambda _, most: most)
        return self._entropy.uniform(ceiling / 2, ceiling)


def _given_up(job: str, age: float, deadline: float) -> Unavailable:
    why = "" if age >= deadline else f", and may not be asked about within its deadline of {deadline:,.0f} s"
    message = f"job {job} has not ended {age:,.0f} s after it was submitted{why}; what it did nobody knows"
    return Unavailable(JOB_DEADLINE, message, applied_unknown=True)
