"""Since when a dataset was not read well, or a sync is not level with its source, and when it last was.

A dataset is read well when its rows were accepted or found unchanged. A sync is level when a run ended with all that the
source held at its destination (`engine.core.outcome.is_level`); it counts from that run's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, type_coerce, update

from engine.core.compare import PARTIAL
from engine.core.events import CaptureBlocked, CaptureUnchanged, PlanMade, RunFinished, VersionAccepted, VersionHeld
from engine.core.names import StreamId, SyncId, dataset_stream, sync_stream
from engine.core.objectives import Ran
from engine.core.outcome import FAILURES, RunStatus, is_level
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded
from engine.ledger.tables import Moment, run, run_end
from engine.ledger.tables import course as table
from engine.ledger.tables import event as log


@dataclass(frozen=True, slots=True)
class Course:
    """The sequences of the newest good event and of the first bad one since then; None where there is none."""

    good: int | None
    bad: int | None


ENDS_MAX = 50_000
"""More than one run a minute for thirty days."""
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
    status = RunStatus(event.status)
    is_good = is_level(status, row.failed, row.unknown)
    connection.execute(
        insert(run_end).values(
            sync=event.sync,
            ended=recorded.sequence,
            started=row.started,
            ended_at=recorded.recorded_at,
            is_level=is_good,
            is_failure=not is_good and status in FAILURES,
        )
    )
    if is_good:
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


def ends(db: Database, sync: SyncId, since: datetime) -> list[Ran]:
    """How the runs of ``sync`` ended that did so after ``since``, and the last before them that left it level, oldest first.

    At most the newest `ENDS_MAX`.
    """
    columns = (run_end.c.ended_at, run_end.c.is_level, run_end.c.is_failure)
    began = type_coerce(log.c.recorded_at, Moment).label("began")
    of_sync = select(*columns, began).join(log, log.c.seq == run_end.c.started).where(run_end.c.sync == sync)
    newest_first = of_sync.order_by(run_end.c.ended_at.desc())
    with reading(db) as connection:
        rows = [*connection.execute(newest_first.where(run_end.c.ended_at > since).limit(ENDS_MAX))]
        before = newest_first.where(run_end.c.ended_at <= since, run_end.c.is_level)
        rows += connection.execute(before.limit(1)).all()
    return [Ran(row.began, row.ended_at, row.is_level, row.is_failure) for row in reversed(rows)]
