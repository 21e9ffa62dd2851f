"""What each window of a run was about to send, and what came back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from engine.core.events import BatchIntent, WindowIntended, WindowReceived
from engine.core.names import Position, RunId
from engine.errors import LedgerConflict
from engine.ledger.database import Database, reading
from engine.ledger.recorded import Recorded, confirmed, named
from engine.ledger.tables import run_window as table

PAGE_WINDOWS = 200


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window of a run, intended at ``position`` of its stream; ``receipt`` is None while nobody knows how it ended."""

    run: RunId
    window: int
    position: Position
    intent: tuple[BatchIntent, ...]
    receipt: WindowReceived | None


def intended(connection: Connection, recorded: Recorded) -> None:
    """Open the window; a second intent for it is refused, since its batches already have their keys."""
    event = recorded.event
    assert isinstance(event, WindowIntended)
    connection.execute(insert(table).values(run=event.run, window=event.window, intended=recorded.sequence))


def received(connection: Connection, recorded: Recorded) -> None:
    """Close the window; raises `LedgerConflict` when it is not open, so that no outcome is counted twice."""
    event = recorded.event
    assert isinstance(event, WindowReceived)
    is_open = (table.c.run == event.run) & (table.c.window == event.window) & table.c.received.is_(None)
    closed = connection.execute(update(table).where(is_open).values(received=recorded.sequence))
    if closed.rowcount != 1:
        raise LedgerConflict(
            f"Window {event.window} of run {event.run} is not open: it has a receipt, or never had an intent.",
            safe="Nothing was written.",
            next="load the facts of the run again.",
        )


def listing(db: Database, run: RunId) -> Iterator[WindowRow]:
    """The windows of ``run`` in order, a page in memory at a time."""
    after = -1
    while True:
        page = _of(run).where(table.c.window > after).order_by(table.c.window).limit(PAGE_WINDOWS)
        with reading(db) as connection:
            rows = _rows(connection, connection.execute(page).all())
        yield from rows
        if len(rows) < PAGE_WINDOWS:
            return
        after = rows[-1].window


def open_window(db: Database, run: RunId) -> WindowRow | None:
    """The first window of ``run`` that was intended and not received; None when every intent has its receipt."""
    return _first(db, _of(run).where(table.c.received.is_(None)).order_by(table.c.window))


def last(db: Database, run: RunId) -> WindowRow | None:
    """The newest window of ``run``; None before its first intent."""
    return _first(db, _of(run).order_by(table.c.window.desc()))


def _of(run: RunId) -> Select[Any]:
    return select(table).where(table.c.run == run)


def _first(db: Database, statement: Select[Any]) -> WindowRow | None:
    with reading(db) as connection:
        rows = _rows(connection, connection.execute(statement.limit(1)).all())
    return rows[0] if rows else None


def _rows(connection: Connection, found: Sequence[Row[Any]]) -> list[WindowRow]:
    events = named(connection, (sequence for row in found for sequence in (row.intended, row.received)))
    return [_row(row, events[row.intended], None if row.received is None else events[row.received]) for row in found]


def _row(row: Row[Any], intent: Recorded, receipt: Recorded | None) -> WindowRow:
    opened = confirmed(intent, WindowIntended, run=row.run, window=row.window)
    closed = None if receipt is None else confirmed(receipt, WindowReceived, run=row.run, window=row.window)
    return WindowRow(opened.run, opened.window, intent.position, opened.batches, closed)
