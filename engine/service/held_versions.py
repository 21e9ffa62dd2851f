"""Approve or reject a version that a capture was held for, and list the versions that wait for that."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.names import CandidateId, DatasetId, candidate_dataset, candidate_id
from engine.core.verdict import reasons, stopping
from engine.errors import ConfigurationError
from engine.ledger.projections import captures
from engine.ledger.projections.captures import HeldRow
from engine.service.app import App
from engine.service.resolve import approval_rules
from engine.steps.facts import Dataset, Tools
from engine.steps.held_version import approve_version, reject_version


@dataclass(frozen=True, slots=True)
class VersionDecisionReport:
    """What was decided on which version; ``next`` is what to type now."""

    candidate: str
    dataset: str
    version: int
    digest: str
    decision: str
    next: str


@dataclass(frozen=True, slots=True)
class HeldVersionReport:
    """A version that waits: what it would change of ``before`` (None: it would be the first), why, and who read it."""

    candidate: str
    dataset: str
    version: int
    before: int | None
    rows: int
    inserts: int
    updates: int
    deletes: int
    digest: str
    reason: str
    asked_by: str
    asked_at: str
    next: str
    contract: str
    quarantined: int = 0


def approve_candidate(app: App, candidate: CandidateId, *, comment: str) -> VersionDecisionReport:
    """Accept the version as it was read, now; what the source holds meanwhile is another candidate."""
    dataset = _dataset(app, candidate)
    event = approve_version(app.tools, dataset, candidate, comment, approval_rules(app.project))
    digest = candidate.rpartition("-")[2]
    return VersionDecisionReport(candidate, dataset.id, event.version, digest, "approved", _runs(app, dataset.id))


def reject_candidate(app: App, candidate: CandidateId, *, comment: str) -> VersionDecisionReport:
    """Drop the version; a read that finds the same again is blocked with this comment."""
    dataset = _dataset(app, candidate)
    event = reject_version(app.tools, candidate, comment, approval_rules(app.project))
    digest = candidate.rpartition("-")[2]
    step = f"mend the source, then tidegate capture {dataset.id}"
    return VersionDecisionReport(candidate, dataset.id, event.version, digest, "rejected", step)


def held_versions(app: App) -> list[HeldVersionReport]:
    """The version of each dataset that waits for a decision."""
    found = (held_version(app.tools, id) for id in sorted(app.datasets))
    return [report for report in found if report is not None]


def held_version(tools: Tools, dataset: DatasetId) -> HeldVersionReport | None:
    """The version of ``dataset`` that waits for a decision; None when none does."""
    row = captures.held(tools.database, dataset)
    return None if row is None else _report(dataset, row)


def _report(dataset: DatasetId, row: HeldRow) -> HeldVersionReport:
    event = row.event
    candidate = candidate_id(dataset, event.version, event.digest)
    return HeldVersionReport(
        candidate=candidate,
        dataset=dataset,
        version=event.version,
        before=event.version - 1 or None,
        rows=event.rows,
        inserts=event.inserts,
        updates=event.updates,
        deletes=event.deletes,
        digest=event.digest,
        reason=reasons(stopping(event.checks)),
        asked_by=row.asked_by,
        asked_at=row.since.isoformat(),
        next=f"tidegate approve {candidate}",
        contract=event.contract,
        quarantined=event.quarantine.rows if event.quarantine else 0,
    )


def _dataset(app: App, candidate: CandidateId) -> Dataset:
    found = app.datasets.get(candidate_dataset(candidate))
    if found is None:
        raise ConfigurationError(
            f"There is no dataset {candidate_dataset(candidate)} in this project",
            safe="Nothing was changed.",
            next="`tidegate approvals` lists what waits for a decision",
        )
    return found


def _runs(app: App, dataset: DatasetId) -> str:
    """What lets the destinations have the version."""
    syncs = [name for name in app.sync_names if app.syncs[name].dataset.id == dataset]
    return f"tidegate run {' '.join(syncs)}" if syncs else f"tidegate versions {dataset}"
