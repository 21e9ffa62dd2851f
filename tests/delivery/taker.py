"""A destination that takes batches as jobs, the log that keeps their ids, and a slice that is delivered to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from destinations.base import (
    AllDelivered,
    Batch,
    Ended,
    Jobs,
    Progress,
    Reply,
    Running,
    Spec,
    Submitted,
    Transport,
    Unavailable,
)
from engine.core.split import Cut
from engine.delivery.jobs import OpenJob
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import Result
from tests.delivery.scripted import (
    Scripted,
    ran,
    sender,
    whole,
)

RULES_OF_JOBS = Jobs(deadline_seconds=600.0, ask_seconds=1.0, ask_seconds_max=30.0)
LOST = Unavailable("no_answer", "timed out", applied_unknown=True)
NOTHING_APPLIED = Ended(Unavailable("job_failed", "nothing was applied", applied_unknown=False))


def at_once(batch: Batch, asked: int) -> Progress:
    return Ended(AllDelivered())


def never(batch: Batch, asked: int) -> Progress:
    return Running()


def progress(*steps: Any) -> Callable[[Batch, int], Progress]:
    """One step a question about a job; the last one for all that follow."""
    return lambda _, asked: steps[min(asked, len(steps)) - 1]


class Taker(Scripted):
    """Takes batches as jobs ``j1``, ``j2`` … unless ``takes`` says otherwise, and tells of them what ``tells`` says."""

    spec: ClassVar[Spec] = replace(Scripted.spec, jobs=RULES_OF_JOBS)

    def __init__(
        self, tells: Callable[[Batch, int], Progress] = at_once, takes: Callable[[Batch], Reply | None] = lambda _: None
    ) -> None:
        super().__init__(lambda batch: takes(batch) or Submitted(f"j{len(self.sent)}"))
        self._tells = tells
        self.asked: list[str] = []

    async def poll(self, job: str, batch: Batch, transport: Transport) -> Progress:
        self.asked.append(job)
        await asyncio.sleep(0)
        return self._tells(batch, self.asked.count(job))


@dataclass
class Kept:
    """Job ids by rows, how often each had been asked about when it was kept, and what an earlier process left."""

    destination: Taker | None = None
    jobs: dict[Cut, OpenJob] = field(default_factory=dict)
    story: list[tuple[Cut, str, int]] = field(default_factory=list)

    def left(self, cut: Cut) -> OpenJob | None:
        return self.jobs.pop(cut, None)

    async def submitted(self, number: int, cut: Cut, job: str) -> None:
        await asyncio.sleep(0)
        self.story.append((cut, job, self.destination.asked.count(job) if self.destination else 0))


class Told:
    """How a slice of ``count`` rows ended."""

    def __init__(
        self, destination: Taker, count: int = 4, *, left: OpenJob | None = None, uncertain: bool = False, **rules: Any
    ) -> None:
        self.destination, self.clock = destination, rules.pop("clock", None) or SkippedClock()
        self.kept = Kept(destination, {Cut(0, count - 1): left} if left else {})
        sending = sender(destination, self.clock, jobs=self.kept, **rules)
        self.result: Result = ran(sending.deliver(whole(count), 0, uncertain=uncertain))
        others = {e.ordinal: e.outcome for e in self.result.exceptions}
        assert len(others) == len(self.result.exceptions), "a row has two outcomes"
        self.outcomes = [others.get(n, "delivered") for n in range(count)]

    @property
    def messages(self) -> set[str]:
        return {e.message for e in self.result.exceptions}

    @property
    def codes(self) -> set[str]:
        return {e.code for e in self.result.exceptions}
