"""The order of the steps for one sync, under its lease: finish what a crash left, capture, plan, deliver, fold.

This is the only file that knows the order. Each branch ends in one `RunFinished`; a run without one is resumed by the
next, from the facts in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from engine.core.compare import ADOPTION
from engine.core.events import PlanMade, RunResumed
from engine.core.names import RunId, run_stream
from engine.core.outcome import RunStatus, run_status
from engine.core.verdict import reasons, stopping
from engine.delivery.executor import StopSignal
from engine.errors import Interrupted, LedgerConflict, SourceError, StorageError
from engine.failpoints import failpoint
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states, windows
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import Session
from engine.steps.adopt import finish_adopted
from engine.steps.aim import pinned_version
from engine.steps.anchors import check_anchors, drop_anchor, sync_anchor
from engine.steps.capture import Blocked, Captured, Held
from engine.steps.delivery_log import jobs_left
from engine.steps.erase_run import remove_people
from engine.steps.facts import Sync, Tools
from engine.steps.halt import Halts, Paused, Stopping, is_paused
from engine.steps.owed_removals import remove_owed
from engine.steps.plan import Planned, Settled, plan
from engine.steps.send import buckets, but_for, run_row, send
from engine.steps.sync_lease import sync_lease
from engine.steps.trip import Made, Observe, Refusal, Trip, as_planned, new_run

INTERRUPTED_EARLY = "interrupted before a plan was made; nothing was sent"


def run(
    tools: Tools,
    sync: Sync,
    capture: Callable[[], Captured],
    stop: StopSignal,
    observe: Observe,
    made: Made = as_planned,
) -> tuple[RunRow, RunRow | None] | Paused:
    """Bring the destination to what the source says now, unless the sync is paused, or is while this goes on.

    Returns the run, and the earlier run that was resumed and finished first, if there was one. ``capture`` reads the
    dataset (or returns what another sync's run just read), ``made`` gives the plan as it is acted on. Raises `Busy` when
    another process holds the sync, `StaleEpoch` when its lease was lost meanwhile, `Interrupted` when ``stop`` ended it before its end,
    `LedgerRegressed` before anything when the ledger went back in time, and whatever a step raises after the run's end
    was recorded.
    """
    check_anchors(tools)
    halts = Halts(tools, sync.id)
    with sync_lease(tools, sync.id, halts.look) as lease:
        halts.look()
        if (pause := halts.pause()) is None:
            try:
                return _run(tools, sync, capture, lease.fence, Stopping(stop, lease, halts), observe, made)
            except (Interrupted, LedgerConflict) as error:
                if lease.lost:
                    raise lease.ended() from error
                pause = halts.pause() if isinstance(error, Interrupted) and not stop.is_set() else None
                if pause is None:
                    raise
        return Paused(pause, runs.unfinished(tools.database, sync.id))


def remove(tools: Tools, sync: Sync, stop: StopSignal, observe: Observe) -> RunId | None:
    """Only finish what a crash left, and have everybody removed who is to be forgotten.

    Raises as `run` does, and `ConfigurationError` where the sync is paused.
    """
    check_anchors(tools)
    halts = Halts(tools, sync.id)
    with sync_lease(tools, sync.id, halts.look) as lease:
        halts.look()
        ending = Stopping(stop, lease, halts)
        if (pause := halts.pause()) is None:
            try:
                _resume(tools, sync, lease.fence, ending, observe)
                return remove_people(tools, sync, lease.fence, ending, observe, send)
            except Interrupted:
                pause = None if stop.is_set() else halts.pause()
                if pause is None:
                    raise
        raise is_paused(sync.id, pause)


def end_cancelled(tools: Tools, sync: Sync, stop: StopSignal, observe: Observe) -> RunRow | None:
    """End a run that was cancelled and that nobody delivers, with nothing sent; None when it has to be left to the next run.

    That asks a destination about the jobs that it was given. Raises `Busy` while somebody delivers it.
    """
    check_anchors(tools)
    halts = Halts(tools, sync.id)
    with sync_lease(tools, sync.id, halts.look) as lease:
        halts.look()
        left, given_up = runs.unfinished(tools.database, sync.id), halts.cancellation()
        if left is None or given_up is None or left.run != given_up.run or _has_jobs(tools, left.run):
            return None
        _resume(tools, sync, lease.fence, Stopping(stop, lease, halts), observe)
        return run_row(tools, left.run)


def _has_jobs(tools: Tools, run: RunId) -> bool:
    window = windows.open_window(tools.database, run)
    return window is not None and bool(jobs_left(tools, run, window.position))


def _run(
    tools: Tools,
    sync: Sync,
    capture: Callable[[], Captured],
    fence: Fence,
    stop: Stopping,
    observe: Observe,
    made: Made,
) -> tuple[RunRow, RunRow | None]:
    cancelled_before = stop.halts.cancellation()
    resumed = _resume(tools, sync, fence, stop, observe)
    if resumed is not None and stop.halts.cancellation() != cancelled_before:
        # Somebody gave up what was going on here, and did not ask for anything to be begun in its stead.
        return resumed, None
    remove_people(tools, sync, fence, stop, observe, send)
    trip = Trip(tools, sync, new_run(tools), fence, observe, made=made)
    trip.begin()
    try:
        _proceed(trip, capture, stop)
    except (SourceError, StorageError) as error:
        _fail(trip, error.what, stop)
        raise
    return run_row(tools, trip.run), resumed


def _proceed(trip: Trip, capture: Callable[[], Captured], stop: Stopping) -> None:
    with trip.timed("capture"):
        captured = capture()
    trip.seconds["gate"] = captured.gate_seconds
    trip.seconds["capture"] = max(0.0, trip.seconds["capture"] - captured.gate_seconds)
    if isinstance(captured, Held | Blocked):
        refusal, version = _refusal(trip, captured), captured.version
        if captured.dataset != trip.sync.dataset.id or version is None:
            with trip.tools.compute.session() as session:
                remove_owed(trip, session, stop, None)
            trip.finish(refusal.status, refusal.reason, None, candidate=refusal.candidate)
            return
        if pinned_version(trip.tools, trip.sync.id) is None:
            trip.refusal = refusal
    # The version before stays current, and what it owes is still owed: a source that is broken, or waits for a person,
    # keeps nobody who took consent back at the destination.
    with trip.tools.compute.session() as session:
        _plan_and_deliver(trip, session, stop)


def _fail(trip: Trip, what: str, stop: Stopping) -> None:
    """End a run that cannot go on, once what is owed to people has left."""
    if _plan_of(trip.tools, trip.run) is None:
        try:
            with trip.tools.compute.session() as session:
                remove_owed(trip, session, stop, None)
        except (SourceError, StorageError):
            # What keeps the run from going on may keep this from being known; then it is owed.
            if windows.last(trip.tools.database, trip.run) is not None:
                raise
    # Once a window was intended, only a resumed run can fold what its receipts say.
    if windows.last(trip.tools.database, trip.run) is None:
        trip.finish(RunStatus.FAILED, what, None)


def _refusal(trip: Trip, captured: Held | Blocked) -> Refusal:
    is_register = captured.dataset != trip.sync.dataset.id
    why = reasons(stopping(captured.checks))
    match captured:
        case Blocked(dataset):
            what = f"the consent register {dataset} is not usable: {why}" if is_register else why
            return Refusal(RunStatus.BLOCKED, what, None)
        case Held(dataset, candidate):
            what = f"version {candidate} waits for approval: {why}"
            what = f"of the consent register {dataset}, {what}" if is_register else what
            return Refusal(RunStatus.HELD, what, candidate)
        case _:
            assert_never(captured)


def _plan_and_deliver(trip: Trip, session: Session, stop: Stopping) -> None:
    tools, sync = trip.tools, trip.sync
    with trip.timed("plan"):
        planned = plan(tools, session, sync, drafts=tools.storage)
        if remove_owed(trip, session, stop, planned):
            planned = plan(tools, session, sync, drafts=tools.storage)
    match planned:
        case Settled(version, left):
            why = "the destination holds what the source says"
            trip.finish(RunStatus.UNCHANGED, why + but_for(trip, left), version, left)
        case Planned():
            event = trip.made(planned.event(trip.run, sync))
            failpoint("plan.before_commit")
            trip.append(event)
            failpoint("plan.after_commit")
            send(trip, session, event, stop)
        case _:
            assert_never(planned)


def _resume(tools: Tools, sync: Sync, fence: Fence, stop: Stopping, observe: Observe) -> RunRow | None:
    """Bring a run that a crash or a signal left unfinished to its end; nothing when there is none."""
    left = runs.unfinished(tools.database, sync.id)
    if left is None:
        return None
    trip = Trip(tools, sync, left.run, fence, observe)
    planned = _plan_of(tools, left.run)
    trip.append(RunResumed(run=left.run, sync=sync.id, window=0))
    # A window without a receipt is sent again under the intent that stands, which may have no anchor yet.
    drop_anchor(tools, sync_anchor(sync.id), run_stream(left.run))
    if planned is None:
        cancelled = stop.cancelled(left.run)
        trip.finish(RunStatus.CANCELLED if cancelled else RunStatus.FAILED, cancelled or INTERRUPTED_EARLY, None)
        return None
    with tools.compute.session() as session:
        if _is_folded(tools, sync, left.run):
            _finish_folded(trip, planned)
        else:
            send(trip, session, planned, stop)
    return run_row(tools, left.run)


def _finish_folded(trip: Trip, planned: PlanMade) -> None:
    """The state was folded and only the end is missing."""
    if planned.segment is None:
        trip.finish(RunStatus.UNCHANGED, "nothing to send: no mapped field changed", planned.version)
        return
    if planned.comparison == ADOPTION:
        finish_adopted(trip, planned)
        return
    status, reason = run_status(buckets(run_row(trip.tools, trip.run), planned.segment), None)
    trip.finish(status, reason, planned.version)


def _is_folded(tools: Tools, sync: Sync, run: RunId) -> bool:
    state = states.current(tools.database, sync.id)
    return state is not None and state.run == run


def _plan_of(tools: Tools, run: RunId) -> PlanMade | None:
    for recorded in tools.ledger.read(run_stream(run)):
        if isinstance(recorded.event, PlanMade):
            return recorded.event
    return None
