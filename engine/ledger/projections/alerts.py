"""Which alerts are open, and what each channel was told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from engine.core.events import AlertClosed, AlertOpened, AlertsTold, AlertsUntold
from engine.errors import LedgerConflict
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, confirmed, named
from engine.ledger.tables import alert as table
from engine.ledger.tables import alert_told


@dataclass(frozen=True, slots=True)
class Telling:
    """What a channel was told of an alert; ``why`` and ``failed_at`` are of the newest message that it did not take."""

    opened: bool
    closed: bool
    failures: int
    failed_at: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """The newest time that an alert opened, at ``opening`` of its stream; ``told`` is by channel."""

    event: AlertOpened
    opening: int
    opened_at: datetime
    closed_at: datetime | None
    told: Mapping[str, Telling]


def opened(connection: Connection, recorded: Recorded) -> None:
    """Open the alert; raises `LedgerConflict` when it is."""
    event = recorded.event
    assert isinstance(event, AlertOpened)
    mine = table.c.alert == event.alert
    anew = update(table).where(mine, table.c.closed.is_not(None)).values(opened=recorded.sequence, closed=None)
    if connection.execute(anew).rowcount == 1:
        return
    if connection.execute(select(table.c.alert).where(mine)).first() is not None:
        raise _conflict(event.alert, "is open")
    connection.execute(insert(table).values(alert=event.alert, opened=recorded.sequence))


def closed(connection: Connection, recorded: Recorded) -> None:
    """Close the alert; raises `LedgerConflict` when it is not open."""
    event = recorded.event
    assert isinstance(event, AlertClosed)
    is_open = (table.c.alert == event.alert) & table.c.closed.is_(None)
    if connection.execute(update(table).where(is_open).values(closed=recorded.sequence)).rowcount != 1:
        raise _conflict(event.alert, "is not open")


def _conflict(alert: str, how: str) -> LedgerConflict:
    return LedgerConflict(f"Alert {alert} {how}.", safe="Nothing was written.", next="look at the alerts again.")


def told(connection: Connection, recorded: Recorded) -> None:
    """Note what a channel was told."""
    event = recorded.event
    assert isinstance(event, AlertsTold)
    for opening in (*event.opened, *event.closed):
        field = "opened" if opening in event.opened else "closed"
        _note(connection, opening, event.channel, {field: True, "failed": None, "failures": 0})


def untold(connection: Connection, recorded: Recorded) -> None:
    """Note what a channel did not take."""
    event = recorded.event
    assert isinstance(event, AlertsUntold)
    failed = {"failed": recorded.sequence, "failures": alert_told.c.failures + 1}
    for opening in (*event.opened, *event.closed):
        _note(connection, opening, event.channel, failed)


def _note(connection: Connection, opening: int, channel: str, values: Mapping[str, object]) -> None:
    nothing = {"opening": opening, "channel": channel, "opened": False, "closed": False, "failures": 0}
    insert_missing(connection, alert_told, nothing)
    mine = (alert_told.c.opening == opening) & (alert_told.c.channel == channel)
    connection.execute(update(alert_told).where(mine).values(**values))


def listing(db: Database) -> list[AlertRow]:
    """The newest time that each alert opened, open or closed since, by its id."""
    with reading(db) as connection:
        rows = connection.execute(select(table).order_by(table.c.alert)).all()
        tellings = connection.execute(select(alert_told)).all()
        marks = [*(row.opened for row in rows), *(row.closed for row in rows), *(row.failed for row in tellings)]
        events = named(connection, marks)
    by_opening: dict[int, dict[str, Telling]] = {}
    for row in tellings:
        by_opening.setdefault(row.opening, {})[row.channel] = _telling(row, events)
    return [_row(row, events, by_opening) for row in rows]


def _telling(row: Row[tuple[object, ...]], events: Mapping[int, Recorded]) -> Telling:
    failed = None if row.failed is None else events[row.failed]
    why = confirmed(failed, AlertsUntold, channel=row.channel).why if failed else ""
    return Telling(row.opened, row.closed, row.failures, failed.recorded_at if failed else None, why)


def _row(
    row: Row[tuple[object, ...]], events: Mapping[int, Recorded], told: Mapping[int, Mapping[str, Telling]]
) -> AlertRow:
    opening = events[row.opened]
    return AlertRow(
        event=confirmed(opening, AlertOpened, alert=row.alert),
        opening=opening.position,
        opened_at=opening.recorded_at,
        closed_at=None if row.closed is None else events[row.closed].recorded_at,
        told=told.get(opening.position, {}),
    )
