"""A candidate in a person's hands: accepted as it was read, or dropped, under the rules of an approval.

Approving accepts at once exactly the snapshot that was kept, as the version after the one that it was compared with. A
capture that found anything else in between has replaced it, and a decision about it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from engine.core.approval import ApprovalRules, Decision, Refused, judge, refusal
from engine.core.canonical import digest_of
from engine.core.events import VersionAccepted, VersionApproved, VersionDecisionRefused, VersionHeld, VersionRejected
from engine.core.names import CandidateId, Digest, Position, candidate_dataset, candidate_id, dataset_stream
from engine.core.verdict import sentences, stopping
from engine.errors import ConfigurationError
from engine.failpoints import failpoint
from engine.ledger.projections import captures, versions
from engine.ledger.projections.captures import HeldRow
from engine.segments.compute import Session
from engine.sources.normalise import canonical_types
from engine.steps.anchors import check_anchors, dataset_anchor, drop_anchor
from engine.steps.contract import contract_digest, contracts
from engine.steps.differences import change_segment, difference
from engine.steps.facts import Dataset, Tools
from engine.steps.races import raced
from engine.steps.refused_decision import may_not
from engine.steps.snapshots import drop_candidate

ATTEMPTS_MAX = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The candidate that a decision is about, and where its stream stood when it was found."""

    held: HeldRow
    expected: Position


def candidate_digest(event: VersionHeld) -> Digest:
    """What a person decides about: these rows, as this version, under this contract, in spite of these findings."""
    quarantine = event.quarantine.digest if event.quarantine else None
    findings = sentences(stopping(event.checks))
    contract = [event.contract, *([event.definition] if event.definition else [])]
    return digest_of(
        [event.dataset, event.version, event.snapshot.digest, quarantine, *contract, dict(event.columns), findings]
    )


def asks_the_same(waits: VersionHeld, event: VersionHeld) -> bool:
    """Whether a person who is asked already would be asked nothing new; how the files were written does not count."""
    return _question(waits) == _question(event)


def _question(event: VersionHeld) -> list[object]:
    quarantine = event.quarantine.digest if event.quarantine else None
    asked = [event.version, event.content, quarantine, event.contract, event.definition, dict(event.columns), event.key]
    return [*asked, sentences(stopping(event.checks))]


def drop_held(tools: Tools, event: VersionHeld) -> None:
    """Remove the files of a candidate that waits no more."""
    drop_candidate(tools, event.snapshot, event.quarantine)


def approve_version(
    tools: Tools, dataset: Dataset, candidate: CandidateId, comment: str, rules: ApprovalRules
) -> VersionAccepted:
    """Accept the candidate as it was read; returns what the ledger says of the version.

    Raises `ConfigurationError` when it does not wait any more, its contract is another by now or the actor may not, and
    `LedgerRegressed` when the ledger may not say so.
    """

    def decide(waiting: Waiting) -> VersionAccepted:
        event = waiting.held.event
        mine = Decision(tools.ledger.actor, tools.clock.now(), approves=True)
        judged = judge(mine, waiting.held.asked_by, rules, mine.at)
        if isinstance(judged, Refused):
            _refuse(tools, event, "approve", judged)
        _same_contract(dataset, event)
        agreed = contracts(tools.database, dataset, mine.at)
        with tools.compute.session() as session:
            accepted = _accepted(tools, session, event)
        approved = VersionApproved(dataset=event.dataset, version=event.version, digest=event.digest, comment=comment)
        failpoint("review.before_commit")
        ahead = agreed.record(event.version)
        tools.ledger.append(dataset_stream(event.dataset), approved, *ahead, accepted, expected=waiting.expected)
        failpoint("review.after_commit")
        drop_anchor(tools, dataset_anchor(event.dataset), dataset_stream(event.dataset))
        return accepted

    return _decided(tools, candidate, decide)


def reject_version(tools: Tools, candidate: CandidateId, comment: str, rules: ApprovalRules) -> VersionRejected:
    """Drop the candidate; a capture that reads the same is blocked with ``comment``. Raises as `approve_version`."""

    def decide(waiting: Waiting) -> VersionRejected:
        event = waiting.held.event
        refused = refusal(tools.ledger.actor, rules)
        if refused is not None:
            _refuse(tools, event, "reject", refused)
        rejected = VersionRejected(
            dataset=event.dataset, version=event.version, digest=event.digest, content=event.content, comment=comment
        )
        failpoint("review.before_commit")
        tools.ledger.append(dataset_stream(event.dataset), rejected, expected=waiting.expected)
        failpoint("review.after_commit")
        drop_held(tools, event)
        return rejected

    return _decided(tools, candidate, decide)


def _decided(tools: Tools, candidate: CandidateId, decide: Callable[[Waiting], T]) -> T:
    """Decide about the candidate as it waits; anew when somebody appended to its stream meanwhile."""
    check_anchors(tools)
    return raced(lambda: decide(_waiting(tools, candidate)), ATTEMPTS_MAX)


def _waiting(tools: Tools, candidate: CandidateId) -> Waiting:
    dataset = candidate_dataset(candidate)
    expected = tools.ledger.head(dataset_stream(dataset))
    held = captures.held(tools.database, dataset)
    if held is None or candidate_id(dataset, held.event.version, held.event.digest) != candidate:
        raise ConfigurationError(
            f"There is no version {candidate} that waits for a decision",
            safe="Nothing was changed.",
            next="`tidegate approvals` lists what waits for one",
        )
    return Waiting(held, expected)


def _accepted(tools: Tools, session: Session, event: VersionHeld) -> VersionAccepted:
    """The version that a held candidate becomes; its snapshot is proved to be the one that was kept."""
    before = versions.latest(tools.database, event.dataset)
    new = session.table(tools.storage.local(event.snapshot))
    found = difference(tools, session, event.dataset, before, new, event.key)
    return VersionAccepted(
        dataset=event.dataset,
        version=event.version,
        snapshot=event.snapshot,
        changes=change_segment(tools, session, event.dataset, event.version, found),
        quarantine=event.quarantine,
        rows=event.rows,
        inserts=found.inserts,
        updates=found.updates,
        deletes=found.deletes,
        contract=event.contract,
        key=event.key,
        columns=event.columns,
        checks=event.checks,
    )


def _same_contract(dataset: Dataset, event: VersionHeld) -> None:
    columns = dict(canonical_types(dataset.schema))
    held = (event.contract, event.key, dict(event.columns), event.definition or contract_digest(dataset))
    if (dataset.contract, dataset.schema.key, columns, contract_digest(dataset)) != held:
        raise ConfigurationError(
            f"The contract of {dataset.id} is not the one any more under which version {event.version} was held",
            safe="Nothing was changed.",
            next=f"`tidegate capture {dataset.id}` judges what the source holds under the new one",
        )


def _refuse(tools: Tools, event: VersionHeld, decision: str, refused: Refused) -> NoReturn:
    told = VersionDecisionRefused(dataset=event.dataset, digest=event.digest, decision=decision, why=refused.why)
    tools.ledger.append(dataset_stream(event.dataset), told)
    raise may_not(tools.ledger.actor, refused)
