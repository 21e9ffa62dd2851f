"""Approve or reject the plan that a run was held for."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.names import RunId
from engine.service.app import App
from engine.steps.approval import approve, reject


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What was decided on which plan; ``next`` is what to type now."""

    run: str
    sync: str
    digest: str
    decision: str
    next: str


def approve_run(app: App, run: str, *, comment: str) -> DecisionReport:
    """Let the next run send exactly this plan; anything that changes it needs a new approval."""
    row = approve(app.tools, RunId(run), comment)
    return DecisionReport(run, row.sync, row.digest or "", "approved", f"tidegate run {row.sync}")


def reject_run(app: App, run: str, *, comment: str) -> DecisionReport:
    """Keep the plan from being sent; the next run plans again and is held again if the gate says so."""
    row = reject(app.tools, RunId(run), comment)
    return DecisionReport(run, row.sync, row.digest or "", "rejected", f"tidegate plan {row.sync}")
