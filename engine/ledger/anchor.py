"""Anchors: an event that stood in a ledger, written down outside of it, and whether a ledger still holds it.

A ledger that lacks the event of an anchor went back in time, or is another one. Where anchors are kept is left to the
caller; that they are written only for events that are committed, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select

from engine.core.names import Digest, Position, Sequence, StreamId
from engine.ledger.database import Database, reading
from engine.ledger.tables import event

FORMAT = 1
PAGE_ANCHORS = 200
"""Anchors in one statement; databases limit its variables."""

_FIRST = select(event.c.hash).order_by(event.c.seq).limit(1)
_ledger = event.alias()
_NEWEST = (
    select(
        event.c.position,
        event.c.seq,
        event.c.hash,
        select(_ledger.c.hash).order_by(_ledger.c.seq).limit(1).scalar_subquery().label("ledger"),
    )
    .where(event.c.stream == bindparam("wanted"))
    .order_by(event.c.position.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """An event by its place and hash; ``ledger`` is the hash of the first event of the ledger that it stood in."""

    ledger: Digest
    stream: StreamId
    position: Position
    sequence: Sequence
    hash: Digest


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An anchor that cannot be understood: what it says is unknown, which is not the same as nothing."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A named anchor that the ledger does not answer."""

    name: str
    anchor: Anchor | Unreadable


def newest(db: Database, stream: StreamId) -> Anchor:
    """An anchor for the newest event of ``stream``, which has one."""
    with reading(db) as connection:
        row = connection.execute(_NEWEST, {"wanted": stream}).one()
    return Anchor(Digest(row.ledger), stream, Position(row.position), Sequence(row.seq), Digest(row.hash))


def identity(db: Database) -> Digest | None:
    """What tells this ledger from every other: the hash of its first event; None while it is empty."""
    with reading(db) as connection:
        found = connection.execute(_FIRST).scalar()
    return None if found is None else Digest(found)


def gaps(db: Database, anchors: Mapping[str, Anchor | Unreadable]) -> tuple[Gap, ...]:
    """The anchors, by name, whose event the ledger does not hold exactly as it was."""
    known = [anchor for anchor in anchors.values() if isinstance(anchor, Anchor)]
    with reading(db) as connection:
        held = {place for start in range(0, len(known), PAGE_ANCHORS) for place in _held(connection, known[start:])}
    return tuple(
        Gap(name, anchor)
        for name, anchor in sorted(anchors.items())
        if isinstance(anchor, Unreadable) or (anchor.stream, anchor.position, anchor.hash) not in held
    )


def _held(connection: Connection, anchors: Iterable[Anchor]) -> set[tuple[str, int, str]]:
    some = list(anchors)[:PAGE_ANCHORS]
    places = or_(*(and_(event.c.stream == a.stream, event.c.position == a.position) for a in some))
    rows = connection.execute(select(event.c.stream, event.c.position, event.c.hash).where(places))
    return {(row.stream, row.position, row.hash) for row in rows}


def encode(anchor: Anchor) -> bytes:
    """The anchor as a file holds it: one line of JSON that a person can read."""
    return json.dumps({"format": FORMAT, **asdict(anchor)}).encode() + b"\n"


def decode(content: bytes) -> Anchor | Unreadable:
    """What `encode` wrote."""
    try:
        data: Any = json.loads(content)
        if data["format"] != FORMAT:
            return Unreadable()
        return Anchor(
            ledger=Digest(str(data["ledger"])),
            stream=StreamId(str(data["stream"])),
            position=Position(int(data["position"])),
            sequence=Sequence(int(data["sequence"])),
            hash=Digest(str(data["hash"])),
        )
    except (ValueError, KeyError, TypeError):
        return Unreadable()
