"""Every event of the ledger: a stable hand-given type name and a schema version.

An event is a past fact without personal data: counts, digests, names of segments, codes. Class names are never
stored, so a class may be renamed; a change of shape raises ``schema`` and adds an upcast in `engine.core.event_codec`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.core.names import CandidateId, DatasetId, Digest, PlanId, RunId, SegmentRef, SyncId, VersionNumber


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``type`` and ``schema`` are what the ledger stores beside the data."""

    type: ClassVar[str]
    schema: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a gate found: its verdict (pass, warn, quarantine, hold, block), one sentence, and the numbers.

    What is held or blocked is told again only when a sentence changes, so it says nothing that time alone changes.
    """

    check: str
    verdict: str
    message: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class VersionAccepted(Event):
    """A candidate became version ``version``; ``changes`` is None for the first version of a dataset.

    ``quarantine`` names the rows that are no part of what may be sent, with their reasons; None when there are none.
    """

    type = "dataset.version_accepted"
    schema = 2
    dataset: DatasetId
    version: VersionNumber
    snapshot: SegmentRef
    changes: SegmentRef | None
    quarantine: SegmentRef | None
    rows: int
    inserts: int
    updates: int
    deletes: int
    contract: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class ContractRecorded(Event):
    """From ``version`` of the dataset on, another contract holds: ``contract`` is its semantic version.

    ``definition`` is all of it that Tidegate acts upon, as JSON without texts for people, and ``digest`` that text's SHA-256.
    """

    type = "dataset.contract_recorded"
    dataset: DatasetId
    version: VersionNumber
    contract: str
    digest: Digest
    definition: str


@dataclass(frozen=True, slots=True)
class ContractDeprecated(Event):
    """A person ends a major of a contract on the day ``until``, ISO 8601; ``use`` is the dataset that takes its place."""

    type = "contract.deprecated"
    dataset: DatasetId
    until: str
    use: DatasetId
    reason: str


@dataclass(frozen=True, slots=True)
class ContractReinstated(Event):
    """A person takes back that a major of a contract ends."""

    type = "contract.reinstated"
    dataset: DatasetId
    reason: str


@dataclass(frozen=True, slots=True)
class CaptureUnchanged(Event):
    """The source was read whole and holds what version ``version`` holds."""

    type = "dataset.capture_unchanged"
    dataset: DatasetId
    version: VersionNumber
    rows: int


@dataclass(frozen=True, slots=True)
class CaptureBlocked(Event):
    """A gate refused the candidate; the version before stays current.

    ``content`` is what the candidate held, by `engine.core.content`; None when it could not be written.
    """

    type = "dataset.capture_blocked"
    schema = 2
    dataset: DatasetId
    rows: int
    content: Digest | None
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class VersionHeld(Event):
    """A candidate waits for people; it would become ``version``, and the version before stays current.

    The counts compare it with that version. ``digest`` stands for all that a person decides about, ``definition`` is the
    digest of its contract as `ContractRecorded` has it; None for one that an earlier release held.
    """

    type = "dataset.version_held"
    schema = 2
    dataset: DatasetId
    version: VersionNumber
    snapshot: SegmentRef
    quarantine: SegmentRef | None
    rows: int
    inserts: int
    updates: int
    deletes: int
    contract: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    content: Digest
    digest: Digest
    checks: tuple[CheckResult, ...]
    definition: Digest | None = None


@dataclass(frozen=True, slots=True)
class VersionApproved(Event):
    """A person allowed the held candidate with this digest; the version that it became is accepted with this event."""

    type = "dataset.version_approved"
    dataset: DatasetId
    version: VersionNumber
    digest: Digest
    comment: str


@dataclass(frozen=True, slots=True)
class VersionRejected(Event):
    """A person refused the held candidate with this digest; what holds the same ``content`` is blocked."""

    type = "dataset.version_rejected"
    dataset: DatasetId
    version: VersionNumber
    digest: Digest
    content: Digest
    comment: str


@dataclass(frozen=True, slots=True)
class VersionDecisionRefused(Event):
    """Somebody who may not decide about the held candidate with this digest tried to; nothing changed."""

    type = "dataset.decision_refused"
    dataset: DatasetId
    digest: Digest
    decision: str
    why: str


@dataclass(frozen=True, slots=True)
class VersionWithdrawn(Event):
    """A person marked an accepted version as bad: it stays in the log of changes, and nothing is planned from it."""

    type = "dataset.version_withdrawn"
    dataset: DatasetId
    version: VersionNumber
    reason: str


@dataclass(frozen=True, slots=True)
class VersionsDropped(Event):
    """The files ``segments`` are not kept any more, and so ``versions`` cannot be read again; their digests stay here.

    A version that is not among them is rebuilt from an older snapshot.
    """

    type = "dataset.versions_dropped"
    dataset: DatasetId
    versions: tuple[VersionNumber, ...]
    segments: tuple[SegmentRef, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class ChangesMerged(Event):
    """``segment`` holds the changes of versions ``first`` to ``last`` instead of ``replaced``, which are not kept any more."""

    type = "dataset.changes_merged"
    dataset: DatasetId
    first: VersionNumber
    last: VersionNumber
    segment: SegmentRef
    replaced: tuple[SegmentRef, ...]


@dataclass(frozen=True, slots=True)
class LegalHoldPlaced(Event):
    """A person lets no rule drop ``version``, until it is released."""

    type = "dataset.legal_hold_placed"
    dataset: DatasetId
    version: VersionNumber
    reason: str


@dataclass(frozen=True, slots=True)
class LegalHoldReleased(Event):
    """A person lets ``version`` be dropped again when a rule says so."""

    type = "dataset.legal_hold_released"
    dataset: DatasetId
    version: VersionNumber
    reason: str


@dataclass(frozen=True, slots=True)
class SyncPinned(Event):
    """A person keeps a sync at ``version``, whatever versions follow.

    Or only some of its rows: ``keys`` names those that are kept, each with its version; the others follow the newest. Or for
    one step of a backfill that goes on ``through`` a later version.
    """

    type = "sync.pinned"
    schema = 3
    sync: SyncId
    dataset: DatasetId
    version: VersionNumber
    reason: str
    keys: SegmentRef | None = None
    through: VersionNumber | None = None


@dataclass(frozen=True, slots=True)
class SyncUnpinned(Event):
    """A person lets a sync follow the newest version again."""

    type = "sync.unpinned"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class SyncPaused(Event):
    """A person lets a sync do nothing until it is resumed; a run of it under way stops at the edge of its window."""

    type = "sync.paused"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class SyncResumed(Event):
    """A person lets a paused sync run again."""

    type = "sync.resumed"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class RunCancelled(Event):
    """A person gave a run up that had not ended: nothing more of its plan leaves, and what did not is owed."""

    type = "run.cancelled"
    sync: SyncId
    run: RunId
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleSet(Event):
    """From here on a sync is due as ``schedule`` says: at moments behind this event, or for a dataset's versions."""

    type = "sync.schedule_set"
    sync: SyncId
    schedule: str


