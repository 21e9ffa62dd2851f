"""Decisions of people on held plans: bound to a digest, so that another plan is never allowed by them.

The rules are applied twice: to the one who decides, and by each run to what was decided, for both may have changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, assert_never

from engine.core.approval import (
    ApprovalRules,
    Approved,
    Decision,
    Refused,
    Rejected,
    Undecided,
    judge,
    refusal,
    standing,
)
from engine.core.compare import PARTIAL
from engine.core.events import PlanApproved, PlanDecisionRefused, PlanMade, PlanRejected
from engine.core.names import Digest, RunId, SyncId, run_stream
from engine.core.outcome import RunStatus
from engine.core.verdict import Verdict, reasons
from engine.errors import ConfigurationError
from engine.ledger.holds import history
from engine.ledger.projections import runs, windows
from engine.ledger.projections.runs import RunRow
from engine.steps.anchors import check_anchors
from engine.steps.facts import Sync, Tools
from engine.steps.plan_gate import EVERY_PLAN
from engine.steps.refused_decision import may_not
from engine.steps.sync_lease import sync_lease


@dataclass(frozen=True, slots=True)
class Question:
    """A plan that people decide about: who asked first, since when, and what was decided, oldest first."""

    asked_by: str
    since: datetime
    decisions: tuple[Decision, ...]


def question(tools: Tools, sync: SyncId, digest: Digest) -> Question | None:
    """What was asked and decided about the plan with this digest; None when no run can make that plan any more."""
    told = history(tools.database, sync, digest)
    if not told:
        return None
    first = told[0]
    decisions = tuple(
        Decision(fact.actor, fact.recorded_at, isinstance(fact.event, PlanApproved))
        for fact in told
        if isinstance(fact.event, PlanApproved | PlanRejected)
    )
    return Question(first.actor, first.recorded_at, decisions)


def why_held(tools: Tools, sync: Sync, planned: PlanMade) -> str | None:
    """Why the plan must wait for people; None when nobody needs to be asked, or an approval counts under today's rules.

    Plans of nothing but removals that are owed to people wait for nobody.

    Once a window was intended, an approval that expires or is taken away comes too late: only a run that goes on to its
    end folds what was sent.
    """
    held_for = reasons(check for check in planned.checks if check.verdict == Verdict.HOLD.value)
    if not held_for and sync.require_approval and planned.comparison not in PARTIAL:
        held_for = EVERY_PLAN
    if not held_for or windows.last(tools.database, planned.run) is not None:
        return None
    asked = question(tools, sync.id, planned.digest)
    assert asked is not None, "the plan stands in the ledger"
    match _standing(tools, sync, asked):
        case Approved():
            return None
        case Rejected() | Undecided(""):
            return held_for
        case Undecided(why):
            return f"{held_for}; the newest approval does not count: {why}"
        case never:
            assert_never(never)


def is_approved(tools: Tools, sync: Sync, digest: Digest) -> bool:
    """Whether people allowed the plan with this digest, under today's rules."""
    asked = question(tools, sync.id, digest)
    return asked is not None and isinstance(_standing(tools, sync, asked), Approved)


def approve(tools: Tools, run: RunId, comment: str, rules: ApprovalRules) -> RunRow:
    """Allow the plan that ``run`` was held for.

    Raises `ConfigurationError` when it holds none or the actor may not, `Busy` while a run of the sync goes on, and
    `LedgerRegressed` when the ledger may not say so.
    """

    def decided(digest: Digest, asked: Question) -> PlanApproved | Refused:
        mine = Decision(tools.ledger.actor, tools.clock.now(), approves=True)
        judged = judge(mine, asked.asked_by, rules, mine.at)
        return judged if isinstance(judged, Refused) else PlanApproved(run=run, digest=digest, comment=comment)

    return _decide(tools, run, "approve", decided)


def reject(tools: Tools, run: RunId, comment: str, rules: ApprovalRules) -> RunRow:
    """Refuse the plan that ``run`` was held for, also one's own; raises as `approve`."""

    def decided(digest: Digest, _asked: Question) -> PlanRejected | Refused:
        return refusal(tools.ledger.actor, rules) or PlanRejected(run=run, digest=digest, comment=comment)

    return _decide(tools, run, "reject", decided)


def _standing(tools: Tools, sync: Sync, asked: Question) -> Approved | Rejected | Undecided:
    return standing(asked.decisions, asked.asked_by, sync.approval, tools.clock.now())


def _decide(
    tools: Tools, run: RunId, word: str, decided: Callable[[Digest, Question], PlanApproved | PlanRejected | Refused]
) -> RunRow:
    check_anchors(tools)
    row = runs.get(tools.database, run)
    if row is None:
        _nothing_held(run)
    # A run may not start between the look at what is held and the decision about it.
    with sync_lease(tools, row.sync) as lease:
        asked = None
        if row.digest is not None and _is_waiting(tools, row):
            asked = question(tools, row.sync, row.digest)
        if row.digest is None or asked is None:
            _nothing_held(run)
        decision = decided(row.digest, asked)
        if isinstance(decision, Refused):
            told = PlanDecisionRefused(run=run, digest=row.digest, decision=word, why=decision.why)
            tools.ledger.append(run_stream(run), told, fence=lease.fence)
            raise may_not(tools.ledger.actor, decision)
        tools.ledger.append(run_stream(run), decision, fence=lease.fence)
    return row


def _is_waiting(tools: Tools, row: RunRow) -> bool:
    """Whether the sync still waits for a decision on that plan: its newest run was held for the same one."""
    newest = runs.last(tools.database, row.sync)
    held = RunStatus.HELD.value
    return newest is not None and (row.status, newest.status) == (held, held) and row.digest == newest.digest


def _nothing_held(run: RunId) -> NoReturn:
    raise ConfigurationError(
        f"There is no run {run} that waits for a decision",
        safe="Nothing was changed.",
        next="`tidegate approvals` lists the plans that wait for one",
    )
