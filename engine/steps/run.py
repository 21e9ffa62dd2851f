"""The order of the steps for one sync, under its lease: finish what a crash left, capture, plan, deliver, fold.

This is the only file that knows the order. Each branch ends in one `RunFinished`; a run without one is resumed by the
next, from the facts in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from engine.core.compare import ADOPTION, KEPT_ROWS, REMOVALS
from engine.core.events import PlanMade, RunResumed, RunStarted
from engine.core.names import RunId, SegmentRef, run_id, run_stream
from engine.core.outcome import Buckets, RunStatus, run_status
from engine.core.verdict import Verdict, reasons, stopping, worst
from engine.delivery.executor import Completed, End, Halted, Stopped, StopSignal
from engine.errors import Interrupted, LedgerConflict, SourceError, StorageError
from engine.failpoints import failpoint
from engine.ledger.lease import HeldLease
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states, windows
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import Session
from engine.steps.adopt import adopt, finish_adopted
from engine.steps.aim import pinned_version, superseded
from engine.steps.anchors import check_anchors, drop_anchor, sync_anchor
from engine.steps.approval import why_held
from engine.steps.capture import Blocked, Captured, Held
from engine.steps.deliver import Paused, Superseded, deliver
from engine.steps.delivery_log import Work
from engine.steps.erase_run import remove_people
from engine.steps.facts import Sync, Tools
from engine.steps.fold import Settlement, fold, settle
from engine.steps.last_mile import Counted
from engine.steps.plan import Planned, Settled, plan
from engine.steps.record import record
from engine.steps.sync_lease import sync_lease
from engine.steps.trip import Made, Observe, Refusal, Trip, as_planned
from engine.steps.untouched import Untouched, untouched

INTERRUPTED_EARLY = "interrupted before a plan was made; nothing was sent"


def run(
    tools: Tools,
    sync: Sync,
    capture: Callable[[], Captured],
    stop: StopSignal,
    observe: Observe,
    made: Made = as_planned,
) -> tuple[RunRow, RunRow | None]:
    """Bring the destination to what the source says now.

    Returns the run, and the earlier run that was resumed and finished first, if there was one. ``capture`` reads the
    dataset (or returns what another sync's run just read), ``made`` gives the plan as it is acted on. Raises `Busy` when
    another process holds the sync, `StaleEpoch` when its lease was lost meanwhile, `Interrupted` when ``stop`` ended it before its end,
    `LedgerRegressed` before anything when the ledger went back in time, and whatever a step raises after the run's end
    was recorded.
    """
    check_anchors(tools)
    with sync_lease(tools, sync.id) as lease:
        try:
            return _run(tools, sync, capture, lease, stop, observe, made)
        except (Interrupted, LedgerConflict) as error:
            if lease.lost:
                raise lease.ended() from error
            raise


def remove(tools: Tools, sync: Sync, stop: StopSignal, observe: Observe) -> RunId | None:
    """Only finish what a crash left, and have everybody removed who is to be forgotten; raises as `run` does."""
    check_anchors(tools)
    with sync_lease(tools, sync.id) as lease:
        stopping = _AnyStop(stop, lease)
        _resume(tools, sync, lease.fence, stopping, observe)
        return remove_people(tools, sync, lease.fence, stopping, observe, _send)


def _run(
    tools: Tools,
    sync: Sync,
    capture: Callable[[], Captured],
    lease: HeldLease,
    stop: StopSignal,
    observe: Observe,
    made: Made,
) -> tuple[RunRow, RunRow | None]:
    stopping = _AnyStop(stop, lease)
    resumed = _resume(tools, sync, lease.fence, stopping, observe)
    remove_people(tools, sync, lease.fence, stopping, observe, _send)
    started = tools.clock.now()
    trip = Trip(tools, sync, run_id(started, tools.entropy.token(3)), lease.fence, observe, made=made)
    trip.append(RunStarted(run=trip.run, sync=sync.id, dataset=sync.dataset.id, destination=sync.target.name))
    try:
        _proceed(trip, capture, stopping)
    except (SourceError, StorageError) as error:
        # Once a window was intended, only a resumed run can fold what its receipts say.
        if windows.last(tools.database, trip.run) is None:
            trip.finish(RunStatus.FAILED, error.what, None)
        raise
    return _row(tools, trip.run), resumed


def _proceed(trip: Trip, capture: Callable[[], Captured], stop: StopSignal) -> None:
    with trip.timed("capture"):
        captured = capture()
    trip.seconds["gate"] = captured.gate_seconds
    trip.seconds["capture"] = max(0.0, trip.seconds["capture"] - captured.gate_seconds)
    if isinstance(captured, Held | Blocked):
        refusal, version = _refusal(trip, captured), captured.version
        if captured.dataset != trip.sync.dataset.id or version is None:
            trip.finish(refusal.status, refusal.reason, None, candidate=refusal.candidate)
            return
        if pinned_version(trip.tools, trip.sync.id) is None:
            trip.refusal = refusal
    # The version before stays current, and what it owes is still owed: a source that is broken, or waits for a person,
    # keeps nobody who took consent back at the destination.
    with trip.tools.compute.session() as session:
        _plan_and_deliver(trip, session, stop)


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


def _plan_and_deliver(trip: Trip, session: Session, stop: StopSignal) -> None:
    tools, sync = trip.tools, trip.sync
    with trip.timed("plan"):
        planned = plan(tools, session, sync, drafts=tools.storage)
    match planned:
        case Settled(version, left):
            why = "the destination holds what the source says"
            trip.finish(RunStatus.UNCHANGED, why + _but_for(trip, left), version, left)
        case Planned():
            event = trip.made(planned.event(trip.run, sync))
            failpoint("plan.before_commit")
            trip.append(event)
            failpoint("plan.after_commit")
            _send(trip, session, event, stop)
        case _:
            assert_never(planned)


def _but_for(trip: Trip, left: Untouched) -> str:
    """What a run without changes must not hide: records that are left alone until their values change or a person decides."""
    listed = f"`tidegate quarantine list {trip.sync.id}`"
    return f"; but for {left.set_aside:,} records that are set aside: {listed}" if left.set_aside else ""


def _send(trip: Trip, session: Session, planned: PlanMade, stop: StopSignal) -> None:
    """From a plan in the ledger to the end of its run; a resumed run enters here as well."""
    if worst(planned.checks) is Verdict.BLOCK:
        trip.finish(RunStatus.BLOCKED, reasons(c for c in planned.checks if c.verdict == "block"), planned.version)
    elif planned.segment is None:
        settle(trip.tools, trip.sync, trip.run, _settlement(planned), trip.fence)
        why, left = "nothing to send: no mapped field changed", untouched(trip.tools, session, trip.sync)
        trip.finish(RunStatus.UNCHANGED, why + _but_for(trip, left), planned.version)
    elif (waits := why_held(trip.tools, trip.sync, planned)) is not None:
        trip.finish(RunStatus.HELD, waits, planned.version)
    elif planned.comparison == ADOPTION:
        adopt(trip, session, planned, planned.segment, _settlement(planned))
    elif trip.sync.target.record_only:
        where = record(trip.tools, session, trip.sync, trip.run, planned.segment)
        trip.finish(RunStatus.SUCCEEDED, f"recorded and not sent (deliver: record): {where}", planned.version)
    else:
        _deliver(trip, session, planned, planned.segment, stop)


def _deliver(trip: Trip, session: Session, planned: PlanMade, segment: SegmentRef, stop: StopSignal) -> None:
    def sent(rows: int) -> None:
        trip.observe("deliver", rows, segment.rows)

    asked = {name: number for name, number in planned.registers.items() if name != KEPT_ROWS}
    counted = Counted(asked, planned.consent_until, planned.version)
    job_seconds = trip.sync.target.jobs.deadline_seconds
    given_up = superseded(trip.tools, trip.sync, planned)
    work = Work(trip.run, planned.plan, planned.digest, segment, trip.fence, sent, job_seconds, counted, given_up)
    with trip.timed("deliver"):
        end = deliver(trip.tools, session, trip.sync, work, stop)
    if isinstance(end, Halted):
        raise Interrupted(
            f"Run {trip.run} of {trip.sync.id} was stopped before its end",
            safe="Everything acknowledged is recorded; nothing undelivered is forgotten.",
            next=f"`tidegate run {trip.sync.id}` resumes it",
        )
    with trip.timed("fold"):
        fold(trip.tools, session, trip.sync, trip.run, segment, _settlement(planned), trip.fence)
    early = _EARLY.get(type(end), RunStatus.FAILED)
    status, reason = run_status(_buckets(_row(trip.tools, trip.run), segment), _why(end), early)
    trip.finish(status, reason, planned.version)


_EARLY = {Paused: RunStatus.PAUSED, Superseded: RunStatus.CANCELLED}
"""How a run ends that did not send all of its plan, where it did not fail."""


def _why(end: End | Paused | Superseded) -> str | None:
    match end:
        case Stopped(code, message):
            return f"{message} ({code})"
        case Paused(why) | Superseded(why):
            return why
        case Completed() | Halted():
            return None
        case _:
            assert_never(end)


def _resume(tools: Tools, sync: Sync, fence: Fence, stop: StopSignal, observe: Observe) -> RunRow | None:
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
        trip.finish(RunStatus.FAILED, INTERRUPTED_EARLY, None)
        return None
    with tools.compute.session() as session:
        if _is_folded(tools, sync, left.run):
            _finish_folded(trip, planned)
        else:
            _send(trip, session, planned, stop)
    return _row(tools, left.run)


def _finish_folded(trip: Trip, planned: PlanMade) -> None:
    """The state was folded and only the end is missing."""
    if planned.segment is None:
        trip.finish(RunStatus.UNCHANGED, "nothing to send: no mapped field changed", planned.version)
        return
    if planned.comparison == ADOPTION:
        finish_adopted(trip, planned)
        return
    status, reason = run_status(_buckets(_row(trip.tools, trip.run), planned.segment), None)
    trip.finish(status, reason, planned.version)


def _is_folded(tools: Tools, sync: Sync, run: RunId) -> bool:
    state = states.current(tools.database, sync.id)
    return state is not None and state.run == run


def _plan_of(tools: Tools, run: RunId) -> PlanMade | None:
    for recorded in tools.ledger.read(run_stream(run)):
        if isinstance(recorded.event, PlanMade):
            return recorded.event
    return None


def _settlement(planned: PlanMade) -> Settlement:
    registers, partial = dict(planned.registers), planned.comparison == REMOVALS
    return Settlement(planned.version, planned.mapping, planned.place, registers, planned.consent_until, partial)


def _buckets(row: RunRow, segment: SegmentRef) -> Buckets:
    delivered = row.delivered_inserts + row.delivered_updates + row.delivered_deletes
    return Buckets(segment.rows, delivered, row.rejected, row.failed, row.unknown, row.withheld_late)


def _row(tools: Tools, run: RunId) -> RunRow:
    row = runs.get(tools.database, run)
    assert row is not None, "its start stands in the ledger"
    return row


class _AnyStop:
    """The operator's signal or the loss of the lease, whichever comes first."""

    def __init__(self, stop: StopSignal, lease: HeldLease) -> None:
        self._stop = stop
        self._lease = lease

    def is_set(self) -> bool:
        return self._stop.is_set() or self._lease.lost

    def at_once(self) -> bool:
        return self._stop.at_once() or self._lease.lost
