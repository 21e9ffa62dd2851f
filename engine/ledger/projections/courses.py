"""Since when a dataset was not read well, or a sync is not level with its source, and when it last was.

A dataset is read well when its rows were accepted or found unchanged. A sync is level when a run ended with all that the
source held at its destination (`engine.core.outcome.is_level`); it counts from that run's start.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from engine.core.compare import PARTIAL
from engine.core.events import CaptureBlocked, CaptureUnchanged, PlanMade, RunFinished, VersionAccepted, VersionHeld
from engine.core.names import StreamId, dataset_stream, sync_stream
from engine.core.outcome import RunStatus, is_level
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded
from engine.ledger.tables import course as table
from engine.ledger.tables import run


@dataclass(frozen=True, slots=True)
class Course:
    """The sequences of the newest good event and of the first bad one since then; None where there is none."""

    good: int | None
    bad: int | None


NOTHING_YET = Course(None, None)


def read(connection: Connection, recorded: Recorded) -> None:
    """Note whether a capture of a dataset went well."""
    event = recorded.event
    assert isinstance(event, VersionAccepted | CaptureUnchanged | CaptureBlocked | VersionHeld)
    stream = dataset_stream(event.dataset)
    match event:
        case VersionAccepted() | CaptureUnchanged():
            _good(connection, stream, recorded.sequence)
        case CaptureBlocked() | VersionHeld():
            _bad(connection, stream, recorded.sequence)


def planned(connection: Connection, recorded: Recorded) -> None:
    """Note a run that looks at some records only: its end says nothing of the others."""
    event = recorded.event
    assert isinstance(event, PlanMade)
    if event.comparison in PARTIAL:
        stream = sync_stream(event.sync)
        insert_missing(connection, table, {"subject": stream})
        connection.execute(update(table).where(table.c.subject == stream).values(aside=event.run))


def ended(connection: Connection, recorded: Recorded) -> None:
    """Note whether a run left its sync level."""
    event = recorded.event
    assert isinstance(event, RunFinished)
    stream = sync_stream(event.sync)
    aside = connection.execute(select(table.c.aside).where(table.c.subject == stream)).scalar()
    if aside == event.run:
        return
    row = connection.execute(select(run.c.started, run.c.failed, run.c.unknown).where(run.c.run == event.run)).one()
    if is_level(RunStatus(event.status), row.failed, row.unknown):
        _good(connection, stream, row.started)
    else:
        _bad(connection, stream, recorded.sequence)


def _good(connection: Connection, stream: StreamId, sequence: int) -> None:
    insert_missing(connection, table, {"subject": stream})
    connection.execute(update(table).where(table.c.subject == stream).values(good=sequence, bad=None))


def _bad(connection: Connection, stream: StreamId, sequence: int) -> None:
    insert_missing(connection, table, {"subject": stream})
    first = (table.c.subject == stream) & table.c.bad.is_(None)
    connection.execute(update(table).where(first).values(bad=sequence))


def all_courses(db: Database) -> dict[StreamId, Course]:
    """The course of everything that has one."""
    with reading(db) as connection:
        return {StreamId(row.subject): Course(row.good, row.bad) for row in connection.execute(select(table))}
