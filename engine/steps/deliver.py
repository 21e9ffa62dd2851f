"""Deliver: stream a plan's rows through the executor, with every intent and receipt in the ledger.

A plan that an earlier process began is continued where its receipts end; its open window is sent again under the
keys that its intents hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from destinations.base import Limits
from engine.core.events import BatchIntent, BatchReceipt
from engine.core.names import SegmentRef
from engine.core.plan_forms import payloads
from engine.core.split import Cut
from engine.delivery.attempt import Sender, Sending
from engine.delivery.batches import exact, slices
from engine.delivery.executor import Completed, End, Executor, Stopped, StopSignal
from engine.delivery.jobs import OpenJob
from engine.delivery.pacer import HELD, QUOTA_USED, SEATS_TAKEN, WAIT_SECONDS_MAX, Pacer
from engine.delivery.reach import reach
from engine.delivery.result import THROTTLED, Exceptional
from engine.delivery.seats import ANY_SEAT, NO_SEAT, Seating, Seats
from engine.delivery.transport import HttpTransport, TransportLimits
from engine.delivery.window import WindowRules
from engine.ledger.budget import AccountBudget
from engine.ledger.projections import windows
from engine.ledger.shares import AccountShares
from engine.segments.compute import BATCH_ROWS, ORDINAL, Session
from engine.steps.delivery_log import NO_JOBS, LedgerLog, Work, jobs_left
from engine.steps.facts import Sync, Tools
from engine.steps.last_mile import LastMile

WINDOW_BATCHES_PER_CALL = 4
"""Batches in a window per concurrent call: enough to keep calls busy, few enough to send twice without harm."""
WINDOW_RECORDS_MAX = 2_000
"""Records up to which a window grows beyond that where calls have a pace, which is when batches are small."""

SUPERSEDED = "superseded"
"""Code of the records of a plan that was given up with a window open."""

_LATER = frozenset({THROTTLED, HELD, QUOTA_USED, SEATS_TAKEN})
"""Why delivery stops when it is a matter of time."""


@dataclass(frozen=True, slots=True)
class Paused:
    """No call may leave for longer than a run may wait, and why; the rest of the plan is owed."""

    why: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The plan is not wanted any more, and why; what was not sent is left to the next plan."""

    why: str


@dataclass(frozen=True, slots=True)
class _Start:
    """Where delivery begins: row, window and batch number; ``open_batches`` are those of a window without receipt.

    ``jobs`` are what was submitted in that window.
    """

    row: int = 0
    window: int = 1
    number: int = 1
    open_batches: tuple[BatchIntent, ...] = ()
    jobs: Mapping[Cut, OpenJob] = field(default_factory=lambda: NO_JOBS)


def deliver(tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal) -> End | Paused | Superseded:
    """Send what of a plan has no receipt yet, or of a superseded one nothing more; returns why it ended.

    Raises `SegmentDamaged` before the first byte when the plan is not what the ledger names, and `StaleEpoch` when
    another process took the sync.
    """
    return asyncio.run(_deliver(tools, session, sync, work, stop))


async def _deliver(
    tools: Tools, session: Session, sync: Sync, work: Work, stop: StopSignal
) -> End | Paused | Superseded:
    target, start = sync.target, _start(tools, work)
    log = LedgerLog(tools, sync.id, work, start.jobs)
    if work.superseded and not start.jobs:
        if start.open_batches:
            await _abandon(log, start)
        return Superseded(work.superseded)
    limits = target.limits_for(work.segment.rows)
    concurrency = limits.concurrency
    pacer = Pacer(account_budget(tools, sync), tools.clock, {*target.paces, *target.quotas})
    wire = TransportLimits(connections=concurrency)
    bounds = reach(target.destination)
    transport = HttpTransport(pacer, tools.clock, wire, exhausted_for=target.destination.exhausted_for, reach=bounds)
    sending = Sending(
        sync=sync.id,
        object=sync.mapping.object,
        run=work.run,
        plan=work.plan,
        digest=work.digest,
        policy=sync.retry,
        bytes_max=limits.bytes,
        refused_share_max=sync.stop_ratio,
        on_unknown=sync.on_unknown,
        jobs=target.jobs,
        plan_records=work.segment.rows,
    )
    seats = account_seats(tools, sync)
    last_mile = LastMile(tools, session, sync, work.segment, work.counted, work.halting)
    sender = Sender(sending, target.destination, transport, pacer, tools.clock, tools.entropy, log, seats, last_mile)
    rules = WindowRules(
        WINDOW_BATCHES_PER_CALL * concurrency, concurrency, sync.stop_ratio, WINDOW_RECORDS_MAX // limits.records
    )
    executor = Executor(sender, log, rules, last_mile, sync=sync.id, digest=work.digest, pacing=pacer.pacing)
    try:
        end = await _windows(executor, session, tools, work, start, limits, stop)
        return _paused(tools, sync, end) if isinstance(end, Stopped) and end.code in _LATER else end
    finally:
        await seats.close()
        await pacer.close()
        await transport.close()
        await target.destination.close()


