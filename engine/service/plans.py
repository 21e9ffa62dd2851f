"""Preview: what a run would send now, with nothing written to the ledger or the storage and nothing sent."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.core.compare import Full
from engine.core.diff import IncomparableTypes, changed_keys
from engine.core.events import CheckResult
from engine.core.names import VersionNumber
from engine.core.plan_forms import samples as sample_rows
from engine.core.verdict import Verdict, blocked, worst
from engine.ledger.projections import versions
from engine.owner_only import make_folder
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.reports import PlanCounts
from engine.service.samples import Sample, is_id_shown, may_show, sampled
from engine.steps.anchors import check_anchors
from engine.steps.candidate import DRIFT, is_settled, judge_candidate
from engine.steps.consent import Candidate, Preview
from engine.steps.contract import contracts
from engine.steps.facts import Dataset, Sync
from engine.steps.plan import Planned, Settled, plan
from engine.steps.quarantined_rows import changed_standing, opened
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """``candidate`` says that the source differs from the newest version, so that a run would make ``version``.

    ``held`` says that a run would wait for approval of that version first, and then send this.
    """

    sync: str
    dataset: str
    version: int
    candidate: bool
    plan: PlanCounts
    checks: tuple[CheckResult, ...]
    samples: tuple[Sample, ...]
    blocked: bool
    held: bool = False


def preview_plan(app: App, name: str, *, samples: int = 3) -> PlanPreview:
    """Read the source into a temporary place, judge it, and subtract what was delivered; refuses what a run would.

    Raises `ContractRefused` before anything is read under such a contract.
    """
    sync = app.sync(name)
    check_anchors(app.tools)
    make_folder(app.scratch)
    with tempfile.TemporaryDirectory(dir=app.scratch) as folder, app.tools.compute.session() as session:
        drafts = Storage(folder, scratch=Path(folder), entropy=app.tools.entropy)
        reads = {d.id: _read(app, session, d, drafts) for d in (*sync.registers, sync.dataset)}
        checks = tuple(check for read in reads.values() for check in read.checks)
        if worst(checks) is Verdict.BLOCK:
            latest = versions.latest(app.tools.database, sync.dataset.id)
            version = latest.version if latest else 0
            return PlanPreview(name, sync.dataset.id, version, True, PlanCounts(), checks, (), True)
        candidate = reads[sync.dataset.id].candidate
        registers = {r.id: found for r in sync.registers if (found := reads[r.id].candidate) is not None}
        planned = plan(app.tools, session, sync, drafts=drafts, preview=Preview(candidate, registers))
        shown = plan_samples(session, sync, planned, drafts, samples)
        report = _preview(sync, planned, candidate is not None, checks, shown)
        return replace(report, held=any(read.is_held for read in reads.values()))


@dataclass(frozen=True, slots=True)
class _Read:
    """A source as a candidate, or None when it holds what the newest version holds; and what the gate says."""

    candidate: Candidate | None
    checks: tuple[CheckResult, ...]
    is_held: bool = False


def _read(app: App, session: Session, dataset: Dataset, drafts: Storage) -> _Read:
    agreed = contracts(app.tools.database, dataset, app.tools.clock.now())
    latest = versions.latest(app.tools.database, dataset.id)
    read = judge_candidate(app.tools, session, dataset, latest, drafts=drafts)
    read = replace(read, checks=(*read.checks, *agreed.checks))
    if read.ref is None or worst(read.checks) is Verdict.BLOCK:
        return _Read(None, read.checks)
    rows, is_held = session.table(drafts.local(read.ref)), worst(read.checks) is Verdict.HOLD
    bad = opened(drafts, session, read.quarantine)
    if latest is None:
        return _Read(Candidate(rows, VersionNumber(1), None, bad), read.checks, is_held)
    old = snapshot_table(app.tools, session, dataset.id, latest.version)
    try:
        changed = session.cached(changed_keys(old, rows, dataset.schema.key))
    except IncomparableTypes as error:
        return _Read(None, (*read.checks, blocked(DRIFT, f"{error}; give it a new contract major")))
    standing = changed_standing(session, opened(app.tools.storage, session, latest.quarantine), bad)
    moved = [changed, *standing]
    if not any(session.single(table.aggregate(n=table.count()))["n"] for table in moved):
        return _Read(None, read.checks, is_held and not is_settled(dataset, latest, read.checks))
    return _Read(Candidate(rows, VersionNumber(latest.version + 1), changed, bad), read.checks, is_held)


def plan_samples(
    session: Session, sync: Sync, planned: Planned | Settled, drafts: Storage, limit: int
) -> tuple[Sample, ...]:
    """The first records of each kind of change, masked where a column is more than internal."""
    if isinstance(planned, Settled) or planned.segment is None or not limit:
        return ()
    rows = session.fetch(sample_rows(session.table(drafts.local(planned.segment)), limit))
    return sampled(rows, shown_fields(sync), show_id=is_id_shown(sync.mapping))


def shown_fields(sync: Sync) -> Mapping[str, bool]:
    """Per destination field, whether its value may be shown."""
    return {f.target: may_show(f.classification) for f in sync.mapping.fields}


def _preview(
    sync: Sync,
    planned: Planned | Settled,
    is_candidate: bool,  # noqa: FBT001  # a fact about the read, handed through
    checks: tuple[CheckResult, ...],
    samples: tuple[Sample, ...],
) -> PlanPreview:
    counts = plan_counts(planned)
    if isinstance(planned, Settled):
        return PlanPreview(sync.id, sync.dataset.id, planned.version, is_candidate, counts, checks, (), False)
    every = (*checks, *planned.checks)
    return PlanPreview(
        sync.id, sync.dataset.id, planned.version, is_candidate, counts, every, samples, planned.is_blocked
    )


def plan_counts(planned: Planned | Settled) -> PlanCounts:
    """A plan by its numbers."""
    if isinstance(planned, Settled):
        return PlanCounts(unchanged=planned.left.held, reason="the destination holds what the source says")
    return PlanCounts(
        id=planned.plan,
        digest=planned.digest,
        inserts=planned.inserts,
        updates=planned.updates,
        deletes=planned.deletes,
        unchanged=planned.unchanged,
        withheld=planned.withheld,
        quarantined=planned.quarantined,
        comparison="full" if isinstance(planned.comparison, Full) else "incremental",
        reason=planned.comparison.reason,
    )
