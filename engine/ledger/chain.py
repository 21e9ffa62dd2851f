"""The hash chain of each stream: how an event's hash is made, and the check that finds the first one that was changed.

It shows an edit to whoever holds an older hash; somebody who may write the whole database can make the chain anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import Engine, Row, String, exists, or_, select, type_coerce

from engine.core.names import Digest, Position, Sequence, StreamId
from engine.ledger.database import reading, unhurried
from engine.ledger.tables import event, stream_head

GENESIS = Digest("0" * 64)
"""What the first event of a stream follows."""

PAGE_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Verified:
    """Every chain holds."""

    events: int
    streams: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The first event, by sequence, that is not as it was appended.

    ``sequence`` is None when the newest events of a stream were removed: there is none to name, and ``position`` is
    that of the first one missing.
    """

    sequence: Sequence | None
    stream: StreamId
    position: Position
    why: str


Verification: TypeAlias = Verified | Broken


def event_hash(
    previous: str, stream: str, position: int, type_name: str, schema: int, data: str, actor: str, recorded_at: str
) -> Digest:
    """SHA-256 over the fields as text, each after its length, so that no two events give the same bytes."""
    digest = hashlib.sha256()
    for field in (previous, stream, position, type_name, schema, data, actor, recorded_at):
        encoded = str(field).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return Digest(digest.hexdigest())


def verify(engine: Engine) -> Verification:
    """Read the whole log once, in constant memory, and compare each event with its hash and with the one before."""
    events, streams = 0, 0
    broken: list[Broken] = []
    with reading(engine) as connection:
        unhurried(connection)
        rows = connection.execution_options(yield_per=PAGE_EVENTS).execute(_EVENTS)
        for _, stream in groupby(rows, key=lambda row: row.stream):
            checked = _check(stream)
            events, streams = events + checked.events, streams + 1
            broken = _first(broken, checked.broken)
        for row in connection.execute(_HEADS_ALONE):
            gone = Broken(None, StreamId(row.stream), Position(1), "all events of the stream were removed")
            broken = _first(broken, gone)
    return broken[0] if broken else Verified(events, streams)


# The moment is read as the text that was hashed, since an edited one may be no moment at all. One statement reads
# events and heads, so that both are of the same instant while others append.
_EVENTS = (
    select(
        event.c.seq,
        event.c.stream,
        event.c.position,
        event.c.type,
        event.c.schema,
        event.c.data,
        event.c.actor,
        type_coerce(event.c.recorded_at, String).label("recorded_at"),
        event.c.prev_hash,
        event.c.hash,
        stream_head.c.position.label("head_position"),
        stream_head.c.hash.label("head_hash"),
    )
    .outerjoin_from(event, stream_head, event.c.stream == stream_head.c.stream)
    .order_by(event.c.stream, event.c.position, event.c.seq)
)
_HEADS_ALONE = (
    select(stream_head.c.stream)
    .where(
        ~exists().where(event.c.stream == stream_head.c.stream),
        # `engine.ledger.log.Transaction.hold` makes such a row of a stream that never had an event.
        or_(stream_head.c.position != 0, stream_head.c.hash != GENESIS),
    )
    .order_by(stream_head.c.stream)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class _Checked:
    events: int
    broken: Broken | None


def _check(stream: Iterable[Row[Any]]) -> _Checked:
    """Follow one stream until its first break."""
    position, previous, sequence = 0, str(GENESIS), 0
    row: Row[Any] | None = None
    for row in stream:
        why = _why(row, position + 1, previous, sequence)
        if why is not None:
            return _Checked(position, Broken(Sequence(row.seq), StreamId(row.stream), Position(position + 1), why))
        position, previous, sequence = position + 1, row.hash, row.seq
    assert row is not None, "a group has a row"
    if (row.head_position, row.head_hash) != (position, previous):
        why = "the newest events of the stream were removed, or its head was changed"
        return _Checked(position, Broken(None, StreamId(row.stream), Position(position + 1), why))
    return _Checked(position, None)


def _why(row: Row[Any], position: int, previous: str, sequence: int) -> str | None:
    """Why ``row`` cannot be the event at ``position`` after the one with these facts; None when it can."""
    if row.position != position:
        return "a position is missing before this event" if row.position > position else "a position stands twice"
    if row.prev_hash != previous:
        return "the event does not follow the one before it: one of both was replaced or moved"
    made = event_hash(
        row.prev_hash, row.stream, row.position, row.type, row.schema, row.data, row.actor, row.recorded_at
    )
    if row.hash != made:
        return "the event's content or hash was edited"
    if row.seq <= sequence:
        return "the event's sequence was moved before that of an earlier position"
    return None


def _first(before: list[Broken], found: Broken | None) -> list[Broken]:
    """The break with the lowest sequence; one without a sequence comes after all that have one."""
    both = [*before, *([found] if found else [])]
    return sorted(both, key=lambda broken: (broken.sequence is None, broken.sequence or 0))[:1]