@dataclass(frozen=True, slots=True)
class TurnTaken(Event):
    """A daemon, known by its lease, runs a sync for what it is due for: ``due``, ISO 8601, or ``version`` of a dataset.

    ``missed`` counts earlier ones that this run stands for as well. ``again`` says that a daemon had taken this turn before
    and is gone.
    """

    type = "sync.turn_taken"
    sync: SyncId
    schedule: str
    due: str
    version: VersionNumber | None
    missed: int
    lease: str
    epoch: int
    again: bool


@dataclass(frozen=True, slots=True)
class TurnEnded(Event):
    """The run for a turn ended; ``status`` is the run's, or ``crashed``, ``stopped`` or ``overdue`` for one without an end."""

    type = "sync.turn_ended"
    sync: SyncId
    schedule: str
    due: str
    version: VersionNumber | None
    run: RunId | None
    status: str


@dataclass(frozen=True, slots=True)
class ConsentDecided(Event):
    """Decisions were recorded; ``segments`` hold all that ever were, ``origin`` says how these came.

    The counts are of the new ones; whom they are about stands in the segments only.
    """

    type = "consent.decided"
    segments: tuple[SegmentRef, ...]
    origin: str
    granted: int
    refused: int


@dataclass(frozen=True, slots=True)
class ErasureRequested(Event):
    """People are to be forgotten; from here on nothing about them is sent, whatever the registers say.

    ``tombstones`` are HMACs of their subjects under the key that ``key`` recognises. ``due`` is until when every
    destination must have removed them, ISO 8601.
    """

    type = "erasure.requested"
    request: str
    key: str
    tombstones: tuple[str, ...]
    reason: str
    due: str


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Whom nothing may be sent to, by hashes in ``segment``; ``destination`` is None where that holds for all.

    ``entries`` counts people as the list knows them: by addresses, numbers or ids, as ``kind`` says.
    """

    name: str
    kind: str
    destination: str | None
    entries: int
    segment: SegmentRef


@dataclass(frozen=True, slots=True)
class SuppressionChanged(Event):
    """Entries of the list ``name`` were added or removed; ``lists`` are all that count from here on.

    Whom an entry is about stands in no event, and as a hash in the segments only.
    """

    type = "suppression.changed"
    lists: tuple[SuppressionList, ...]
    name: str
    added: int
    removed: int
    reason: str


@dataclass(frozen=True, slots=True)
class ErasedSegment:
    """``after`` holds what ``before`` held, but for whoever is forgotten."""

    before: SegmentRef
    after: SegmentRef


@dataclass(frozen=True, slots=True)
class SegmentsErased(Event):
    """The segments that this stream names hold nobody any more whom the first ``through`` requests are about.

    But for those of a sync whose removal a destination owes: their keys stay until it is acknowledged.
    """

    type = "segments.erased"
    through: int
    segments: tuple[ErasedSegment, ...]


@dataclass(frozen=True, slots=True)
class ErasureReported(Event):
    """A request was carried out as far as it could be; ``report`` is the digest of what was signed.

    ``owed`` counts records that destinations have not acknowledged the removal of, ``open`` what else is left to do.
    """

    type = "erasure.reported"
    request: str
    report: Digest
    owed: int
    open: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.owed and not self.open


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run took the lease of its sync."""

    type = "run.started"
    run: RunId
    sync: SyncId
    dataset: DatasetId
    destination: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sync's records are: an object of a destination, found by match fields; all three are words of its file."""

    destination: str
    object: str
    match: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.object} of {self.destination}, matched by {', '.join(self.match)}"


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
class ResyncAsked(Event):
    """A person wants records sent again; the fold beside it holds which.

    ``scope`` is a `engine.core.resync.Scope`. Of the ``records``, ``orphans`` were removed before, or left the state.
    """

    type = "sync.resync_asked"
    sync: SyncId
    scope: str
    records: int
    orphans: int
    reason: str


