"""Backfill: send what a range of versions changed, in its newest state, or bring a destination through each of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.names import VersionNumber
from engine.core.outcome import RunStatus
from engine.delivery.stop import StopRequest
from engine.errors import Busy
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.service.app import App
from engine.service.reports import RunReport
from engine.service.resync import ResyncPreview, preview_resync
from engine.service.resync import resync as send_again
from engine.service.rollback import MovePreview, preview_rollback
from engine.service.runs import Observe, run_as_captured, without_run
from engine.steps.aim import wanted_version
from engine.steps.backfill import step, steps_left
from engine.steps.facts import Sync
from engine.steps.halt import refuse_paused
from engine.steps.pin import known_good, unpin
from engine.steps.resync import Versions

_GOES_ON = {RunStatus.SUCCEEDED, RunStatus.UNCHANGED}


@dataclass(frozen=True, slots=True)
class StepReport:
    """One version of a range: how many rows it has, and what changed with it."""

    version: int
    rows: int
    inserts: int
    updates: int
    deletes: int


@dataclass(frozen=True, slots=True)
class StepsPreview:
    """A backfill through every version: its steps, and what the ``first`` of them would send; nothing was changed."""

    steps: tuple[StepReport, ...]
    first: MovePreview


def preview_newest(app: App, name: str, first: int, last: int | None, *, samples: int = 3) -> ResyncPreview:
    """What `backfill_newest` would send; raises as it does."""
    return preview_resync(app, name, _span(app, app.sync(name), first, last), samples=samples)


def backfill_newest(
    app: App, name: str, first: int, last: int | None, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Send what changed with the versions of a range again, as it is wanted now; a resync of those records."""
    return send_again(app, name, _span(app, app.sync(name), first, last), reason, stop, observe)


def preview_steps(app: App, name: str, first: int, last: int | None, *, samples: int = 3) -> StepsPreview:
    """The steps of `backfill_steps`, and what the first would send; raises as it does."""
    sync = app.sync(name)
    span = _span(app, sync, first, last)
    steps = steps_left(app.tools, sync, span.first, span.last)
    rows = {row.version: row for row in versions.listing(app.tools.database, sync.dataset.id)}
    return StepsPreview(
        tuple(_step(rows[version]) for version in steps), preview_rollback(app, name, steps[0], samples=samples)
    )


def _step(row: VersionRow) -> StepReport:
    return StepReport(row.version, row.rows, row.inserts if row.changes else row.rows, row.updates, row.deletes)


def backfill_steps(
    app: App, name: str, first: int, last: int | None, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Bring the sync through every version of a range, each with a plan, gates and a run of its own; then let it go on.

    It ends at the first step that does not end well, and stays there: the same command goes on from it.
    """
    sync = app.sync(name)
    refuse_paused(app.tools, sync.id)
    span = _span(app, sync, first, last)
    reports = []
    try:
        for version in steps_left(app.tools, sync, span.first, span.last):
            step(app.tools, sync, version, span.last, reason)
            report = run_as_captured(app, sync.id, stop, observe)
            reports.append(report)
            if report.status not in _GOES_ON:
                return reports
        unpin(app.tools, sync, reason)
    except Busy as error:
        reports.append(without_run(sync, RunStatus.BUSY, str(error)))
    return reports


def _span(app: App, sync: Sync, first: int, last: int | None) -> Versions:
    """A range of good versions; without its end, up to the newest of them."""
    until = wanted_version(app.tools, sync.dataset.id, None) if last is None else last
    for end in (first, until):
        known_good(app.tools, sync.dataset, VersionNumber(end))
    return Versions(VersionNumber(first), VersionNumber(until))
