"""An event as the ledger gives it back: who, when, where in the log, and the fact in today's shape.

What is not as it was appended is never given back: each event is held to its own hash, and what a read model says of
it to the event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, Select, String, func, select, type_coerce

from engine.core.event_codec import UPCASTS, Json, UnknownEvent, Upcast, decode
from engine.core.events import Event
from engine.core.names import Digest, Position, Sequence, StreamId
from engine.errors import LedgerTampered, SchemaMismatch
from engine.ledger.chain import event_hash
from engine.ledger.database import Database, reading
from engine.ledger.tables import event

Upcasts: TypeAlias = Mapping[tuple[str, int], Upcast]

Fact = TypeVar("Fact", bound=Event)

NAMES_MAX = 1_000
"""Sequences in one statement; databases limit its variables."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of the log; ``schema`` is the one it was stored under, ``event`` is in today's."""

    sequence: Sequence
    stream: StreamId
    position: Position
    type: str
    schema: int
    event: Event
    actor: str
    recorded_at: datetime
    hash: Digest


def canonical_text(data: Json) -> str:
    """The one text of some JSON: sorted keys, no spaces, ASCII; raises ``ValueError`` for what JSON cannot say."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def facts() -> Select[Any]:
    """Select what `recorded` needs from the log; add conditions and an order."""
    columns = event.c
    return select(
        columns.seq,
        columns.stream,
        columns.position,
        columns.type,
        columns.schema,
        columns.data,
        columns.actor,
        # The text that was hashed, since a damaged one may be no moment at all.
        type_coerce(columns.recorded_at, String).label(columns.recorded_at.name),
        columns.prev_hash,
        columns.hash,
    )


def recorded(row: Row[Any], upcasts: Upcasts = UPCASTS) -> Recorded:
    """The event of a row that `facts` selected.

    Raises `SchemaMismatch` when a newer release wrote it, and `LedgerTampered` when it is not as it was appended.
    """
    made = event_hash(
        row.prev_hash, row.stream, row.position, row.type, row.schema, row.data, row.actor, row.recorded_at
    )
    if made != row.hash:
        raise tampered("An event is not as it was appended.", f"{row.stream} position {row.position}")
    data: Json = json.loads(row.data)
    try:
        fact = decode(row.type, row.schema, data, upcasts=upcasts)
    except UnknownEvent as error:
        raise SchemaMismatch(
            f"The ledger holds an {error}.",
            where=f"{row.stream} position {row.position}",
            safe="Nothing was written.",
            next="upgrade Tidegate to the release that wrote it.",
        ) from error
    return Recorded(
        sequence=Sequence(row.seq),
        stream=StreamId(row.stream),
        position=Position(row.position),
        type=row.type,
        schema=row.schema,
        event=fact,
        actor=row.actor,
        recorded_at=datetime.fromisoformat(row.recorded_at).astimezone(UTC),
        hash=Digest(row.hash),
    )


def named(connection: Connection, sequences: Iterable[int | None]) -> dict[int, Recorded]:
    """The events that some rows of a read model name, by sequence; ``None`` stands for a fact that is yet to come.

    Raises `LedgerTampered` when one is not there: missing is not the same as never happened.
    """
    wanted = sorted({sequence for sequence in sequences if sequence is not None})
    found: dict[int, Recorded] = {}
    for start in range(0, len(wanted), NAMES_MAX):
        some = wanted[start : start + NAMES_MAX]
        found |= {row.seq: recorded(row) for row in connection.execute(facts().where(event.c.seq.in_(some)))}
    missing = [sequence for sequence in wanted if sequence not in found]
    if missing:
        raise tampered("A read model names an event that the log does not hold.", f"sequence {missing[0]}")
    return found


def confirmed(fact: Recorded, kind: type[Fact], **row: object) -> Fact:
    """The event that a row of a read model stands for; raises `LedgerTampered` when it is not what the row says."""
    told = fact.event
    if isinstance(told, kind) and all(getattr(told, name, None) == value for name, value in row.items()):
        return told
    raise tampered("A read model does not say what the log says.", f"sequence {fact.sequence}")


def newest(connection: Connection, modelled: Select[Any], stream: StreamId, kind: type[Event]) -> Sequence | None:
    """The sequence that ``modelled`` selects from a read model, which must be that of the newest ``kind`` of ``stream``.

    Raises `LedgerTampered` when it is not: a row that is missing is not the same as a fact that never was.
    """
    logged = select(event.c.seq).where(event.c.stream == stream, event.c.type == kind.type)
    logged = logged.order_by(event.c.position.desc()).limit(1)
    # One statement, so that both are of the same instant while others append.
    both = select(modelled.scalar_subquery().label("modelled"), logged.scalar_subquery().label("logged"))
    row = connection.execute(both).one()
    if row.modelled != row.logged:
        raise tampered("A read model does not say what the log says.", stream)
    return None if row.modelled is None else Sequence(row.modelled)


def told(db: Database, stream: StreamId, *kinds: type[Event]) -> list[Recorded]:
    """Every event of some kinds in ``stream``, oldest first."""
    types = [kind.type for kind in kinds]
    wanted = facts().where(event.c.stream == stream, event.c.type.in_(types)).order_by(event.c.position)
    with reading(db) as connection:
        return [recorded(row) for row in connection.execute(wanted)]


def newest_told(db: Database, streams: Iterable[StreamId], *kinds: type[Event]) -> dict[StreamId, Recorded]:
    """The newest event of some kinds in each of ``streams``; a stream without one is left out."""
    types, wanted = [kind.type for kind in kinds], sorted(set(streams))
    same = event.alias()
    of_stream = (same.c.stream == event.c.stream) & same.c.type.in_(types)
    last = select(func.max(same.c.position)).where(of_stream).scalar_subquery()
    found: dict[StreamId, Recorded] = {}
    with reading(db) as connection:
        for start in range(0, len(wanted), NAMES_MAX):
            some = event.c.stream.in_(wanted[start : start + NAMES_MAX])
            rows = connection.execute(facts().where(some, event.c.position == last))
            found |= {StreamId(row.stream): recorded(row) for row in rows}
    return found


def tampered(what: str, where: str) -> LedgerTampered:
    """The error of a ledger that is not as it was written."""
    return LedgerTampered(
        what,
        where=where,
        safe="Nothing was sent from it.",
        next="`tidegate ledger verify` says what is damaged; when only a read model is, `tidegate ledger rebuild` makes it"
        " anew, else restore the ledger from a backup",
    )
