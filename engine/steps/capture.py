"""Capture: read a source once, judge what came, and accept it as a version when it differs from the last.

A candidate that is held or blocked, a read that fails and a crash at any line leave the version before as it was: only
the event at the end makes a version, and it is appended against the stream's expected position. What is held or blocked
for the same reasons as before is not told again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.core.canonical import digest_of
from engine.core.content import content_digest, sums
from engine.core.diff import IncomparableTypes
from engine.core.events import (
    CaptureBlocked,
    CaptureUnchanged,
    CheckResult,
    VersionAccepted,
    VersionHeld,
    VersionRejected,
)
from engine.core.names import (
    CandidateId,
    DatasetId,
    Digest,
    Position,
    SegmentRef,
    VersionNumber,
    candidate_id,
    dataset_stream,
)
from engine.core.verdict import Verdict, blocked, sentences, stopping, worst
from engine.errors import StorageError
from engine.failpoints import failpoint
from engine.ledger.holds import rejection
from engine.ledger.projections import captures, versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.sources.normalise import canonical_types
from engine.steps.anchors import dataset_anchor, drop_anchor
from engine.steps.candidate import DRIFT, Read, is_settled, judge_candidate
from engine.steps.contract import Contracts, contract_digest, contracts
from engine.steps.differences import Difference, KeyMoved, change_segment, difference
from engine.steps.facts import Dataset, Tools
from engine.steps.failing_rows import keep_failing
from engine.steps.held_version import asks_the_same, candidate_digest, drop_held
from engine.steps.quarantined_rows import is_same_quarantine
from engine.steps.snapshots import drop_candidate

KEY_TYPE = "contract.key_type"
REJECTED = "review.rejected"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new version stands in the ledger; ``gate_seconds`` of its capture were spent on checks."""

    version: VersionNumber
    rows: int
    inserts: int
    updates: int
    deletes: int
    checks: tuple[CheckResult, ...]
    gate_seconds: float


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source holds what ``version`` holds; ``checks`` are worth a word all the same."""

    version: VersionNumber
    rows: int
    gate_seconds: float
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """The candidate waits for people; ``version`` (None before the first) stays current."""

    dataset: DatasetId
    candidate: CandidateId
    version: VersionNumber | None
    rows: int
    checks: tuple[CheckResult, ...]
    gate_seconds: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """A gate refused the candidate; ``version`` (None before the first) stays current."""

    dataset: DatasetId
    version: VersionNumber | None
    checks: tuple[CheckResult, ...]
    gate_seconds: float


Captured = Accepted | Unchanged | Held | Blocked


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a capture decides with: the dataset, its current version, and where its stream stood when it began."""

    tools: Tools
    session: Session
    dataset: Dataset
    before: VersionRow | None
    expected: Position
    contracts: Contracts

    @property
    def number(self) -> VersionNumber:
        """The number that the candidate would get."""
        return VersionNumber((self.before.version if self.before else 0) + 1)

    def append(self, event: VersionAccepted | VersionHeld | CaptureUnchanged | CaptureBlocked) -> None:
        """Append against the expected position, then drop what was kept of the candidate before.

        A contract that was not there before is recorded ahead of the version that is accepted or confirmed under it.
        """
        waited = captures.held(self.tools.database, self.dataset.id)
        refused = captures.blocked(self.tools.database, self.dataset.id)
        holds = (VersionAccepted, CaptureUnchanged)
        ahead = self.contracts.record(event.version) if isinstance(event, holds) else ()
        self.tools.ledger.append(dataset_stream(self.dataset.id), *ahead, event, expected=self.expected)
        if waited is not None:
            drop_held(self.tools, waited.event)
        if refused is not None:
            drop_candidate(self.tools, refused.failing)


def capture(tools: Tools, dataset: Dataset) -> Captured:
    """Read, judge and accept; returns what became of the read.

    Raises `ContractRefused` before the source is opened, `SourceError` when it cannot be read whole and `LedgerConflict` when
    another capture of the same dataset was accepted meanwhile; each leaves everything as it was.
    """
    expected = tools.ledger.head(dataset_stream(dataset.id))
    agreed = contracts(tools.database, dataset, tools.clock.now())
    before = versions.latest(tools.database, dataset.id)
    with tools.compute.session() as session:
        facts = _Facts(tools, session, dataset, before, expected, agreed)
        candidate = judge_candidate(tools, session, dataset, before, drafts=tools.storage)
        candidate = replace(candidate, checks=(*candidate.checks, *agreed.checks))
        if candidate.ref is None or worst(candidate.checks) is Verdict.BLOCK:
            return _refuse(facts, candidate)
        is_same_file = before is not None and candidate.ref.digest == before.snapshot.digest
        if before is not None and is_same_file and _is_settled(facts, before, candidate):
            return _unchanged(facts, before, candidate.ref, candidate)
        return _compare(facts, candidate, candidate.ref)


def as_captured(tools: Tools, dataset: Dataset) -> Unchanged:
    """The newest version, without a look at the source; raises `StorageError` when there is none."""
    latest = versions.latest(tools.database, dataset.id)
    if latest is None:
        raise StorageError(f"{dataset.id} has no version yet", next=f"`tidegate capture {dataset.id.split('@')[0]}`")
    return Unchanged(latest.version, latest.rows, 0.0)


def _is_settled(facts: _Facts, before: VersionRow, candidate: Read) -> bool:
    """Whether rows that are the current version's make no version: nobody is asked, and the same ones are set aside."""
    return is_settled(facts.dataset, before, candidate.checks) and is_same_quarantine(
        facts.tools, facts.session, before.quarantine, candidate.quarantine
    )