@dataclass(frozen=True, slots=True)
class RejectionsReleased(Event):
    """A person let the attempts of rejected records start again; the fold beside it holds which."""

    type = "sync.rejections_released"
    sync: SyncId
    records: int


@dataclass(frozen=True, slots=True)
class RejectionsDropped(Event):
    """A person gave the rejected payloads of records up; the fold beside it holds which."""

    type = "sync.rejections_dropped"
    sync: SyncId
    records: int


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


@dataclass(frozen=True, slots=True)
class LostEvent:
    """An event that an anchor of the storage names; ``ledger`` is the hash of the first event of the anchor's ledger."""

    anchor: str
    ledger: Digest
    stream: str
    position: int
    hash: Digest


@dataclass(frozen=True, slots=True)
class FilesCollected(Event):
    """Files below ``folder`` that no event names, and their ``bytes``, are removed; a write from before does not count."""

    type = "storage.files_collected"
    folder: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RegressionAccepted(Event):
    """A person let runs go on from a ledger that went back in time; ``unreadable`` are anchors that name nothing."""

    type = "ledger.regression_accepted"
    reason: str
    lost: tuple[LostEvent, ...]
    unreadable: tuple[str, ...]
    doubted: tuple[SyncId, ...]


@dataclass(frozen=True, slots=True)
class AlertOpened(Event):
    """A condition began to hold: the fields are those of `engine.core.alert.Alert`; ``since`` is ISO 8601."""

    type = "alert.opened"
    alert: str
    kind: str
    subject: str
    severity: str
    since: str
    what: str
    cause: str
    runbook: str
    datasets: tuple[str, ...]
    syncs: tuple[str, ...]
    destinations: tuple[str, ...]
    owners: tuple[str, ...]
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertClosed(Event):
    """The condition of an open alert does not hold any more."""

    type = "alert.closed"
    alert: str


@dataclass(frozen=True, slots=True)
class AlertsTold(Event):
    """A channel took a message about ``opened`` and ``closed``, positions of the alerts' openings."""

    type = "alert.told"
    channel: str
    opened: tuple[int, ...]
    closed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AlertsUntold(Event):
    """A channel did not take such a message; it is tried again."""

    type = "alert.untold"
    channel: str
    opened: tuple[int, ...]
    closed: tuple[int, ...]
    why: str


EVENTS: Mapping[str, type[Event]] = types.MappingProxyType(
    {
        cls.type: cls
        for cls in (
            VersionAccepted,
            ContractRecorded,
            ContractDeprecated,
            ContractReinstated,
            CaptureUnchanged,
            CaptureBlocked,
            VersionHeld,
            VersionApproved,
            VersionRejected,
            VersionDecisionRefused,
            VersionWithdrawn,
            VersionsDropped,
            ChangesMerged,
            LegalHoldPlaced,
            LegalHoldReleased,
            SyncPinned,
            SyncUnpinned,
            SyncPaused,
            SyncResumed,
            RunCancelled,
            ScheduleSet,
            TurnTaken,
            TurnEnded,
            ConsentDecided,
            ErasureRequested,
            SuppressionChanged,
            SegmentsErased,
            ErasureReported,
            RunStarted,
            RunResumed,
            PlanMade,
            WindowIntended,
            JobSubmitted,
            WindowReceived,
            StateFolded,
            ResyncAsked,
            RejectionsReleased,
            RejectionsDropped,
            RunFinished,
            PlanApproved,
            PlanRejected,
            PlanDecisionRefused,
            FilesCollected,
            RegressionAccepted,
            AlertOpened,
            AlertClosed,
            AlertsTold,
            AlertsUntold,
        )
    }
)
