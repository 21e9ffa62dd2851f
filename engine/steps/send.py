"""From a plan in the ledger to the end of its run, whether the run made it, resumed it, or removes people with it."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from engine.core.compare import ADOPTION, KEPT_ROWS, PARTIAL
from engine.core.events import PlanMade
from engine.core.names import RunId, SegmentRef
from engine.core.outcome import Buckets, RunStatus, run_status
from engine.core.verdict import Verdict, reasons, worst
from engine.delivery.executor import Completed, End, Halted, Stopped
from engine.errors import Interrupted
from engine.ledger.projections import runs, windows
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import Session
from engine.steps.adopt import adopt
from engine.steps.aim import superseded
from engine.steps.approval import why_held
from engine.steps.deliver import Paused, Superseded, deliver
from engine.steps.delivery_log import Work
from engine.steps.facts import Tools
from engine.steps.fold import Settlement, fold, settle
from engine.steps.halt import Stopping
from engine.steps.last_mile import Counted
from engine.steps.record import record
from engine.steps.trip import Trip
from engine.steps.untouched import Untouched, untouched


def but_for(trip: Trip, left: Untouched) -> str:
    """What a run without changes must not hide: records that are left alone until their values change or a person decides."""
    listed = f"`tidegate quarantine list {trip.sync.id}`"
    return f"; but for {left.set_aside:,} records that are set aside: {listed}" if left.set_aside else ""


def send(trip: Trip, session: Session, planned: PlanMade, stop: Stopping) -> None:
    """From a plan in the ledger to the end of its run; a resumed run enters here as well."""
    if worst(planned.checks) is Verdict.BLOCK:
        trip.finish(RunStatus.BLOCKED, reasons(c for c in planned.checks if c.verdict == "block"), planned.version)
    elif planned.segment is None:
        settle(trip.tools, trip.sync, trip.run, settlement(planned), trip.fence)
        why, left = "nothing to send: no mapped field changed", untouched(trip.tools, session, trip.sync)
        trip.finish(RunStatus.UNCHANGED, why + but_for(trip, left), planned.version)
    elif (why := stop.cancelled(trip.run)) and windows.last(trip.tools.database, trip.run) is None:
        trip.finish(RunStatus.CANCELLED, f"{why}; nothing was sent", planned.version)
    elif (waits := why_held(trip.tools, trip.sync, planned)) is not None:
        trip.finish(RunStatus.HELD, waits, planned.version)
    elif planned.comparison == ADOPTION:
        adopt(trip, session, planned, planned.segment, settlement(planned))
    elif trip.sync.target.record_only:
        where = record(trip.tools, session, trip.sync, trip.run, planned.segment)
        trip.finish(RunStatus.SUCCEEDED, f"recorded and not sent (deliver: record): {where}", planned.version)
    else:
        _deliver(trip, session, planned, planned.segment, stop)


def _deliver(trip: Trip, session: Session, planned: PlanMade, segment: SegmentRef, stop: Stopping) -> None:
    def sent(rows: int) -> None:
        trip.observe("deliver", rows, segment.rows)

    asked = {name: number for name, number in planned.registers.items() if name != KEPT_ROWS}
    # Whoever is to be removed is, whatever becomes of the version that their records came from.
    is_partial = planned.comparison in PARTIAL
    counted = Counted(asked, planned.consent_until, None if is_partial else planned.version)
    job_seconds = trip.sync.target.jobs.deadline_seconds
    unwanted = "" if is_partial else superseded(trip.tools, trip.sync, planned)
    given_up = stop.cancelled(trip.run) or unwanted
    halting = stop.halts.stands_at
    work = Work(
        trip.run, planned.plan, planned.digest, segment, trip.fence, sent, job_seconds, counted, given_up, halting
    )
    with trip.timed("deliver"):
        end = deliver(trip.tools, session, trip.sync, work, stop if given_up else stop.of(trip.run))
        if isinstance(end, Halted) and (why := stop.cancelled(trip.run)):
            end = deliver(trip.tools, session, trip.sync, replace(work, superseded=why), stop)
    if isinstance(end, Halted):
        raise Interrupted(
            f"Run {trip.run} of {trip.sync.id} was stopped before its end",
            safe="Everything acknowledged is recorded; nothing undelivered is forgotten.",
            next=f"`tidegate run {trip.sync.id}` resumes it",
        )
    with trip.timed("fold"):
        fold(trip.tools, session, trip.sync, trip.run, segment, settlement(planned), trip.fence)
    early = _EARLY.get(type(end), RunStatus.FAILED)
    status, reason = run_status(buckets(run_row(trip.tools, trip.run), segment), _why(end), early)
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


def settlement(planned: PlanMade) -> Settlement:
    """What the state after a plan is folded under."""
    registers, partial = dict(planned.registers), planned.comparison in PARTIAL
    return Settlement(planned.version, planned.mapping, planned.place, registers, planned.consent_until, partial)


def buckets(row: RunRow, segment: SegmentRef) -> Buckets:
    """Where the records of a plan ended, by the receipts of its run."""
    delivered = row.delivered_inserts + row.delivered_updates + row.delivered_deletes
    return Buckets(segment.rows, delivered, row.rejected, row.failed, row.unknown, row.withheld_late)


def run_row(tools: Tools, run: RunId) -> RunRow:
    """A run whose start stands in the ledger."""
    row = runs.get(tools.database, run)
    assert row is not None, "its start stands in the ledger"
    return row
