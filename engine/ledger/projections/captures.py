"""How the last capture of each dataset ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from engine.core.events import (
    CaptureBlocked,
    CaptureUnchanged,
    CheckResult,
    Event,
    VersionAccepted,
    VersionHeld,
    VersionRejected,
)
from engine.core.names import DatasetId, VersionNumber
from engine.core.verdict import Verdict
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, confirmed, named, tampered
from engine.ledger.tables import capture as table


@dataclass(frozen=True, slots=True)
class CaptureRow:
    """The last capture of a dataset.

    ``status`` is accepted, unchanged, held, blocked, or rejected once a person refused what was held; ``version`` the one
    that it accepted or found unchanged; ``reason`` why it was held, blocked or rejected.
    """

    dataset: DatasetId
    checked_at: datetime
    status: str
    rows: int
    version: VersionNumber | None
    reason: str
    checks: tuple[CheckResult, ...]


CAPTURES = (VersionAccepted, CaptureUnchanged, CaptureBlocked, VersionHeld, VersionRejected)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A candidate that waits for people; ``asked_by`` made the capture, at ``since``."""

    event: VersionHeld
    asked_by: str
    since: datetime


def checked(connection: Connection, recorded: Recorded) -> None:
    """Remember this capture instead of the one before."""
    event = recorded.event
    assert isinstance(event, CAPTURES)
    insert_missing(connection, table, {"dataset": event.dataset, "checked": recorded.sequence})
    connection.execute(update(table).where(table.c.dataset == event.dataset).values(checked=recorded.sequence))


def last(db: Database, dataset: DatasetId) -> CaptureRow | None:
    """The last capture of ``dataset``; None before the first."""
    found = _last(db, dataset)
    return None if found is None else _row(dataset, found)


def all_last(db: Database) -> list[CaptureRow]:
    """The last capture of every dataset that has one."""
    with reading(db) as connection:
        rows = connection.execute(select(table).order_by(table.c.dataset)).all()
        events = named(connection, (row.checked for row in rows))
    return [_row(DatasetId(row.dataset), events[row.checked]) for row in rows]


def blocked(db: Database, dataset: DatasetId) -> CaptureBlocked | None:
    """What the last capture of ``dataset`` was blocked for; None when it was not."""
    found = _last(db, dataset)
    return None if found is None or not isinstance(found.event, CaptureBlocked) else found.event


def held(db: Database, dataset: DatasetId) -> HeldRow | None:
    """The candidate of ``dataset`` that waits for people; None when none does.

    A capture that found anything else, and a decision, end the wait.
    """
    found = _last(db, dataset)
    if found is None or not isinstance(found.event, VersionHeld):
        return None
    return HeldRow(confirmed(found, VersionHeld, dataset=dataset), found.actor, found.recorded_at)


def _last(db: Database, dataset: DatasetId) -> Recorded | None:
    with reading(db) as connection:
        sequence = connection.execute(select(table.c.checked).where(table.c.dataset == dataset)).scalar()
        return None if sequence is None else named(connection, [sequence])[sequence]


def _row(dataset: DatasetId, recorded: Recorded) -> CaptureRow:
    event = confirmed(recorded, Event, dataset=dataset)
    match event:
        case VersionAccepted():
            return CaptureRow(
                event.dataset, recorded.recorded_at, "accepted", event.rows, event.version, "", event.checks
            )
        case CaptureUnchanged():
            return CaptureRow(event.dataset, recorded.recorded_at, "unchanged", event.rows, event.version, "", ())
        case CaptureBlocked():
            reason = "; ".join(check.message for check in event.checks if Verdict(check.verdict).stops)
            return CaptureRow(event.dataset, recorded.recorded_at, "blocked", event.rows, None, reason, event.checks)
        case VersionHeld():
            reason = "; ".join(check.message for check in event.checks if check.verdict == "hold")
            return CaptureRow(event.dataset, recorded.recorded_at, "held", event.rows, None, reason, event.checks)
        case VersionRejected():
            return CaptureRow(event.dataset, recorded.recorded_at, "rejected", 0, None, event.comment, ())
        case _:
            raise tampered("A read model names an event that is no capture.", f"sequence {recorded.sequence}")
