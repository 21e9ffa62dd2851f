"""Events between a plan and its end: windows, jobs, receipts, the fold, and what is not kept for ever after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.events.event import Event, Place
from engine.core.names import Digest, RunId, SegmentRef, SyncId, VersionNumber


@dataclass(frozen=True, slots=True)
class BatchIntent:
    """Rows ``first`` to ``last`` (both included, counted from 0 in plan order) leave as one call under ``key``.

    But for rows ``withheld``, whose subjects do not consent any more: what is left of the batch then leaves in several
    calls under keys of their own.
    """

    number: int
    op: str
    first: int
    last: int
    key: str
    withheld: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowIntended(Event):
    """These batches are about to be sent; appended before the first byte."""

    type = "run.window_intended"
    schema = 2
    run: RunId
    window: int
    batches: tuple[BatchIntent, ...]


@dataclass(frozen=True, slots=True)
class JobSubmitted(Event):
    """The destination took rows ``first`` to ``last`` of batch ``batch`` as a job; appended before anybody asks about it.

    ``until`` is when it is given up, ISO 8601.
    """

    type = "run.job_submitted"
    run: RunId
    batch: int
    first: int
    last: int
    job: str
    until: str


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """How the records of one intended batch ended, and what it cost.

    ``delivered`` counts by effect (inserts, updates, deletes). ``unknown`` are records whose effect nobody can
    tell; ``failed`` were not applied and are owed; ``withheld`` were dropped before the send.
    """

    number: int
    inserts: int
    updates: int
    deletes: int
    rejected: int
    failed: int
    unknown: int
    requests: int
    bytes_sent: int
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class WindowReceived(Event):
    """The outcomes of a window; ``exceptions`` names the rows that were not delivered, when there are any.

    ``codes`` counts exceptions by the destination's own code.
    """

    type = "run.window_received"
    schema = 2
    run: RunId
    window: int
    batches: tuple[BatchReceipt, ...]
    exceptions: SegmentRef | None
    codes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StateFolded(Event):
    """The delivered state of a sync is now the stack ``segments``, oldest first.

    It equals desired state of ``version`` under ``mapping`` and ``registers`` but for ``owed`` records.
    ``consent_until`` is the earliest moment at which a consent that was counted on expires. ``resync`` says that a person
    vouches for nothing of it, so that the next plan compares everything.
    """

    type = "sync.state_folded"
    schema = 2
    run: RunId
    sync: SyncId
    segments: tuple[SegmentRef, ...]
    version: VersionNumber
    mapping: Digest
    place: Place
    registers: Mapping[str, int]
    consent_until: str | None
    delivered: int
    owed: int
    resync: bool = False


@dataclass(frozen=True, slots=True)
class PlansDropped(Event):
    """The files ``segments`` of a sync are not kept any more; their digests stay here, and those of its plans in their events.

    They held plans, what destinations said of them, and delivered states that newer ones replaced. ``sent`` says of every
    record that was ever sent, up to the run ``through``, when and as what that was last. Behind ``since``, ISO 8601,
    everything is kept; of the runs before, ``kept`` are those whose plans are as well.
    """

    type = "sync.plans_dropped"
    sync: SyncId
    through: RunId
    since: str
    sent: SegmentRef
    kept: tuple[RunId, ...]
    segments: tuple[SegmentRef, ...]
    rule: str