def _compare(facts: _Facts, candidate: Read, ref: SegmentRef) -> Captured:
    dataset, before = facts.dataset, facts.before
    new = facts.session.table(facts.tools.storage.local(ref))
    try:
        found = difference(facts.tools, facts.session, dataset.id, before, new, dataset.schema.key)
    except (KeyMoved, IncomparableTypes) as error:
        check = KEY_TYPE if isinstance(error, KeyMoved) else DRIFT
        return _refuse(facts, candidate, blocked(check, f"{error}; give it a new contract major"))
    if before is not None and found.is_empty and _is_settled(facts, before, candidate):
        return _unchanged(facts, before, ref, candidate)
    if worst(candidate.checks) is Verdict.HOLD:
        return _hold(facts, candidate, ref, found)
    return _accept(facts, candidate, ref, found)


def _accept(facts: _Facts, candidate: Read, ref: SegmentRef, found: Difference) -> Accepted:
    tools, dataset = facts.tools, facts.dataset
    event = VersionAccepted(
        dataset=dataset.id,
        version=facts.number,
        snapshot=ref,
        changes=change_segment(tools, facts.session, dataset.id, facts.number, found),
        quarantine=candidate.quarantine,
        rows=ref.rows,
        inserts=found.inserts,
        updates=found.updates,
        deletes=found.deletes,
        contract=dataset.contract,
        key=dataset.schema.key,
        columns=canonical_types(dataset.schema),
        checks=candidate.checks,
    )
    failpoint("capture.before_commit")
    facts.append(event)
    failpoint("capture.after_commit")
    drop_anchor(tools, dataset_anchor(dataset.id), dataset_stream(dataset.id))
    counts = (found.inserts, found.updates, found.deletes)
    return Accepted(facts.number, ref.rows, *counts, checks=candidate.checks, gate_seconds=candidate.gate_seconds)


def _hold(facts: _Facts, candidate: Read, ref: SegmentRef, found: Difference) -> Held | Blocked:
    """Let the candidate wait for people, unless one of them refused just this; the same is not asked a second time."""
    tools, dataset, content = facts.tools, facts.dataset, _content(facts, ref)
    if facts.contracts.asks:
        # A person who refused these rows under one contract has said nothing of them under another.
        content = digest_of([content, contract_digest(dataset)])
    said = rejection(tools.database, dataset.id, content)
    if said is not None:
        assert isinstance(said.event, VersionRejected)
        comment = f": {said.event.comment}" if said.event.comment else ""
        message = f"{said.actor} rejected this as version {said.event.version}{comment}"
        return _refuse(facts, candidate, blocked(REJECTED, message))
    event = VersionHeld(
        dataset=dataset.id,
        version=facts.number,
        snapshot=ref,
        quarantine=candidate.quarantine,
        rows=ref.rows,
        inserts=found.inserts,
        updates=found.updates,
        deletes=found.deletes,
        contract=dataset.contract,
        key=dataset.schema.key,
        columns=canonical_types(dataset.schema),
        content=content,
        digest=Digest(""),
        checks=candidate.checks,
        definition=contract_digest(dataset),
    )
    event = replace(event, digest=candidate_digest(event))
    waits = captures.held(tools.database, dataset.id)
    if waits is not None and asks_the_same(waits.event, event):
        drop_candidate(tools, ref, candidate.quarantine)
        return _held(facts, waits.event, candidate)
    failpoint("hold.before_commit")
    facts.append(event)
    failpoint("hold.after_commit")
    return _held(facts, event, candidate)


def _held(facts: _Facts, event: VersionHeld, candidate: Read) -> Held:
    before = facts.before.version if facts.before else None
    id = candidate_id(event.dataset, event.version, event.digest)
    return Held(event.dataset, id, before, event.rows, event.checks, candidate.gate_seconds)


def _unchanged(facts: _Facts, before: VersionRow, ref: SegmentRef, candidate: Read) -> Unchanged:
    drop_candidate(facts.tools, ref, candidate.quarantine)
    facts.append(CaptureUnchanged(dataset=facts.dataset.id, version=before.version, rows=ref.rows))
    return Unchanged(before.version, ref.rows, candidate.gate_seconds, facts.contracts.checks)


def _refuse(facts: _Facts, candidate: Read, *more: CheckResult) -> Blocked:
    """Keep the version before; what was refused already, for the same reasons, is not told again."""
    tools, dataset, checks = facts.tools, facts.dataset, (*candidate.checks, *more)
    ref, told = candidate.ref, captures.blocked(tools.database, dataset.id)
    content = None if ref is None else _content(facts, ref)
    rows, key = ref.rows if ref else 0, dataset.schema.key
    event = CaptureBlocked(dataset=dataset.id, rows=rows, content=content, checks=checks, key=key)
    began = tools.clock.monotonic()
    is_news = told is None or (told.content, _said(told)) != (event.content, _said(event))
    if is_news and ref is not None:
        event = replace(event, failing=keep_failing(tools, facts.session, dataset, facts.before, ref, checks))
    drop_candidate(tools, ref, candidate.quarantine)
    if is_news:
        facts.append(event)
    seconds = candidate.gate_seconds + tools.clock.monotonic() - began
    return Blocked(dataset.id, facts.before.version if facts.before else None, checks, seconds)


def _said(event: CaptureBlocked) -> list[list[str]]:
    return sentences(stopping(event.checks))


def _content(facts: _Facts, ref: SegmentRef) -> Digest:
    rows = facts.session.table(facts.tools.storage.local(ref))
    return content_digest(rows, facts.session.single(sums(rows)))
