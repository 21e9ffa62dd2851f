"""Forget people in one sync: mark what its destination holds of them, have it removed, and clean what is kept of both.

Under the sync's lease, and begun again by every run until nothing is owed. A plan keeps its length, because its rows are
known by their places: those about somebody are blanked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import ibis
from ibis.expr.types import BooleanValue, Table

from engine.core.events import ErasedSegment, PlansDropped, SegmentsErased, StateFolded, SyncPinned
from engine.core.names import Position, RunId, SegmentRef, SyncId, pin_stream, sync_stream
from engine.core.state import newest
from engine.failpoints import failpoint
from engine.ledger.log import Fence
from engine.ledger.projections import runs, states, windows
from engine.ledger.projections.replaced import current_of, erased_through
from engine.ledger.projections.runs import RunRow
from engine.segments.compute import ORDINAL, Session
from engine.steps.anchors import drop_anchor, sync_anchor
from engine.steps.delivered_state import state_layers
from engine.steps.erase_segments import (
    People,
    Versions,
    dropping,
    kept_segments,
    note_replaced,
    people_of,
    remove_old,
    rewritten,
)
from engine.steps.erased import Erased
from engine.steps.facts import Tools
from engine.steps.removals import compact, is_theirs, mark, owed_to_people

NEWEST_RUNS = 20
"""Runs whose plans are looked at again while a removal is owed; those before were cleaned when it was marked."""


def is_marked(tools: Tools, through: Position, sync: SyncId) -> bool:
    """Whether the delivered state answers the first ``through`` requests; so does one of a sync that delivered nothing."""
    state = states.current(tools.database, sync)
    return state is None or state.registers.get("erasure", 0) >= through


def is_unfinished(tools: Tools, through: Position, sync: SyncId) -> bool:
    """Whether anything is left to do for the first ``through`` requests: to mark, to remove, or to clean."""
    if erased_through(tools.database, sync_stream(sync)) < through or not is_marked(tools, through, sync):
        return True
    state = states.current(tools.database, sync)
    if state is None or not state.segments:
        return False
    with tools.compute.session() as session:
        rows = newest(state_layers(tools, session, state))
        return bool(session.single(rows.aggregate(n=rows.count(where=owed_to_people(rows))))["n"])


def people_in(tools: Tools, session: Session, erased: Erased, sync: SyncId, kept: Versions) -> People:
    """Who of the forgotten is in what is kept of a sync and of its dataset; asked of everything, so asked once."""
    refs = [*_state_segments(tools, sync), *_plan_segments(runs.history(tools.database, sync))]
    tables = session.groups(tools.storage.local(ref) for ref in kept_segments(tools, refs))
    return people_of(tools, session, erased, kept, [table for table in tables if "subject" in table.columns])


def mark_sync(tools: Tools, session: Session, erased: Erased, sync: SyncId, people: People, fence: Fence) -> None:
    """Let the sync's state say what its destination has to remove; nothing when it does."""
    state = states.current(tools.database, sync)
    if state is None or is_marked(tools, erased.through, sync):
        return
    failpoint("mark.before_commit")
    mark(tools, session, state, people, erased.through, fence)
    failpoint("mark.after_commit")


def clean_sync(tools: Tools, session: Session, erased: Erased, sync: SyncId, people: People, fence: Fence) -> int:
    """Write what is kept of a sync again without these people; returns how many segments.

    What a removal that is still owed needs stays in the current state, and nowhere else.
    """
    is_first = erased_through(tools.database, sync_stream(sync)) < erased.through
    if (state := states.current(tools.database, sync)) is not None:
        compact(tools, session, state, people, fence)
    listed = runs.history(tools.database, sync) if is_first else runs.listing(tools.database, sync, NEWEST_RUNS)
    ended = [row for row in listed if row.finished_at is not None]
    segments = [*_states(tools, session, sync, people), *_plans(tools, session, ended, people)]
    if not segments and not is_first:
        return 0
    failpoint("erase.before_commit")
    event = SegmentsErased(through=erased.through, segments=tuple(segments))
    note_replaced(tools, sync_stream(sync), event)
    tools.ledger.append(sync_stream(sync), event, fence=fence)
    failpoint("erase.after_commit")
    drop_anchor(tools, sync_anchor(sync), sync_stream(sync))
    remove_old(tools, segments)
    return len(segments)


