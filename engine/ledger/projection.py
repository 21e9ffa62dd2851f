"""Read models as folds of the log: which event feeds which, in the event's own transaction, and all of them anew.

Every row of a read model is fed by events of one stream, or of steps that follow one another, so the order of the
sequence is the order in which the rows first came to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from sqlalchemy import Connection, Engine, create_engine, delete, select, text

from engine.core import events
from engine.core.event_codec import UPCASTS
from engine.ledger.database import reading, unhurried, writing
from engine.ledger.projections import alerts, captures, courses, replaced, runs, states, tallies, versions, windows
from engine.ledger.recorded import Recorded, Upcasts, facts, recorded
from engine.ledger.tables import PROJECTED, event, metadata

Apply: TypeAlias = Callable[[Connection, Recorded], None]

PAGE_EVENTS = 1_000

PROJECTIONS: Mapping[str, tuple[Apply, ...]] = MappingProxyType(
    {
        events.VersionAccepted.type: (versions.accepted, captures.checked, courses.read, tallies.captured),
        events.CaptureUnchanged.type: (captures.checked, courses.read, tallies.captured),
        events.CaptureBlocked.type: (captures.checked, courses.read, tallies.captured),
        events.VersionHeld.type: (captures.checked, courses.read, tallies.captured),
        events.VersionRejected.type: (captures.checked,),
        events.RunStarted.type: (runs.started,),
        events.PlanMade.type: (runs.planned, courses.planned, tallies.planned),
        events.WindowIntended.type: (windows.intended,),
        events.WindowReceived.type: (windows.received, runs.received, tallies.received),
        events.StateFolded.type: (states.folded,),
        events.RunFinished.type: (runs.finished, courses.ended, tallies.finished),
        events.AlertOpened.type: (alerts.opened,),
        events.AlertClosed.type: (alerts.closed,),
        events.AlertsTold.type: (alerts.told,),
        events.AlertsUntold.type: (alerts.untold,),
        events.SegmentsErased.type: (replaced.erased,),
    }
)
"""By the type of an event, the read models that it changes, in order; the others need only the log."""

Snapshot: TypeAlias = Mapping[str, frozenset[tuple[object, ...]]]
"""By table, its rows."""


def project(connection: Connection, fact: Recorded) -> None:
    """Apply one event to every read model that it changes, in the transaction of ``connection``."""
    for apply in PROJECTIONS.get(fact.type, ()):
        apply(connection, fact)


def rebuild(engine: Engine, *, upcasts: Upcasts = UPCASTS) -> int:
    """Empty the read models and fold the whole log again; returns the number of events.

    One transaction, which no append can enter: a failure leaves the read models as they were.
    """
    with writing(engine) as connection:
        return refold(connection, upcasts=upcasts)


def refold(connection: Connection, *, upcasts: Upcasts = UPCASTS) -> int:
    """`rebuild` within a transaction that may write."""
    unhurried(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE event IN SHARE MODE"))
    for table in PROJECTED:
        connection.execute(delete(table))
    count = 0
    for fact in _log(connection, upcasts):
        project(connection, fact)
        count += 1
    return count


def stale(engine: Engine, *, upcasts: Upcasts = UPCASTS) -> str | None:
    """The name of the first read model that is not the fold of the log; None when each is. Changes nothing."""
    apart = create_engine("sqlite://")
    try:
        metadata.create_all(apart, PROJECTED)
        with reading(engine) as connection, apart.begin() as scratch:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            unhurried(connection)
            for fact in _log(connection, upcasts):
                project(scratch, fact)
            held, made = _rows(connection), _rows(scratch)
    finally:
        apart.dispose()
    return next((name for name in made if held[name] != made[name]), None)


def _log(connection: Connection, upcasts: Upcasts) -> Iterator[Recorded]:
    """Every event by its sequence, a page in memory at a time."""
    after = 0
    while True:
        page = facts().where(event.c.seq > after).order_by(event.c.seq).limit(PAGE_EVENTS)
        rows = connection.execute(page).all()
        for row in rows:
            yield recorded(row, upcasts)
        if len(rows) < PAGE_EVENTS:
            return
        after = rows[-1].seq


def snapshot(engine: Engine) -> Snapshot:
    """Every row of every read model, to compare what was with what `rebuild` made."""
    with reading(engine) as connection:
        return _rows(connection)


def _rows(connection: Connection) -> Snapshot:
    return {table.name: frozenset(tuple(row) for row in connection.execute(select(table))) for table in PROJECTED}