async def _windows(
    executor: Executor, session: Session, tools: Tools, work: Work, start: _Start, limits: Limits, stop: StopSignal
) -> End | Superseded:
    if start.open_batches:
        end = await _again(executor, session, tools, work, start, stop)
        if not isinstance(end, Completed):
            return end
        if work.superseded:
            return Superseded(work.superseded)
        last = start.open_batches[-1]
        start = _Start(last.last + 1, start.window + 1, last.number + 1)
    rows = payloads_from(session, tools, work.segment, start.row)
    cut = slices(rows, first=start.row, records=limits.records, size=limits.bytes)
    return await executor.run(cut, window=start.window, number=start.number, stop=stop)


async def _again(
    executor: Executor, session: Session, tools: Tools, work: Work, start: _Start, stop: StopSignal
) -> End:
    """Send the window that has intents and no receipt, cut exactly as it was intended."""
    wanted = [Cut(batch.first, batch.last) for batch in start.open_batches]
    rows = payloads_from(session, tools, work.segment, start.row, wanted[-1].last)
    again = list(exact(rows, first=start.row, wanted=wanted))
    return await executor.resume(start.window, again, start.open_batches, stop)


async def _abandon(log: LedgerLog, start: _Start) -> None:
    """Give every record of the window without a receipt its outcome: it may have left, and nobody will ask again."""
    receipts, exceptions = [], []
    for batch in start.open_batches:
        held_back = set(batch.withheld)
        for row in range(batch.first, batch.last + 1):
            outcome = "withheld" if row in held_back else "unknown"
            exceptions.append(Exceptional(row, outcome, SUPERSEDED, "the plan was given up before its answer came"))
        unknown = batch.last + 1 - batch.first - len(held_back)
        counts = dict.fromkeys(("inserts", "updates", "deletes", "rejected", "failed", "requests", "bytes_sent"), 0)
        receipts.append(BatchReceipt(batch.number, **counts, unknown=unknown, withheld=len(held_back)))
    await log.receive(start.window, receipts, exceptions)


def _paused(tools: Tools, sync: Sync, end: Stopped) -> Stopped | Paused:
    """A pause, when the account says until when nothing may leave, or other runs leave this one no call."""
    if end.code == SEATS_TAKEN:
        return Paused(f"{sync.target.name}: {NO_SEAT}")
    silence = account_budget(tools, sync).silence(WAIT_SECONDS_MAX)
    return Paused(f"{sync.target.name} {silence}") if silence else end


def account_budget(tools: Tools, sync: Sync) -> AccountBudget:
    """The pace and the circuit of the sync's destination, shared with everybody who uses it."""
    target = sync.target
    return AccountBudget(tools.database, tools.clock, tools.entropy, target.name, target.paces, target.quotas)


def account_seats(tools: Tools, sync: Sync) -> Seating:
    """The share of the calls at once that the run gets, where it is declared how many there are."""
    target = sync.target
    if target.slots is None:
        return ANY_SEAT
    holder = f"{tools.holder}-{sync.id}"
    return Seats(AccountShares(tools.database, tools.clock, target.name, target.slots, holder), tools.clock)


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
        jobs = jobs_left(tools, work.run, last.position)
        return _Start(last.intent[0].first, last.window, last.intent[0].number, last.intent, jobs)
    end = last.intent[-1]
    return _Start(end.last + 1, last.window + 1, end.number + 1)
