"""Which stack of segments is the delivered state of each sync."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from engine.core.events import StateFolded
from engine.core.names import SyncId, sync_stream
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, confirmed, named, newest
from engine.ledger.tables import sync_state as table


def folded(connection: Connection, recorded: Recorded) -> None:
    """Let this fold be the current one."""
    event = recorded.event
    assert isinstance(event, StateFolded)
    insert_missing(connection, table, {"sync": event.sync, "folded": recorded.sequence})
    connection.execute(update(table).where(table.c.sync == event.sync).values(folded=recorded.sequence))


def syncs(db: Database) -> list[SyncId]:
    """Every sync that ever folded, whether or not the project still has it."""
    with reading(db) as connection:
        return [SyncId(name) for name in connection.execute(select(table.c.sync).order_by(table.c.sync)).scalars()]


def all_current(db: Database) -> dict[SyncId, Recorded]:
    """The last fold of every sync that has one, as it was recorded."""
    with reading(db) as connection:
        rows = connection.execute(select(table)).all()
        events = named(connection, (row.folded for row in rows))
    return {SyncId(row.sync): events[row.folded] for row in rows}


def current(db: Database, sync: SyncId) -> StateFolded | None:
    """The last fold of ``sync``; None when nothing was ever delivered."""
    with reading(db) as connection:
        modelled = select(table.c.folded).where(table.c.sync == sync)
        sequence = newest(connection, modelled, sync_stream(sync), StateFolded)
        if sequence is None:
            return None
        return confirmed(named(connection, [sequence])[sequence], StateFolded, sync=sync)
