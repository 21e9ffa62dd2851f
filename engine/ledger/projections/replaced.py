"""Which segments were written again without somebody, and what stands in their stead."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from engine.core.events import SegmentsErased
from engine.core.names import SegmentRef, StreamId
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, confirmed, facts, named, recorded, tampered
from engine.ledger.tables import event as log
from engine.ledger.tables import replaced_segment as table


def erased(connection: Connection, recorded: Recorded) -> None:
    """Remember of each segment that another one holds what is left of it."""
    event = recorded.event
    assert isinstance(event, SegmentsErased)
    for segment in event.segments:
        insert_missing(connection, table, {"path": segment.before.path, "erased": recorded.sequence})


def current(db: Database, ref: SegmentRef) -> SegmentRef:
    """The segment that holds what ``ref`` held, but for whoever was forgotten since; ``ref`` itself when nobody was."""
    with reading(db) as connection:
        while (newer := _after(connection, ref)) is not None:
            ref = newer
    return ref


def current_of(db: Database, refs: Iterable[SegmentRef]) -> dict[SegmentRef, SegmentRef]:
    """The same of many segments, in their order; each event is read once."""
    found, read = dict[SegmentRef, SegmentRef](), dict[int, SegmentsErased]()
    with reading(db) as connection:
        erased = {row.path: row.erased for row in connection.execute(select(table.c.path, table.c.erased))}
        for ref in refs:
            last = ref
            while (sequence := erased.get(last.path)) is not None:
                if sequence not in read:
                    read[sequence] = _event(connection, sequence)
                last = _replacement(read[sequence], last, sequence)
            found[ref] = last
    return found


def _after(connection: Connection, ref: SegmentRef) -> SegmentRef | None:
    sequence = connection.execute(select(table.c.erased).where(table.c.path == ref.path)).scalar()
    return None if sequence is None else _replacement(_event(connection, sequence), ref, sequence)


def _event(connection: Connection, sequence: int) -> SegmentsErased:
    return confirmed(named(connection, [sequence])[sequence], SegmentsErased)


def _replacement(event: SegmentsErased, ref: SegmentRef, sequence: int) -> SegmentRef:
    found = [segment.after for segment in event.segments if segment.before == ref]
    if not found or found[0] == ref:
        raise tampered("A read model does not say what the log says.", f"sequence {sequence}")
    return found[0]


def superseded(db: Database) -> list[str]:
    """The paths of all segments that others stand in for: their files must not be there any more."""
    with reading(db) as connection:
        return list(connection.execute(select(table.c.path).order_by(table.c.path)).scalars())


def erased_through(db: Database, stream: StreamId) -> int:
    """How many requests to forget people the segments that ``stream`` names answer; 0 for none."""
    newest = facts().where(log.c.stream == stream, log.c.type == SegmentsErased.type)
    with reading(db) as connection:
        row = connection.execute(newest.order_by(log.c.position.desc()).limit(1)).one_or_none()
    if row is None:
        return 0
    event = recorded(row).event
    assert isinstance(event, SegmentsErased)
    return event.through
