"""Fold: what a run's receipts say becomes the delivered state that the next plan subtracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.compare import INCOMPLETE
from engine.core.events import Event, Place, StateFolded
from engine.core.names import Digest, RunId, SegmentRef, SyncId, VersionNumber, sync_stream
from engine.core.state import folded, live
from engine.failpoints import failpoint
from engine.ledger.log import Fence
from engine.ledger.projections import states, windows
from engine.segments.compute import ORDINAL, Session
from engine.steps.anchors import drop_anchor, sync_anchor
from engine.steps.delivery_log import EXCEPTIONS_SCHEMA
from engine.steps.facts import Sync, Tools

LAYERS_MAX = 8
"""State segments before they are merged into one."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a delivered state is folded under: the plan's own facts."""

    version: VersionNumber
    mapping: Digest
    place: Place
    registers: dict[str, int]
    consent_until: str | None
    is_partial: bool = False
    """The plan was of removals only: what was owed before is owed still."""


def fold(
    tools: Tools, session: Session, sync: Sync, run: RunId, plan: SegmentRef, under: Settlement, fence: Fence
) -> StateFolded:
    """Append the state after a run whose delivery ended."""
    event = state_after(tools, session, sync.id, run, plan, under)
    remember(tools, sync, event, fence=fence)
    return event


def state_after(
    tools: Tools, session: Session, sync: SyncId, run: RunId, plan: SegmentRef, under: Settlement
) -> StateFolded:
    """The state after a run, with its segments written and nothing appended.

    Rows without a receipt keep their old state; then the state equals no version and the next plan compares all.
    """
    sent, withheld, exceptions = receipts(tools, run)
    numbered = session.numbered(tools.storage.local(plan))
    rows = folded(numbered.filter(numbered[ORDINAL] < sent), exception_rows(tools, session, exceptions), ORDINAL)
    before = states.current(tools.database, sync)
    layers = before.segments if before else ()
    segments = stacked(tools, session, sync, run, layers, rows)
    owed = sum(ref.rows for ref in exceptions) - withheld + plan.rows - sent
    if under.is_partial and before is not None:
        owed += before.owed
    return StateFolded(
        run=run,
        sync=sync,
        segments=segments,
        version=under.version if sent == plan.rows else INCOMPLETE,
        mapping=under.mapping,
        place=under.place,
        registers=under.registers,
        consent_until=under.consent_until,
        delivered=sent - sum(ref.rows for ref in exceptions),
        owed=owed,
        resync=under.is_partial and before is not None and before.resync,
    )


def settle(tools: Tools, sync: Sync, run: RunId, under: Settlement, fence: Fence) -> StateFolded:
    """Append that the state, as it stands, answers a version from which nothing had to be sent."""
    before = states.current(tools.database, sync.id)
    event = StateFolded(
        run=run,
        sync=sync.id,
        segments=before.segments if before else (),
        version=under.version,
        mapping=under.mapping,
        place=under.place,
        registers=under.registers,
        consent_until=under.consent_until,
        delivered=0,
        owed=0,
    )
    remember(tools, sync, event, fence=fence)
    return event


def remember(tools: Tools, sync: Sync, *events: Event, fence: Fence) -> None:
    """Append to the sync's stream, in one transaction, a fold and what is said of it."""
    failpoint("fold.before_commit")
    tools.ledger.append(sync_stream(sync.id), *events, fence=fence)
    failpoint("fold.after_commit")
    drop_anchor(tools, sync_anchor(sync.id), sync_stream(sync.id))


def receipts(tools: Tools, run: RunId) -> tuple[int, int, list[SegmentRef]]:
    """How many plan rows have a receipt, how many of them were withheld, and the segments that name exceptions."""
    sent, withheld, exceptions = 0, 0, []
    for window in windows.listing(tools.database, run):
        if window.receipt is None:
            break
        sent = window.intent[-1].last + 1
        withheld += sum(batch.withheld for batch in window.receipt.batches)
        if window.receipt.exceptions is not None:
            exceptions.append(window.receipt.exceptions)
    return sent, withheld, exceptions


def exception_rows(tools: Tools, session: Session, segments: Sequence[SegmentRef]) -> Table:
    """The plan rows that receipts name as not delivered, each with what became of it."""
    if not segments:
        return session.rows(EXCEPTIONS_SCHEMA.empty_table())
    return session.table(*(tools.storage.local(ref) for ref in segments))


def stacked(
    tools: Tools, session: Session, sync: SyncId, run: RunId, layers: tuple[SegmentRef, ...], rows: Table
) -> tuple[SegmentRef, ...]:
    """Write ``rows`` as the newest layer of the state; returns the stack, merged when it became too high."""
    with tools.storage.writing(f"syncs/{sync}/state", f"{run}") as draft:
        session.write(rows, draft.local)
    stack = (*layers, draft.ref)
    newer = sum(ref.rows for ref in stack[1:])
    if len(stack) == 1 or (len(stack) <= LAYERS_MAX and 2 * newer <= stack[0].rows):
        return stack
    merged = live([session.table(tools.storage.local(ref)) for ref in stack])
    with tools.storage.writing(f"syncs/{sync}/state", f"{run}-merged") as whole:
        session.write(merged, whole.local)
    # No event will name the layer: what it held is part of the whole.
    tools.storage.remove(draft.ref)
    return (whole.ref,)
