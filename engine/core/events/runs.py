"""Events of a run, its plan, and what people decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.events.event import CheckResult, Event, Place
from engine.core.names import CandidateId, DatasetId, Digest, PlanId, RunId, SegmentRef, SyncId, VersionNumber


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run took the lease of its sync."""

    type = "run.started"
    run: RunId
    sync: SyncId
    dataset: DatasetId
    destination: str


@dataclass(frozen=True, slots=True)
class ConsentAsked:
    """The rule that a plan evaluated and as of which moment, ISO 8601: with ``registers``, all that its consent rests on."""

    purposes: tuple[str, ...]
    policy: str
    channel: str | None
    subject: str
    on_withdrawal: str
    at: str


@dataclass(frozen=True, slots=True)
class PlanMade(Event):
    """desired − delivered was computed; ``segment`` is None when nothing is to be sent.

    ``comparison`` is ``full`` or ``incremental`` and ``reason`` says why. ``mapping`` is the digest of what shapes
    payloads, ``registers`` the consent versions that were read, ``consent_until`` the moment at which the first consent
    that was counted on expires. Of the rows ``withheld``, ``quarantined`` are set aside by a rule of the contract.
    ``consent`` is what was asked; None when nobody was.
    """

    type = "run.plan_made"
    schema = 3
    run: RunId
    sync: SyncId
    plan: PlanId
    digest: Digest
    segment: SegmentRef | None
    version: VersionNumber
    comparison: str
    reason: str
    mapping: Digest
    place: Place
    registers: Mapping[str, int]
    consent_until: str | None
    inserts: int
    updates: int
    deletes: int
    unchanged: int
    withheld: int
    quarantined: int
    checks: tuple[CheckResult, ...]
    consent: ConsentAsked | None = None


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A run ended; ``status`` is one of PROJECT.md's statuses, ``seconds`` maps step to duration.

    ``unchanged`` counts what is held as it should be, where no plan was computed that would say it.
    ``candidate`` is the version that a run was held for; None for any other run.
    """

    type = "run.finished"
    schema = 3
    run: RunId
    sync: SyncId
    status: str
    reason: str
    version: VersionNumber | None
    candidate: CandidateId | None
    seconds: Mapping[str, float]
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """A later process took over an unfinished run and continues its plan."""

    type = "run.resumed"
    run: RunId
    sync: SyncId
    window: int


@dataclass(frozen=True, slots=True)
class PlanApproved(Event):
    """A person allowed the held plan with this digest; another digest is another plan and is not allowed by it."""

    type = "run.plan_approved"
    run: RunId
    digest: Digest
    comment: str


@dataclass(frozen=True, slots=True)
class PlanRejected(Event):
    """A person refused the held plan with this digest."""

    type = "run.plan_rejected"
    run: RunId
    digest: Digest
    comment: str


@dataclass(frozen=True, slots=True)
class PlanDecisionRefused(Event):
    """Somebody who may not decide about the held plan with this digest tried to; nothing changed."""

    type = "run.decision_refused"
    run: RunId
    digest: Digest
    decision: str
    why: str
