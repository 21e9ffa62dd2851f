"""The append-only log: append under an expected position and a fence, read a stream, look at the newest events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from engine.clock import Clock
from engine.core.event_codec import UPCASTS, encode
from engine.core.events import Event
from engine.core.names import Position, StreamId
from engine.errors import FactsMoved, LedgerConflict
from engine.ledger.chain import GENESIS, event_hash
from engine.ledger.database import insert_missing, patiently, reading, writing
from engine.ledger.lease import Fence, check_fence
from engine.ledger.projection import project
from engine.ledger.recorded import Recorded, Upcasts, canonical_text, facts, recorded, tampered
from engine.ledger.tables import event as table
from engine.ledger.tables import moment_text, stream_head

__all__ = ["Fence", "Ledger", "Recorded", "Transaction"]

EMPTY = Position(0)
NOTHING: Mapping[StreamId, Position] = MappingProxyType({})
PAGE_EVENTS = 500
# Asked before each call; building the statement takes as long as asking it.
_HEADS = select(stream_head.c.stream, stream_head.c.position).where(
    stream_head.c.stream.in_(bindparam("streams", expanding=True))
)
_NEWEST = facts().join(
    stream_head, (stream_head.c.stream == table.c.stream) & (stream_head.c.position == table.c.position)
)
_NEWEST = _NEWEST.where(stream_head.c.stream.in_(bindparam("streams", expanding=True)))


class Transaction:
    """Appends that become true together; made by `Ledger.transaction`."""

    def __init__(self, connection: Connection, clock: Clock, actor: str, upcasts: Upcasts) -> None:
        self.connection = connection
        """For queries that must see what this transaction appended."""
        self._clock = clock
        self._actor = actor
        self._upcasts = upcasts

    def append(self, stream: StreamId, *events: Event, expected: Position | None = None) -> Position:
        """Add events to the end of ``stream`` and to the read models; returns the position of the last.

        Raises `LedgerConflict` when the stream is not at ``expected``, or when a read model refuses the event.
        """
        position, previous = self._head(stream, create=bool(events))
        if expected is not None and position != expected:
            raise LedgerConflict(
                f"{stream} is at position {position}, not {expected}: somebody appended first.",
                safe="Nothing was written.",
                next="load the facts again and decide again.",
            )
        for event in events:
            position = Position(position + 1)
            previous = self._add(stream, position, previous, event)
        if events:
            mine = stream_head.c.stream == stream
            self.connection.execute(update(stream_head).where(mine).values(position=position, hash=previous))
        return position

    def hold(self, heads: Mapping[StreamId, Position]) -> None:
        """Prove that streams stand where they were read, and let nobody append to them before this transaction ends.

        Raises `FactsMoved` when one does not.
        """
        for stream, read in sorted(heads.items()):
            shared = select(stream_head.c.position).where(stream_head.c.stream == stream).with_for_update(read=True)
            position = self.connection.execute(shared).scalar()
            if position is None:
                # Only a row can be held, so that a stream without an event gets one that says so.
                insert_missing(self.connection, stream_head, {"stream": stream, "position": 0, "hash": GENESIS})
                position = self.connection.execute(shared).scalar_one()
            if position != read:
                raise FactsMoved(
                    f"{stream} is at position {position}, and was read at {read}.",
                    safe="Nothing was written.",
                    next="load the facts again and decide again.",
                )

    def _head(self, stream: StreamId, *, create: bool) -> tuple[Position, str]:
        """The end of the stream, locked: other writers of the stream wait for this transaction.

        Raises `LedgerTampered` when it is not the newest event's: what is appended must follow what stands there.
        """
        locked = select(stream_head).where(stream_head.c.stream == stream).with_for_update()
        head = self.connection.execute(locked).one_or_none()
        if head is None and create:
            insert_missing(self.connection, stream_head, {"stream": stream, "position": 0, "hash": GENESIS})
            head = self.connection.execute(locked).one()
        if head is None:
            return EMPTY, GENESIS
        newest = select(table.c.position, table.c.hash).where(table.c.stream == stream)
        last = self.connection.execute(newest.order_by(table.c.position.desc()).limit(1)).one_or_none()
        stands = (EMPTY, GENESIS) if last is None else (Position(last.position), last.hash)
        if stands != (head.position, head.hash):
            raise tampered("A stream does not end where its head says.", stream)
        return stands

    def _add(self, stream: StreamId, position: Position, previous: str, event: Event) -> str:
        type_name, schema, content = encode(event)
        data, now = canonical_text(content), self._clock.now()
        made = event_hash(previous, stream, position, type_name, schema, data, self._actor, moment_text(now))
        row = self.connection.execute(
            insert(table)
            .values(
                stream=stream,
                position=position,
                type=type_name,
                schema=schema,
                data=data,
                actor=self._actor,
                recorded_at=now,
                prev_hash=previous,
                hash=made,
            )
            .returning(*facts().selected_columns)
        ).one()
        # Projected is what was read back, so that a rebuild cannot see anything else.
        project(self.connection, recorded(row, self._upcasts))
        return made


class Ledger:
    """The log of one database, written to in the name of ``actor``."""

    def __init__(self, engine: Engine, clock: Clock, actor: str, *, upcasts: Upcasts = UPCASTS) -> None:
        self._engine = engine
        self._clock = clock
        self._actor = actor
        self._upcasts = upcasts

    @property
    def actor(self) -> str:
        """In whose name events are appended."""
        return self._actor

    @contextmanager
    def transaction(self, fence: Fence | None = None) -> Iterator[Transaction]:
        """One transaction for several appends: all of them or, when the block raises, none.

        With a ``fence``, raises `StaleEpoch` at the start when the lease is not held under its epoch any more, and no
        other process can take the lease before the end.
        """
        with writing(self._engine) as connection:
            if fence is not None:
                check_fence(connection, self._clock, fence)
            yield Transaction(connection, self._clock, self._actor, self._upcasts)

    def append(
        self,
        stream: StreamId,
        *events: Event,
        expected: Position | None = None,
        fence: Fence | None = None,
        resting_on: Mapping[StreamId, Position] = NOTHING,
    ) -> Position:
        """`Transaction.append` in a transaction of its own, tried again while it loses against other writers.

        Raises `FactsMoved` when a stream that it is ``resting_on`` does not stand where it was read.
        """

        def whole() -> Position:
            with self.transaction(fence) as transaction:
                transaction.hold(resting_on)
                return transaction.append(stream, *events, expected=expected)

        return patiently(whole)

    def read(self, stream: StreamId, after: Position = EMPTY) -> Iterator[Recorded]:
        """The events of ``stream`` behind position ``after``, in order, a page in memory at a time.

        Raises `LedgerTampered` where one is missing.
        """
        while True:
            newer = facts().where(table.c.stream == stream, table.c.position > after)
            with reading(self._engine) as connection:
                end = _end(connection, stream)
                rows = connection.execute(newer.order_by(table.c.position).limit(PAGE_EVENTS)).all()
            for row in rows:
                if row.position != after + 1:
                    raise tampered("An event is missing.", f"{stream} position {after + 1}")
                yield recorded(row, self._upcasts)
                after = Position(row.position)
            if len(rows) < PAGE_EVENTS:
                if after < end:
                    raise tampered("An event is missing.", f"{stream} position {after + 1}")
                return

    def tail(self, limit: int, stream: StreamId | None = None, kind: type[Event] | None = None) -> list[Recorded]:
        """The newest ``limit`` events of the ledger, or of ``stream``, and of one kind, newest last."""
        newest = facts().limit(limit)
        # By position, for which there is an index, the stream is not sorted for its last event.
        newest = newest.order_by((table.c.seq if stream is None else table.c.position).desc())
        if stream is not None:
            newest = newest.where(table.c.stream == stream)
        if kind is not None:
            newest = newest.where(table.c.type == kind.type)
        with reading(self._engine) as connection:
            rows = connection.execute(newest).all()
        return [recorded(row, self._upcasts) for row in reversed(rows)]

    def newest(self, streams: Collection[StreamId]) -> dict[StreamId, Recorded]:
        """The newest event of each of ``streams`` that has one."""
        found: dict[StreamId, Recorded] = {}
        asked = list(streams)
        for first in range(0, len(asked), PAGE_EVENTS):
            with reading(self._engine) as connection:
                rows = connection.execute(_NEWEST, {"streams": asked[first : first + PAGE_EVENTS]}).all()
            found |= {StreamId(row.stream): recorded(row, self._upcasts) for row in rows}
        return found

    def heads(self, streams: Collection[StreamId]) -> dict[StreamId, Position]:
        """The position of the newest event of each of ``streams``, all as of one moment; 0 where there is none."""
        with reading(self._engine) as connection:
            rows = connection.execute(_HEADS, {"streams": list(streams)})
            found = {StreamId(row.stream): Position(row.position) for row in rows}
        return {stream: found.get(stream, EMPTY) for stream in streams}

    def head(self, stream: StreamId) -> Position:
        """The position of the newest event of ``stream``; 0 when it has none."""
        with reading(self._engine) as connection:
            return _end(connection, stream)


def _end(connection: Connection, stream: StreamId) -> Position:
    found = connection.execute(select(stream_head.c.position).where(stream_head.c.stream == stream)).scalar()
    return EMPTY if found is None else Position(found)
