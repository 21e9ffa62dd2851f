"""Which stack of segments is the delivered state of each sync."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from engine.core.events import StateFolded
from engine.core.names import SyncId
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, named
from engine.ledger.tables import sync_state as table


def folded(connection: Connection, recorded: Recorded) -> None:
    """Let this fold be the current one."""
    event = recorded.event
    assert isinstance(event, StateFolded)
    insert_missing(connection, table, {"sync": event.sync, "folded": recorded.sequence})
    connection.execute(update(table).where(table.c.sync == event.sync).values(folded=recorded.sequence))


def current(db: Database, sync: SyncId) -> StateFolded | None:
    """The last fold of ``sync``; None when nothing was ever delivered."""
    with reading(db) as connection:
        sequence = connection.execute(select(table.c.folded).where(table.c.sync == sync)).scalar()
        if sequence is None:
            return None
        event = named(connection, [sequence])[sequence].event
    assert isinstance(event, StateFolded)
    return event
