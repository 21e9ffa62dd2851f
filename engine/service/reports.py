"""What use cases return: plain values that a face prints as a table or as JSON, with PROJECT.md's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.compare import ADOPTION
from engine.core.outcome import RunStatus
from engine.ledger.projections.runs import RunRow


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Records by effect."""

    inserts: int = 0
    updates: int = 0
    deletes: int = 0

    @property
    def total(self) -> int:
        return self.inserts + self.updates + self.deletes


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """A plan by its numbers; ``id`` and ``digest`` are empty when no plan was computed."""

    id: str = ""
    digest: str = ""
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    unchanged: int = 0
    withheld: int = 0
    comparison: str = ""
    reason: str = ""
    quarantined: int = 0
    """Of those ``withheld``, rows that a rule of the contract sets aside."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """One trip through the pipeline; the keys are PROJECT.md's ``run --json``.

    ``withheld`` counts planned records whose consent ended before they left. ``paused_by`` is the person who paused the sync,
    and empty when a run is ``paused`` because of its destination's account. ``resumed`` is the id of an interrupted run that was finished first, or empty.
    """

    sync: str
    dataset: str
    version: int | None
    run: str
    status: RunStatus
    reason: str
    plan: PlanCounts
    delivered: ChangeCounts
    rejected: int
    failed: int
    unknown: int
    withheld: int
    requests: int
    bytes_sent: int
    seconds: Mapping[str, float]
    resumed: str = ""
    next: str = ""
    notice: str = ""
    """That a person ends the contract of its dataset, when, and what takes its place."""
    paused_by: str = ""


STEPS = ("capture", "gate", "plan", "deliver")


def run_report(row: RunRow, resumed: str = "") -> RunReport:
    """A run as the ledger tells it."""
    seconds = {step: round(row.seconds.get(step, 0.0), 3) for step in (*STEPS, "fold")}
    return RunReport(
        sync=row.sync,
        dataset=row.dataset,
        version=row.version,
        run=row.run,
        status=RunStatus(row.status),
        reason=row.reason or "",
        plan=_plan(row),
        delivered=ChangeCounts(row.delivered_inserts, row.delivered_updates, row.delivered_deletes),
        rejected=row.rejected,
        failed=row.failed,
        unknown=row.unknown,
        withheld=row.withheld_late,
        requests=row.requests,
        bytes_sent=row.bytes_sent,
        seconds={"total": round(sum(row.seconds.values()), 3), **seconds},
        resumed=resumed,
        next=_next(RunStatus(row.status), row),
    )


def merged(finished: RunReport, resumed: RunReport) -> RunReport:
    """One report for a command that finished an interrupted run and found nothing more to do."""
    return resumed if finished.status is RunStatus.UNCHANGED else finished


def _plan(row: RunRow) -> PlanCounts:
    if row.plan is None:
        return PlanCounts(unchanged=row.unchanged)
    return PlanCounts(
        id=row.plan,
        digest=row.digest or "",
        inserts=row.inserts,
        updates=row.updates,
        deletes=row.deletes,
        unchanged=row.unchanged,
        withheld=row.withheld,
        quarantined=row.quarantined,
        comparison=row.comparison or "",
        reason=row.plan_reason or "",
    )


def _next(status: RunStatus, row: RunRow) -> str:
    match status:
        case RunStatus.PARTIAL:
            return f"tidegate quarantine list {row.sync}" if row.rejected else f"tidegate runs {row.sync}"
        case RunStatus.HELD:
            act = f"resync {row.sync} --adopt --yes" if row.comparison == ADOPTION else f"run {row.sync}"
            return f"tidegate approve {row.run}, then tidegate {act}"
        case RunStatus.BLOCKED:
            return "mend the source or the contract, then run again; the version before stays current"
        case RunStatus.FAILED:
            return f"tidegate destination check, then tidegate run {row.sync}"
        case _:
            return ""
