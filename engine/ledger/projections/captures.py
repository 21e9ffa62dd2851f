"""How the last capture of each dataset ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from engine.core.events import CaptureBlocked, CaptureUnchanged, CheckResult, Event, VersionAccepted
from engine.core.names import DatasetId, VersionNumber
from engine.core.verdict import Verdict
from engine.ledger.database import Database, insert_missing, reading
from engine.ledger.recorded import Recorded, confirmed, named, tampered
from engine.ledger.tables import capture as table


@dataclass(frozen=True, slots=True)
class CaptureRow:
    """The last capture of a dataset.

    ``status`` is accepted, unchanged or blocked; ``version`` the one that it accepted or found unchanged; ``reason``
    why it was blocked.
    """

    dataset: DatasetId
    checked_at: datetime
    status: str
    rows: int
    version: VersionNumber | None
    reason: str
    checks: tuple[CheckResult, ...]


def checked(connection: Connection, recorded: Recorded) -> None:
    """Remember this capture instead of the one before."""
    event = recorded.event
    assert isinstance(event, VersionAccepted | CaptureUnchanged | CaptureBlocked)
    insert_missing(connection, table, {"dataset": event.dataset, "checked": recorded.sequence})
    connection.execute(update(table).where(table.c.dataset == event.dataset).values(checked=recorded.sequence))


def last(db: Database, dataset: DatasetId) -> CaptureRow | None:
    """The last capture of ``dataset``; None before the first."""
    with reading(db) as connection:
        sequence = connection.execute(select(table.c.checked).where(table.c.dataset == dataset)).scalar()
        return None if sequence is None else _row(dataset, named(connection, [sequence])[sequence])


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
        case _:
            raise tampered("A read model names an event that is no capture.", f"sequence {recorded.sequence}")
