"""Run syncs: one after the other, each reported, none stopping the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.core.kept_runs import SLACK
from engine.core.outcome import RunStatus
from engine.delivery.pacer import WAIT_SECONDS_MAX
from engine.delivery.stop import StopRequest
from engine.errors import Busy, Interrupted, TidegateError
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.service.app import App
from engine.service.captures import SharedReads
from engine.service.deprecations import notice
from engine.service.erasure import finish_open
from engine.service.reports import STEPS, ChangeCounts, PlanCounts, RunReport, merged, run_report
from engine.service.retention import drop_old, drop_sent
from engine.steps.capture import Captured
from engine.steps.deliver import account_budget
from engine.steps.facts import Sync
from engine.steps.halt import Paused, pause_of
from engine.steps.run import run
from engine.steps.trip import Made, as_planned


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: ``done`` of ``total`` records of a step; ``total`` 0 means unknown."""

    sync: str
    step: str
    done: int
    total: int


Observe = Callable[[Progress], None]


def run_syncs(app: App, names: Sequence[str], stop: StopRequest, observe: Observe | None = None) -> list[RunReport]:
    """Run each sync; a failure becomes its report and the next sync still runs.

    Raises `ConfigurationError` for an unknown name before anything starts, and `Interrupted` when the operator asked
    to stop.
    """
    syncs = [app.sync(name) for name in names]
    reads = SharedReads(app.tools)
    reports = [
        replace(
            _run(app, sync, reads.of_sync(sync.dataset, sync.registers), stop, observe or _unobserved),
            notice=notice(app.tools, sync.dataset.id),
        )
        for sync in syncs
    ]
    drop_old(app, reads.accepted)
    drop_sent(app, names, slack=SLACK)
    finish_open(app, stop)
    return reports


def run_as_captured(
    app: App, name: str, stop: StopRequest, observe: Observe | None = None, made: Made = as_planned
) -> RunReport:
    """Run one sync from versions that were accepted before; only consent is read anew."""
    sync = app.sync(name)
    reads = SharedReads(app.tools)
    return _run(app, sync, reads.of_registers(sync.dataset, sync.registers), stop, observe or _unobserved, made)


def _run(
    app: App, sync: Sync, capture: Callable[[], Captured], stop: StopRequest, observe: Observe, made: Made = as_planned
) -> RunReport:
    def report(step: str, done: int, total: int) -> None:
        observe(Progress(sync.id, step, done, total))

    if (kept := _at_rest(app, sync)) is not None:
        return kept
    try:
        ended = run(app.tools, sync, capture, stop, report, made)
    except Interrupted:
        raise
    except Busy as error:
        return without_run(sync, RunStatus.BUSY, str(error))
    except TidegateError as error:
        last = runs.last(app.tools.database, sync.id)
        if last is not None and last.status == RunStatus.FAILED.value and last.reason == error.what:
            return _explained(run_report(last), error)
        return _explained(without_run(sync, RunStatus.FAILED, error.what), error)
    return _ended(sync, ended)


def _ended(sync: Sync, ended: tuple[RunRow, RunRow | None] | Paused) -> RunReport:
    if isinstance(ended, Paused):
        return _paused(sync, ended)
    row, resumed = ended
    if resumed is None:
        return run_report(row)
    return merged(run_report(row, resumed.run), run_report(resumed, resumed.run))


def _at_rest(app: App, sync: Sync) -> RunReport | None:
    """The report of a sync that a person paused or whose account wants no calls; None when it may run."""
    if (pause := pause_of(app.tools, sync.id)) is not None:
        return _paused(sync, Paused(pause, runs.unfinished(app.tools.database, sync.id)))
    silence = "" if sync.target.record_only else account_budget(app.tools, sync).silence(WAIT_SECONDS_MAX)
    return without_run(sync, RunStatus.PAUSED, f"{sync.target.name} {silence}") if silence else None


def _paused(sync: Sync, ended: Paused) -> RunReport:
    """What is told of a paused sync: the run that waits for it to be resumed, as far as it came, or none."""
    report = without_run(sync, RunStatus.PAUSED, "") if ended.run is None else run_report(ended.run)
    waits = "" if ended.run is None else f"; run {ended.run.run} goes on when it is resumed"
    return replace(
        report,
        status=RunStatus.PAUSED,
        reason=f"{ended.pause}{waits}",
        next=f"tidegate resume {sync.id}",
        paused_by=ended.pause.by,
    )


def _unobserved(progress: Progress) -> None:
    del progress


def _explained(report: RunReport, error: TidegateError) -> RunReport:
    """The report with all that the error says, so that nothing is lost by not raising it."""
    fields = {name: getattr(report, name) for name in RunReport.__dataclass_fields__}
    return RunReport(**{**fields, "reason": str(error), "next": error.next or report.next})


def without_run(sync: Sync, status: RunStatus, reason: str) -> RunReport:
    """The report of a run that never started."""
    return RunReport(
        sync=sync.id,
        dataset=sync.dataset.id,
        version=None,
        run="",
        status=status,
        reason=reason,
        plan=PlanCounts(),
        delivered=ChangeCounts(),
        rejected=0,
        failed=0,
        unknown=0,
        withheld=0,
        requests=0,
        bytes_sent=0,
        seconds=dict.fromkeys(("total", *STEPS, "fold"), 0.0),
    )