def _state_segments(tools: Tools, sync: SyncId) -> Iterator[SegmentRef]:
    """Every segment that ever was part of the delivered state, or said what was ever sent."""
    for fact in tools.ledger.read(sync_stream(sync)):
        if isinstance(fact.event, StateFolded):
            yield from fact.event.segments
        elif isinstance(fact.event, PlansDropped):
            yield fact.event.sent


def _kept_rows(tools: Tools, sync: SyncId) -> Iterator[SegmentRef]:
    """Every segment that ever said which rows are kept at an older version."""
    for fact in tools.ledger.read(pin_stream(sync)):
        if isinstance(fact.event, SyncPinned) and fact.event.keys is not None:
            yield fact.event.keys


def _plan_segments(rows: Iterable[RunRow]) -> Iterator[SegmentRef]:
    return (row.segment for row in rows if row.segment is not None)


def _states(tools: Tools, session: Session, sync: SyncId, people: People) -> Iterator[ErasedSegment]:
    """State segments that newer ones replaced; the current ones hold nobody but for whom something is owed."""
    state = states.current(tools.database, sync)
    now = set(kept_segments(tools, state.segments)) if state else set()
    named = (*_state_segments(tools, sync), *_kept_rows(tools, sync))
    older = [ref for ref in kept_segments(tools, named) if ref not in now]
    mine = partial(is_theirs, people=people)
    return rewritten(tools, session, older, mine, dropping(mine))


def _plans(tools: Tools, session: Session, ended: Sequence[RunRow], people: People) -> Iterator[ErasedSegment]:
    """The plans of runs that ended, what destinations said of their rows, and what was recorded instead of sent."""
    rows = {row.segment: row for row in ended if row.segment is not None}
    today = current_of(tools.database, rows)
    planned = {today[ref]: row for ref, row in rows.items() if tools.storage.exists(ref)}
    mine = partial(_named, people=people)
    for segment in rewritten(tools, session, planned, mine, partial(_blanked, people=people)):
        row = planned[segment.before]
        spoken, recorded = _exceptions(tools, row.run), _recorded(tools, row)
        if spoken or recorded:
            plan = session.numbered(tools.storage.local(segment.before))
            places = session.cached(plan.filter(mine(plan)).select(ORDINAL, "id"))
            yield from _silent(tools, session, spoken, places)
            _record_again(tools, session, row, recorded, places)
        yield segment


def _named(rows: Table, people: People) -> BooleanValue:
    """Which rows of a plan still say whom of these people they are about."""
    return is_theirs(rows, people) & rows.id.notnull()


def _blanked(rows: Table, people: People) -> Table:
    mine = is_theirs(rows, people)
    texts = [c for c, kind in rows.schema().items() if kind.is_string() and c not in {"op", "change", "reason"}]
    return rows.mutate(**{c: mine.ifelse(ibis.null("string"), rows[c]) for c in texts})


def _exceptions(tools: Tools, run: RunId) -> tuple[SegmentRef, ...]:
    """What a destination said of the records of a run."""
    named = (w.receipt.exceptions for w in windows.listing(tools.database, run) if w.receipt is not None)
    return kept_segments(tools, (ref for ref in named if ref is not None))


def _silent(tools: Tools, session: Session, refs: Sequence[SegmentRef], places: Table) -> Iterator[ErasedSegment]:
    """What a destination said of a record may name whom it is about."""

    def mine(rows: Table) -> BooleanValue:
        return rows.ordinal.isin(places[ORDINAL])

    def left(rows: Table) -> Table:
        return rows.mutate(message=mine(rows).ifelse("", rows.message))

    return rewritten(tools, session, refs, lambda rows: mine(rows) & (rows.message != ""), left)


def _recorded(tools: Tools, row: RunRow) -> list[str]:
    """The files of what a run recorded instead of sending it."""
    folder = f"syncs/{row.sync}/recorded"
    return [path for path in tools.storage.paths(folder) if path.startswith(f"{folder}/{row.run}-")]


def _record_again(tools: Tools, session: Session, row: RunRow, paths: Sequence[str], places: Table) -> None:
    """No event names what was recorded instead of sent, so the file is replaced."""
    folder = f"syncs/{row.sync}/recorded"
    for path in paths:
        with tools.storage.reading_path(path) as local, tools.storage.writing(folder, str(row.run)) as draft:
            session.write(session.table(local).anti_join(places, "id"), draft.local)
        tools.storage.remove_path(path)
