"""What the ledger is told of a delivery: intents before the first byte, jobs before they are asked about, receipts after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.events import BatchIntent, BatchReceipt, JobSubmitted, WindowIntended, WindowReceived
from engine.core.names import Digest, Position, RunId, SegmentRef, StreamId, SyncId, run_stream
from engine.core.split import Cut
from engine.delivery.codes import counted
from engine.delivery.jobs import OpenJob
from engine.delivery.result import Exceptional
from engine.ledger.log import NOTHING, Fence
from engine.steps.anchors import drop_anchor, sync_anchor
from engine.steps.facts import Tools
from engine.steps.last_mile import NOTHING_COUNTED, Counted

EXCEPTIONS_SCHEMA = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("outcome", pa.string()),
        ("code", pa.string()),
        ("message", pa.string()),
        ("uncertain", pa.bool_()),
    ]
)


NO_JOBS: Mapping[Cut, OpenJob] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Work:
    """A plan to deliver for a run, the fence under which to write, and who is told how many rows have a receipt.

    ``job_seconds`` is how long a job of the destination may take, ``counted`` the consent that the plan counted on,
    ``superseded`` why nothing more of the plan is to be sent, and empty when all is.
    """

    run: RunId
    plan: str
    digest: Digest
    segment: SegmentRef
    fence: Fence
    sent: Callable[[int], None]
    job_seconds: float = 0.0
    counted: Counted = NOTHING_COUNTED
    superseded: str = ""
    halting: Callable[[Position], None] = lambda _head: None
    """Told, before each window and each call, where the stream stands in which people pause the sync or cancel the run."""


class LedgerLog:
    """Intents and receipts of one run, appended under its fence and only behind what this process appended last.

    Raises `LedgerConflict` when the run's stream is elsewhere: the ledger was replaced by an older copy meanwhile.
    """

    def __init__(self, tools: Tools, sync: SyncId, work: Work, left: Mapping[Cut, OpenJob] = NO_JOBS) -> None:
        self._tools = tools
        self._sync = sync
        self._work = work
        self._left = dict(left)
        self._last = 0
        self._appending = asyncio.Lock()
        self._position = tools.ledger.head(run_stream(work.run))

    async def intend(
        self, window: int, batches: Sequence[BatchIntent], resting_on: Mapping[StreamId, Position] = NOTHING
    ) -> None:
        """Append the intent, and anchor it; returns when both are durable. Raises `FactsMoved` as `Ledger.append`."""
        event = WindowIntended(run=self._work.run, window=window, batches=tuple(batches))
        await asyncio.to_thread(self._append_anchored, event, resting_on)
        self._last = batches[-1].last

    def left(self, cut: Cut) -> OpenJob | None:
        """The job that an earlier process submitted for these rows."""
        return self._left.pop(cut, None)

    async def submitted(self, number: int, cut: Cut, job: str) -> None:
        """Append the job's id; several batches of a window may do so at once."""
        until = self._tools.clock.now() + timedelta(seconds=self._work.job_seconds)
        event = JobSubmitted(
            run=self._work.run,
            batch=number,
            first=cut.first,
            last=cut.last,
            job=job,
            until=until.isoformat(),
        )
        async with self._appending:
            await asyncio.to_thread(self._append, event)

    async def receive(self, window: int, receipts: Sequence[BatchReceipt], exceptions: Sequence[Exceptional]) -> None:
        """Write the exceptions, if any, and append the receipt that names them."""
        segment = self._written(window, exceptions) if exceptions else None
        event = WindowReceived(
            run=self._work.run,
            window=window,
            batches=tuple(receipts),
            exceptions=segment,
            codes=counted(e.code for e in exceptions),
        )
        await asyncio.to_thread(self._append, event)
        self._work.sent(self._last + 1)

    def _append_anchored(self, event: WindowIntended, resting_on: Mapping[StreamId, Position]) -> None:
        self._append(event, resting_on)
        drop_anchor(self._tools, sync_anchor(self._sync), run_stream(self._work.run))

    def _append(
        self, event: WindowIntended | JobSubmitted | WindowReceived, resting_on: Mapping[StreamId, Position] = NOTHING
    ) -> None:
        self._position = self._tools.ledger.append(
            run_stream(self._work.run),
            event,
            expected=self._position,
            fence=self._work.fence,
            resting_on=resting_on,
        )

    def _written(self, window: int, exceptions: Sequence[Exceptional]) -> SegmentRef:
        ordered = sorted(exceptions, key=lambda e: e.ordinal)
        columns = {name: [getattr(e, name) for e in ordered] for name in EXCEPTIONS_SCHEMA.names}
        table = pa.table(columns, schema=EXCEPTIONS_SCHEMA)
        folder = f"syncs/{self._sync}/exceptions"
        with self._tools.storage.writing(folder, f"{self._work.run}-{window:06d}") as draft:
            pq.write_table(table, draft.local, compression="zstd")
        return draft.ref


def jobs_left(tools: Tools, run: RunId, after: Position) -> dict[Cut, OpenJob]:
    """The newest job of each slice of rows that was submitted behind position ``after`` of a run's stream."""
    now = tools.clock.now()
    left: dict[Cut, OpenJob] = {}
    for recorded in tools.ledger.read(run_stream(run), after=after):
        if isinstance(event := recorded.event, JobSubmitted):
            age = max(0.0, (now - recorded.recorded_at).total_seconds())
            left[Cut(event.first, event.last)] = OpenJob(event.job, age)
    return left
