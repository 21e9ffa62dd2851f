"""Go on from a ledger that went back in time, because a person said so and the newer one is lost.

The events between are gone, so what a destination was sent in them is not known. Every sync whose anchor the ledger does
not answer has its delivered state doubted: each record that it holds is of unknown outcome and will be sent, or deleted,
again. A run that the older ledger believes unfinished is closed and never resumed, for its plan rests on consent of then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.core.compare import INCOMPLETE
from engine.core.events import BatchReceipt, LostEvent, RegressionAccepted, RunFinished, StateFolded
from engine.core.names import ERASURE_STREAM, LEDGER_STREAM, SyncId, run_stream, sync_stream
from engine.core.outcome import RunStatus
from engine.core.resync import orphans
from engine.core.state import doubted
from engine.delivery.result import Exceptional
from engine.ledger.anchor import Anchor, Gap
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states, windows
from engine.ledger.projections.runs import RunRow
from engine.ledger.projections.windows import WindowRow
from engine.segments.compute import Session
from engine.steps.anchors import anchor_gaps, anchored_sync, drop_anchor
from engine.steps.delivered_state import state_rows
from engine.steps.delivery_log import LedgerLog, Work
from engine.steps.dropped_plans import gone_of
from engine.steps.erase_segments import lost_replacements
from engine.steps.facts import Tools
from engine.steps.fold import Settlement, state_after
from engine.steps.forget import ERASURE_ANCHOR, lost_requests
from engine.steps.lost_drops import lost_drops
from engine.steps.sent import sent_to
from engine.steps.sync_lease import sync_lease

CLOSED = "not resumed: the ledger went back in time after this run had begun"
CODE = "ledger_regressed"


@dataclass(frozen=True, slots=True)
class Doubted:
    """A sync of which ``records`` are sent or deleted again, because nobody knows what became of them."""

    sync: SyncId
    records: int


@dataclass(frozen=True, slots=True)
class AcceptedRegression:
    """The anchors that the ledger did not answer, and what that put in doubt; no gaps, nothing to accept."""

    gaps: tuple[Gap, ...]
    doubted: tuple[Doubted, ...]


def accept_regression(tools: Tools, reason: str) -> AcceptedRegression:
    """Doubt what the lost events may have changed, record the decision, then let the anchors name it.

    The anchors move last: whatever ends this early, runs stay refused and the command is given again. Raises `Busy`
    when a run holds one of the syncs.
    """
    gaps = anchor_gaps(tools)
    if not gaps:
        return AcceptedRegression((), ())
    _remember_erasures(tools)
    unfinished = {run.sync: run for run in runs.all_unfinished(tools.database)}
    affected = {sync for gap in gaps if (sync := anchored_sync(gap.name)) is not None}
    results = []
    with tools.compute.session() as session:
        for sync in sorted(affected | set(unfinished)):
            with sync_lease(tools, sync) as lease:
                for dropped in lost_drops(tools, sync):
                    tools.ledger.append(sync_stream(sync), dropped, fence=lease.fence)
                if sync in unfinished:
                    _close(tools, session, unfinished[sync], lease.fence)
                if sync in affected:
                    results.append(Doubted(sync, _doubt(tools, session, sync, lease.fence)))
    tools.ledger.append(LEDGER_STREAM, _event(reason, gaps, results))
    for gap in gaps:
        drop_anchor(tools, gap.name, LEDGER_STREAM)
    return AcceptedRegression(gaps, tuple(results))


def _remember_erasures(tools: Tools) -> None:
    """Nobody who was to be forgotten comes back with an older ledger: the storage knows who, and what was rewritten."""
    for stream, replaced in lost_replacements(tools).items():
        tools.ledger.append(stream, replaced)
    for request in lost_requests(tools):
        tools.ledger.append(ERASURE_STREAM, request)
        drop_anchor(tools, ERASURE_ANCHOR, ERASURE_STREAM)


def _event(reason: str, gaps: Sequence[Gap], results: Sequence[Doubted]) -> RegressionAccepted:
    lost = [(gap.name, gap.anchor) for gap in gaps if isinstance(gap.anchor, Anchor)]
    return RegressionAccepted(
        reason=reason,
        lost=tuple(LostEvent(name, a.ledger, a.stream, a.position, a.hash) for name, a in lost),
        unreadable=tuple(gap.name for gap in gaps if not isinstance(gap.anchor, Anchor)),
        doubted=tuple(result.sync for result in results),
    )


def _doubt(tools: Tools, session: Session, sync: SyncId, fence: Fence) -> int:
    """Append the delivered state with every record in doubt; returns how many. Nothing when nothing was delivered.

    Where that state is not kept any more, every record that was ever sent is in doubt.
    """
    before = states.current(tools.database, sync)
    if before is None or not before.segments:
        return 0
    with tools.storage.writing(f"syncs/{sync}/state", f"{before.run}-doubted") as draft:
        gone = gone_of(tools, sync).paths
        if any(ref.path in gone for ref in before.segments):
            rows = orphans(sent_to(tools, session, sync, before.place))
        else:
            rows = doubted(state_rows(tools, session, before))
        session.write(rows, draft.local)
    rows = session.table(tools.storage.local(draft.ref))
    owed = int(session.single(rows.aggregate(n=rows.count(where=rows.owed)))["n"])
    event = StateFolded(
        run=before.run,
        sync=sync,
        segments=(draft.ref,),
        version=INCOMPLETE,
        mapping=before.mapping,
        place=before.place,
        registers=before.registers,
        consent_until=before.consent_until,
        delivered=0,
        owed=owed,
    )
    tools.ledger.append(sync_stream(sync), event, fence=fence)
    return owed


def _close(tools: Tools, session: Session, left: RunRow, fence: Fence) -> None:
    """End a run as it stands: its receipts are folded, a window without one is of unknown outcome."""
    state = states.current(tools.database, left.sync)
    is_folded = state is not None and state.run == left.run
    # A plan that is not kept any more was delivered and folded in an event that is lost.
    if left.segment is not None and not is_folded and left.segment.path not in gone_of(tools, left.sync).paths:
        assert left.plan is not None
        assert left.digest is not None
        assert left.mapping is not None
        assert left.place is not None
        window = windows.open_window(tools.database, left.run)
        if window is not None:
            work = Work(left.run, left.plan, left.digest, left.segment, fence, lambda _rows: None)
            asyncio.run(_receive_unknown(LedgerLog(tools, left.sync, work), window))
        under = Settlement(INCOMPLETE, left.mapping, left.place, dict(left.registers), None)
        folded = state_after(tools, session, left.sync, left.run, left.segment, under)
        tools.ledger.append(sync_stream(left.sync), folded, fence=fence)
    event = RunFinished(
        run=left.run,
        sync=left.sync,
        status=RunStatus.FAILED.value,
        reason=CLOSED,
        version=left.version,
        candidate=None,
        seconds={},
    )
    tools.ledger.append(run_stream(left.run), event, fence=fence)


async def _receive_unknown(log: LedgerLog, window: WindowRow) -> None:
    receipts = [
        BatchReceipt(
            number=batch.number,
            inserts=0,
            updates=0,
            deletes=0,
            rejected=0,
            failed=0,
            unknown=batch.last - batch.first + 1,
            requests=0,
            bytes_sent=0,
        )
        for batch in window.intent
    ]
    await log.receive(window.window, receipts, list(_unknown(window)))


def _unknown(window: WindowRow) -> Iterator[Exceptional]:
    message = "the ledger went back in time before an answer was recorded"
    for batch in window.intent:
        for ordinal in range(batch.first, batch.last + 1):
            yield Exceptional(ordinal, "unknown", CODE, message)
