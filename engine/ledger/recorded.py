"""An event as the ledger gives it back: who, when, where in the log, and the fact in today's shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, select

from engine.core.events import UPCASTS, Event, Json, UnknownEvent, Upcast, decode
from engine.core.names import Digest, Position, Sequence, StreamId
from engine.errors import LedgerTampered, SchemaMismatch
from engine.ledger.tables import event

Upcasts: TypeAlias = Mapping[tuple[str, int], Upcast]

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
        columns.recorded_at,
        columns.hash,
    )


def recorded(row: Row[Any], upcasts: Upcasts = UPCASTS) -> Recorded:
    """The event of a row that `facts` selected.

    Raises `SchemaMismatch` when a newer release wrote it, and `LedgerTampered` when it is no JSON any more.
    """
    try:
        data: Json = json.loads(row.data)
    except ValueError as error:
        raise LedgerTampered(
            "An event's data cannot be read.",
            where=f"{row.stream} position {row.position}",
            next="tidegate ledger verify",
        ) from error
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
        recorded_at=row.recorded_at,
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
        raise LedgerTampered(
            "A read model names an event that the log does not hold.",
            where=f"sequence {missing[0]}",
            next="tidegate ledger verify",
        )
    return found
