"""The delivered state as it was at a moment: the last fold before it, and what was acknowledged of a run under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ibis.expr.types import Table

from engine.core.compare import ADOPTION
from engine.core.events import BatchIntent, PlanMade, StateFolded, WindowIntended, WindowReceived
from engine.core.names import SegmentRef, run_stream, sync_stream
from engine.core.state import folded, live
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.delivered_state import Delivered, state_layers
from engine.steps.dropped_plans import gone_of, plans_not_kept
from engine.steps.facts import Sync, Tools
from engine.steps.fold import exception_rows


@dataclass(slots=True)
class _Begun:
    """What was known of a run at a moment: its plan, and how far its receipts went."""

    planned: PlanMade | None = None
    intents: dict[int, tuple[BatchIntent, ...]] = field(default_factory=dict)
    sent: int = 0
    exceptions: list[SegmentRef] = field(default_factory=list)


def state_at(tools: Tools, session: Session, sync: Sync, moment: datetime) -> Delivered | None:
    """What the destination had acknowledged at ``moment``; None when nothing was.

    Who was forgotten since is no part of it. Raises `ConfigurationError` for a moment of which not everything is kept.
    """
    gone = gone_of(tools, sync.id)
    if gone.since is not None and moment < gone.since:
        raise plans_not_kept(sync.id, gone, f"What was acknowledged by {moment.isoformat()}")
    last = _last_fold(tools, sync, moment)
    run = runs.begun_by(tools.database, sync.id, moment)
    under_way = (
        None
        if run is None or (last is not None and last.run == run.run)
        else _acknowledged(tools, session, run, moment)
    )
    if last is None and under_way is None:
        return None
    layers = state_layers(tools, session, last)
    return Delivered(last, layers if under_way is None else [*layers, under_way])


def held_rows(state: Delivered) -> Table:
    """The state rows of what was held, or may have been; but for people who are to be forgotten."""
    rows = live(state.layers)
    return rows.filter((rows.acked | rows.unknown) & ~rows.erase.fill_null(False))


def _last_fold(tools: Tools, sync: Sync, moment: datetime) -> StateFolded | None:
    last = None
    for fact in tools.ledger.read(sync_stream(sync.id)):
        if fact.recorded_at > moment:
            break
        if isinstance(fact.event, StateFolded):
            last = fact.event
    return last


def _acknowledged(tools: Tools, session: Session, run: RunRow, moment: datetime) -> Table | None:
    """State rows of what a run had a receipt for at ``moment`` and had not folded; None when there is nothing."""
    begun = _Begun()
    for fact in tools.ledger.read(run_stream(run.run)):
        if fact.recorded_at > moment:
            break
        match fact.event:
            case PlanMade():
                begun.planned = fact.event
            case WindowIntended(_, window, batches):
                begun.intents[window] = batches
            case WindowReceived(_, window, _, exceptions):
                begun.sent = begun.intents[window][-1].last + 1
                begun.exceptions += [] if exceptions is None else [exceptions]
            case _:
                pass
    planned = begun.planned
    if planned is None or planned.segment is None or not begun.sent or planned.comparison == ADOPTION:
        return None
    numbered = session.numbered(tools.storage.local(planned.segment))
    rows = numbered.filter((numbered[ORDINAL] < begun.sent) & numbered.id.notnull())
    return folded(rows, exception_rows(tools, session, begun.exceptions), ORDINAL)
