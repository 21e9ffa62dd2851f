"""Decisions of people on held plans: bound to a digest, so that another plan is never allowed by them."""

from __future__ import annotations

from engine.core.events import PlanApproved, PlanRejected
from engine.core.names import Digest, RunId, SyncId, run_stream
from engine.core.outcome import RunStatus
from engine.errors import ConfigurationError
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.steps.anchors import check_anchors
from engine.steps.facts import Tools

RUNS_LOOKED_AT_MAX = 200
"""Runs of a sync, newest first, among which an approval is looked for; a plan held longer ago needs a new one."""


def is_approved(tools: Tools, sync: SyncId, digest: Digest) -> bool:
    """Whether the newest decision on a plan with this digest allows it."""
    held = [row.run for row in runs.listing(tools.database, sync, RUNS_LOOKED_AT_MAX) if row.digest == digest]
    decisions = [
        recorded
        for run in held
        for recorded in tools.ledger.read(run_stream(run))
        if isinstance(recorded.event, PlanApproved | PlanRejected) and recorded.event.digest == digest
    ]
    newest = max(decisions, key=lambda recorded: recorded.sequence, default=None)
    return newest is not None and isinstance(newest.event, PlanApproved)


def approve(tools: Tools, run: RunId, comment: str) -> RunRow:
    """Allow the plan that ``run`` was held for.

    Raises `ConfigurationError` when it holds none and `LedgerRegressed` when the ledger may not say so.
    """
    held = _held(tools, run)
    assert held.digest is not None, "a held run has a plan"
    tools.ledger.append(run_stream(run), PlanApproved(run=run, digest=held.digest, comment=comment))
    return held


def reject(tools: Tools, run: RunId, comment: str) -> RunRow:
    """Refuse the plan that ``run`` was held for; raises as `approve`."""
    held = _held(tools, run)
    assert held.digest is not None, "a held run has a plan"
    tools.ledger.append(run_stream(run), PlanRejected(run=run, digest=held.digest, comment=comment))
    return held


def _is_waiting(tools: Tools, row: RunRow) -> bool:
    """Whether the sync still waits for a decision on that plan: its newest run was held for the same one."""
    newest = runs.last(tools.database, row.sync)
    held = RunStatus.HELD.value
    return newest is not None and (row.status, newest.status) == (held, held) and row.digest == newest.digest


def _held(tools: Tools, run: RunId) -> RunRow:
    check_anchors(tools)
    row = runs.get(tools.database, run)
    if row is None or not _is_waiting(tools, row):
        raise ConfigurationError(
            f"There is no run {run} that waits for a decision",
            safe="Nothing was changed.",
            next="`tidegate status` names runs that are held",
        )
    return row
