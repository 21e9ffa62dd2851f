"""One run on its way through the steps: what it acts with, how long each took, and the events of its own stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.events import PlanMade, RunFinished, RunResumed, RunStarted
from engine.core.names import CandidateId, RunId, VersionNumber, run_id, run_stream
from engine.core.outcome import RunStatus
from engine.ledger.log import Fence
from engine.steps.facts import Sync, Tools
from engine.steps.untouched import Untouched

NOTHING_LEFT = Untouched()


def new_run(tools: Tools) -> RunId:
    """The id of a run that starts now."""
    return run_id(tools.clock.now(), tools.entropy.token(3))


Observe = Callable[[str, int, int], None]
"""Told ``step``, records done and records in all (0 when unknown)."""


Made = Callable[[PlanMade], PlanMade]
"""From a plan as it was computed to the one that is recorded and acted on."""


def as_planned(planned: PlanMade) -> PlanMade:
    """A plan that is sent as it was made."""
    return planned


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a run ends whose source was read and not accepted, when nothing worse comes of it."""

    status: RunStatus
    reason: str
    candidate: CandidateId | None


def unobserved(step: str, done: int, total: int) -> None:
    """An `Observe` for whom nobody waits."""
    del step, done, total


@dataclass(slots=True)
class Trip:
    """One run on its way: what it acts with, its id and how long each step took.

    ``made`` gives the plan as it is recorded and acted on. With a ``refusal`` it delivers what the version before still owes, and cannot end well.
    """

    tools: Tools
    sync: Sync
    run: RunId
    fence: Fence
    observe: Observe
    seconds: dict[str, float] = field(default_factory=dict)
    refusal: Refusal | None = None
    made: Made = as_planned

    def begin(self, *more: PlanMade) -> None:
        """Record that the run starts, perhaps with its plan."""
        sync = self.sync
        started = RunStarted(run=self.run, sync=sync.id, dataset=sync.dataset.id, destination=sync.target.name)
        self.append(started, *more)

    def timed(self, step: str) -> _Timer:
        self.observe(step, 0, 0)
        return _Timer(self, step)

    def append(self, *events: RunStarted | RunResumed | PlanMade | RunFinished) -> None:
        self.tools.ledger.append(run_stream(self.run), *events, fence=self.fence)

    def finish(
        self,
        status: RunStatus,
        reason: str,
        version: VersionNumber | None,
        left: Untouched = NOTHING_LEFT,
        candidate: CandidateId | None = None,
    ) -> None:
        if self.refusal is not None:
            if status in {RunStatus.SUCCEEDED, RunStatus.UNCHANGED}:
                status, reason, candidate = self.refusal.status, self.refusal.reason, self.refusal.candidate
            else:
                reason = f"{reason}; of the source, {self.refusal.reason}"
        event = RunFinished(
            run=self.run,
            sync=self.sync.id,
            status=status.value,
            reason=reason,
            version=version,
            candidate=candidate,
            seconds=dict(self.seconds),
            unchanged=left.held,
        )
        self.append(event)


class _Timer:
    def __init__(self, trip: Trip, step: str) -> None:
        self._trip = trip
        self._step = step
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._trip.tools.clock.monotonic()

    def __exit__(self, *_: object) -> None:
        took = self._trip.tools.clock.monotonic() - self._began
        self._trip.seconds[self._step] = self._trip.seconds.get(self._step, 0.0) + took
