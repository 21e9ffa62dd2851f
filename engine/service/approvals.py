"""Approve or reject what a run was held for, a plan or a version, and list the plans that wait for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from engine.core.approval import Approved, Rejected, Standing, Undecided, standing
from engine.core.names import CandidateId, RunId
from engine.core.outcome import RunStatus
from engine.ledger.projections import runs
from engine.service.app import App
from engine.service.held_versions import VersionDecisionReport, approve_candidate, reject_candidate
from engine.service.resolve import approval_rules
from engine.steps.approval import approve, question, reject


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What was decided on which plan; ``next`` is what to type now."""

    run: str
    sync: str
    digest: str
    decision: str
    next: str


@dataclass(frozen=True, slots=True)
class HeldReport:
    """A plan that a sync is held for; ``decision`` is ``open``, ``approved`` or ``rejected``.

    ``asked_by`` started the first run that made it, at ``asked_at``. ``by`` decided, ``until`` is when an approval
    expires; ``note`` says why the newest approval does not count.
    """

    sync: str
    run: str
    digest: str
    inserts: int
    updates: int
    deletes: int
    reason: str
    asked_by: str
    asked_at: str
    decision: str
    by: str
    until: str
    note: str
    next: str


def approve_held(app: App, name: str, *, comment: str) -> DecisionReport | VersionDecisionReport:
    """Let the next run send exactly the plan that the run ``name`` was held for, or accept the version that it was.

    A version may also be named itself, as `tidegate approvals` does. Anything that changes either needs a new approval.
    """
    if (candidate := _candidate(app, name)) is not None:
        return approve_candidate(app, candidate, comment=comment)
    run = RunId(name)
    row = approve(app.tools, run, comment, approval_rules(app.project))
    return DecisionReport(run, row.sync, row.digest or "", "approved", f"tidegate run {row.sync}")


def reject_held(app: App, name: str, *, comment: str) -> DecisionReport | VersionDecisionReport:
    """Keep the plan from being sent, or drop the version.

    The next run plans again and is held again if the gate says so; a version that is read again is blocked.
    """
    if (candidate := _candidate(app, name)) is not None:
        return reject_candidate(app, candidate, comment=comment)
    run = RunId(name)
    row = reject(app.tools, run, comment, approval_rules(app.project))
    return DecisionReport(run, row.sync, row.digest or "", "rejected", f"tidegate plan {row.sync}")


def _candidate(app: App, name: str) -> CandidateId | None:
    """The version that is meant: named itself, or by a run that was held for it."""
    if "/" in name:
        return CandidateId(name)
    row = runs.get(app.tools.database, RunId(name))
    return None if row is None else row.candidate


def held_plans(app: App) -> list[HeldReport]:
    """The plan of each sync whose newest run was held for one that a run can still make."""
    return [held for name in app.sync_names if (held := held_plan(app, name)) is not None]


def held_plan(app: App, name: str) -> HeldReport | None:
    """The plan of one sync that `held_plans` would list."""
    tools, row = app.tools, runs.last(app.tools.database, app.syncs[name].id)
    if row is None or row.status != RunStatus.HELD.value or row.digest is None:
        return None
    asked = question(tools, row.sync, row.digest)
    if asked is None:
        return None
    come_to = standing(asked.decisions, asked.asked_by, approval_rules(app.project), tools.clock.now())
    decision, by, until, note = _told(come_to)
    return HeldReport(
        sync=row.sync,
        run=row.run,
        digest=row.digest,
        inserts=row.inserts,
        updates=row.updates,
        deletes=row.deletes,
        reason=row.reason,
        asked_by=asked.asked_by,
        asked_at=asked.since.isoformat(),
        decision=decision,
        by=by,
        until=until,
        note=note,
        next=f"tidegate run {row.sync}" if decision == "approved" else f"tidegate approve {row.run}",
    )


def _told(come_to: Standing) -> tuple[str, str, str, str]:
    match come_to:
        case Approved(by, until):
            return "approved", by, until.isoformat(), ""
        case Rejected(by):
            return "rejected", by, "", ""
        case Undecided(why):
            return "open", "", "", why
        case _:
            assert_never(come_to)
