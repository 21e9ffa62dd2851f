"""Events of a dataset: contracts, captures, versions, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.events.event import CheckResult, Event
from engine.core.names import DatasetId, Digest, SegmentRef, VersionNumber


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

    ``content`` is what the candidate held, by `engine.core.content`; None when it could not be written. ``failing`` has
    the first rows that broke each rule, by `engine.checks.failing`, until the next capture; None when no row did. ``key``
    is the primary key of its contract, empty in what an earlier release recorded.
    """

    type = "dataset.capture_blocked"
    schema = 3
    dataset: DatasetId
    rows: int
    content: Digest | None
    checks: tuple[CheckResult, ...]
    key: tuple[str, ...] = ()
    failing: SegmentRef | None = None


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
