"""Deliver: stream a plan's rows through the executor, with every intent and receipt in the ledger.

A plan that an earlier process began is continued where its receipts end; its open window is sent again under the
keys that its intents hold.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.events import BatchIntent, BatchReceipt, WindowIntended, WindowReceived
from engine.core.names import Digest, RunId, SegmentRef, SyncId, run_stream
from engine.core.plan import payloads
from engine.core.split import Cut
from engine.delivery.attempt import Exceptional, Sender, Sending
from engine.delivery.batches import exact, slices
from engine.delivery.executor import Completed, End, Executor, StopSignal, WindowRules
from engine.delivery.pacer import Pacer
from engine.delivery.transport import HttpTransport, TransportLimits
from engine.ledger.budget import AccountBudget
from engine.ledger.log import Fence
from engine.ledger.projections import windows
from engine.segments.compute import BATCH_ROWS, ORDINAL, Session
from engine.steps.anchors import drop_anchor, sync_anchor
from engine.steps.facts import Sync, Tools

WINDOW_BATCHES_PER_CALL = 4
"""Batches in a window per concurrent call: enough to keep calls busy, few enough to send twice without harm."""

EXCEPTIONS_SCHEMA = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("outcome", pa.string()),
        ("code", pa.string()),
        ("message", pa.string()),
        ("uncertain", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Work:
    """A plan to deliver for a run, the fence under which to write, and who is told how many rows have a receipt."""

    run: RunId
    plan: str
    digest: Digest
    segment: SegmentRef
    fence: Fence
    sent: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Start:
    """Where delivery begins: row, window and batch number; ``open_batches`` are those of a window without receipt."""

    row: int = 0
    window: int = 1
    number: int = 1
    open_batches: tuple[BatchIntent, ...] = ()


class LedgerLog:
    """Intents and receipts of one run, appended under its fence and only behind what this process appended last.

    Raises `LedgerConflict` when the run's stream is elsewhere: the ledger was replaced by an older copy meanwhile.
    """

    def __init__(self, tools: Tools, sync: SyncId, work: Work) -> None:
        self._tools = tools
        self._sync = sync
        self._work = work
        self._last = 0
        self._position = tools.ledger.head(run_stream(work.run))

    async def intend(self, window: int, batches: Sequence[BatchIntent]) -> None:
        """Append the intent, and anchor it; returns when both are durable."""
        self._last = batches[-1].last
        event = WindowIntended(run=self._work.run, window=window, batches=tuple(batches))
        await asyncio.to_thread(self._append_anchored, event)

    async def receive(self, window: int, receipts: Sequence[BatchReceipt], exceptions: Sequence[Exceptional]) -> None:
        """Write the exceptions, if any, and append the receipt that names them."""
        segment = self._written(window, exceptions) if exceptions else None
        codes = Counter(e.code for e in exceptions)
        event = WindowReceived(
            run=self._work.run,
            window=window,
            batches=tuple(receipts),
            exceptions=segment,
            codes=dict(sorted(codes.items())),
        )
        await asyncio.to_thread(self._append, event)
        self._work.sent(self._last + 1)

    def _append_anchored(self, event: WindowIntended) -> None:
        self._append(event)
        drop_anchor(self._tools, sync_anchor(self._sync), run_stream(self._work.run))

    def _append(self, event: WindowIntended | WindowReceived) -> None:
        stream, fence = run_stream(self._work.run), self._work.fence
        self._position = self._tools.ledger.append(stream, event, expected=self._position, fence=fence)

    def _written(self, window: int, exceptions: Sequence[Exceptional]) -> SegmentRef:
        ordered = sorted(exceptions, key=lambda e: e.ordinal)
        columns = {name: [getattr(e, name) for e in ordered] for name in EXCEPTIONS_SCHEMA.names}
        table = pa.table(columns, schema=EXCEPTIONS_SCHEMA)
        folder = f"syncs/{self._sync}/exceptions"
        with self._tools.storage.writing(folder, f"{self._work.run}-{window:06d}") as draft:
            pq.write_table(table, draft.local, compression="zstd")
        return draft.ref


def deliver(tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal) -> End:
    """Send what of a plan has no receipt yet; returns why it ended.

    Raises `SegmentDamaged` before the first byte when the plan is not what the ledger names, and `StaleEpoch` when
    another process took the sync.
    """
    return asyncio.run(_deliver(tools, session, sync, work, stop))


async def _deliver(tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal) -> End:
    target = sync.target
    concurrency = target.limits.concurrency
    pacer = Pacer(account_budget(tools, sync), tools.clock, target.paces)
    limits = TransportLimits(connections=concurrency)
    transport = HttpTransport(pacer, tools.clock, limits, exhausted_for=target.destination.exhausted_for)
    sending = Sending(
        sync=sync.id,
        object=sync.mapping.object,
        plan=work.plan,
        digest=work.digest,
        policy=sync.retry,
        bytes_max=target.limits.bytes,
        refused_share_max=sync.stop_ratio,
    )
    sender = Sender(sending, target.destination, transport, pacer, tools.clock, tools.entropy)
    rules = WindowRules(WINDOW_BATCHES_PER_CALL * concurrency, concurrency, sync.stop_ratio)
    executor = Executor(sender, LedgerLog(tools, sync.id, work), rules, sync=sync.id, digest=work.digest)
    try:
        return await _windows(executor, session, tools, work, target.limits.records, target.limits.bytes, stop)
    finally:
        await transport.close()
        await target.destination.close()


async def _windows(
    executor: Executor, session: Session, tools: Tools, work: Work, records: int, size: int, stop: StopSignal
) -> End:
    start = _start(tools, work)
    if start.open_batches:
        end = await _again(executor, session, tools, work, start, stop)
        if not isinstance(end, Completed):
            return end
        last = start.open_batches[-1]
        start = _Start(last.last + 1, start.window + 1, last.number + 1)
    rows = payloads_from(session, tools, work.segment, start.row)
    cut = slices(rows, first=start.row, records=records, size=size)
    return await executor.run(cut, window=start.window, number=start.number, stop=stop)


async def _again(
    executor: Executor, session: Session, tools: Tools, work: Work, start: _Start, stop: StopSignal
) -> End:
    """Send the window that has intents and no receipt, cut exactly as it was intended."""
    wanted = [Cut(batch.first, batch.last) for batch in start.open_batches]
    rows = payloads_from(session, tools, work.segment, start.row, wanted[-1].last)
    again = list(exact(rows, first=start.row, wanted=wanted))
    return await executor.resume(start.window, again, [batch.number for batch in start.open_batches], stop)


def account_budget(tools: Tools, sync: Sync) -> AccountBudget:
    """The pace and the circuit of the sync's destination, shared with everybody who uses it."""
    return AccountBudget(tools.database, tools.clock, tools.entropy, sync.target.name, sync.target.paces)


def payloads_from(
    session: Session, tools: Tools, segment: SegmentRef, first: int, last: int | None = None
) -> pa.RecordBatchReader:
    """A plan's rows from ordinal ``first`` (to ``last``) as batches carry them, rendered as they are read."""
    numbered = session.numbered(tools.storage.local(segment))
    if first:
        numbered = numbered.filter(numbered[ORDINAL] >= first)
    if last is not None:
        numbered = numbered.filter(numbered[ORDINAL] <= last)
    return session.stream(payloads(numbered), BATCH_ROWS)


def _start(tools: Tools, work: Work) -> _Start:
    last = windows.last(tools.database, work.run)
    if last is None:
        return _Start()
    if last.receipt is None:
        return _Start(last.intent[0].first, last.window, last.intent[0].number, last.intent)
    end = last.intent[-1]
    return _Start(end.last + 1, last.window + 1, end.number + 1)
