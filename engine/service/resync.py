"""Redo: send a sync's records again, all or some of them, or record them as delivered without sending."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from engine.core.compare import ADOPTION
from engine.core.effort import effort
from engine.core.events import CheckResult
from engine.core.outcome import RunStatus
from engine.core.verdict import Verdict, worst
from engine.delivery.pacer import RECORDS, REQUESTS
from engine.delivery.stop import StopRequest
from engine.errors import Busy, ConfigurationError
from engine.ledger.projections import runs
from engine.owner_only import make_folder
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.drift import DriftReport, drift_report, refuse_unreadable
from engine.service.plans import plan_counts, plan_samples
from engine.service.reports import PlanCounts, RunReport
from engine.service.runs import Observe, run_as_captured, without_run
from engine.service.samples import Sample
from engine.steps.adopt import adoption, refuse_rehearsal
from engine.steps.aim import pinned_version, wanted_version
from engine.steps.anchors import check_anchors
from engine.steps.facts import Sync
from engine.steps.halt import refuse_paused
from engine.steps.plan import Planned, plan
from engine.steps.reconcile import Reconcile
from engine.steps.resync import Wanted, begin, imagined

ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class ResyncPreview:
    """What a resync of ``scope`` would send, or record (``adopt``); nothing was changed.

    Of the records that are marked ``again``, ``orphans`` were removed before, or left the delivered state otherwise. The
    plan also holds what a run would send anyway. ``calls`` and ``seconds`` are the least that it takes (0 seconds: no pace
    is declared). ``drift`` is what the destination was found to hold, where it was read back.
    """

    sync: str
    dataset: str
    version: int
    scope: str
    again: int
    orphans: int
    plan: PlanCounts
    checks: tuple[CheckResult, ...]
    samples: tuple[Sample, ...]
    calls: int
    seconds: float
    blocked: bool
    held: bool
    drift: DriftReport | None = None


def preview_resync(app: App, name: str, wanted: Wanted, *, samples: int = 3) -> ResyncPreview:
    """What `resync` would send, from the version as it was captured and under today's consent; raises as it does."""
    sync = _with_version(app, name)
    if isinstance(wanted, Reconcile):
        refuse_unreadable(sync)
        wanted = replace(wanted, examples=samples)
    return _preview(app, sync, wanted, samples)


def preview_adoption(app: App, name: str, *, samples: int = 3) -> ResyncPreview:
    """What `adopt_version` would record as delivered; raises as it does."""
    sync = _with_version(app, name)
    refuse_rehearsal(sync)
    return _preview(app, sync, None, samples)


def resync(
    app: App, name: str, wanted: Wanted, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Mark what is to be sent again and run the sync; the marks stand from then on, whatever becomes of the run.

    The source is not read. A run that was cut off is finished first; while it cannot be, nothing is marked.
    """
    sync = _with_version(app, name)
    refuse_paused(app.tools, sync.id)
    if isinstance(wanted, Reconcile):
        refuse_unreadable(sync)
        wanted = replace(wanted, is_stopped=stop.is_set)
    if runs.unfinished(app.tools.database, sync.id) is not None:
        report = run_as_captured(app, sync.id, stop, observe)
        if runs.unfinished(app.tools.database, sync.id) is not None:
            why = f"{report.reason}; the run before is not finished, so the resync was not begun".lstrip("; ")
            return [replace(report, reason=why)]
    try:
        begin(app.tools, sync, wanted, reason)
    except Busy as error:
        return [without_run(sync, RunStatus.BUSY, str(error))]
    return [run_as_captured(app, sync.id, stop, observe)]


def adopt_version(
    app: App, name: str, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Record the version that the sync is brought to as delivered; nothing is sent, and removals stay owed."""
    sync = _with_version(app, name)
    refuse_paused(app.tools, sync.id)
    refuse_rehearsal(sync)
    return [run_as_captured(app, sync.id, stop, observe, adoption(reason))]


def _with_version(app: App, name: str) -> Sync:
    sync = app.sync(name)
    if not wanted_version(app.tools, sync.dataset.id, pinned_version(app.tools, sync.id)):
        raise ConfigurationError(
            f"{sync.dataset.id} has no version yet",
            safe="Nothing was changed.",
            next=f"tidegate capture {sync.dataset.id.split('@')[0]}",
        )
    return sync


def _preview(app: App, sync: Sync, wanted: Wanted | None, samples: int) -> ResyncPreview:
    check_anchors(app.tools)
    make_folder(app.scratch)
    with tempfile.TemporaryDirectory(dir=app.scratch) as folder, app.tools.compute.session() as session:
        drafts = Storage(folder, scratch=Path(folder), entropy=app.tools.entropy)
        after, marks = (None, None) if wanted is None else imagined(app.tools, session, sync, wanted)
        planned = plan(app.tools, session, sync, drafts=drafts, imagined=after)
        shown = plan_samples(session, sync, planned, drafts, samples)
    counts = plan_counts(planned)
    checks = planned.checks if isinstance(planned, Planned) else ()
    target, sent = sync.target, (counts.inserts + counts.updates, counts.deletes)
    paces = {"calls_at": target.paces.get(REQUESTS), "records_at": target.paces.get(RECORDS)}
    least = effort(sent if wanted is not None else (0, 0), target.limits_for(sum(sent)).records, **paces)
    return ResyncPreview(
        sync=sync.id,
        dataset=sync.dataset.id,
        version=planned.version,
        scope=ADOPT if wanted is None else wanted.scope.value,
        again=marks.records if marks else 0,
        orphans=marks.orphans if marks else 0,
        plan=counts if wanted is not None else replace(counts, comparison=ADOPTION),
        checks=checks,
        samples=shown,
        calls=least.calls,
        seconds=round(least.seconds, 1),
        blocked=worst(checks) is Verdict.BLOCK,
        held=worst(checks) is Verdict.HOLD,
        drift=drift_report(sync, marks.drift) if marks and marks.drift else None,
    )
