"""Which versions of a dataset were accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, tuple_

from engine.core.events import CheckResult, VersionAccepted
from engine.core.names import DatasetId, SegmentRef, VersionNumber, dataset_stream
from engine.ledger.database import Database, reading
from engine.ledger.recorded import Recorded, confirmed, named, newest
from engine.ledger.tables import version as table

PAIRS_MAX = 400
"""Versions in one statement; databases limit its variables."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """An accepted version; the fields are those of `VersionAccepted`."""

    dataset: DatasetId
    version: VersionNumber
    snapshot: SegmentRef
    changes: SegmentRef | None
    quarantine: SegmentRef | None
    rows: int
    inserts: int
    updates: int
    deletes: int
    contract: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    checks: tuple[CheckResult, ...]
    recorded_at: datetime


def accepted(connection: Connection, recorded: Recorded) -> None:
    """Add the version; a second one of the same number is refused."""
    event = recorded.event
    assert isinstance(event, VersionAccepted)
    connection.execute(insert(table).values(dataset=event.dataset, version=event.version, accepted=recorded.sequence))


def datasets(db: Database) -> list[DatasetId]:
    """Every dataset with a version, whether or not the project still has it."""
    with reading(db) as connection:
        found = connection.execute(select(table.c.dataset).distinct().order_by(table.c.dataset)).scalars()
        return [DatasetId(name) for name in found]


def latest(db: Database, dataset: DatasetId) -> VersionRow | None:
    """The current version of ``dataset``; None when none was accepted."""
    last = select(table.c.accepted).where(table.c.dataset == dataset).order_by(table.c.version.desc()).limit(1)
    with reading(db) as connection:
        sequence = newest(connection, last, dataset_stream(dataset), VersionAccepted)
        found = connection.execute(_of(dataset).where(table.c.accepted == sequence)).all()
        return _rows(connection, found)[0] if found else None


def all_latest(db: Database) -> list[VersionRow]:
    """The current version of every dataset that has one."""
    newest_of = select(func.max(table.c.accepted)).group_by(table.c.dataset)
    with reading(db) as connection:
        found = connection.execute(select(table).where(table.c.accepted.in_(newest_of)).order_by(table.c.dataset)).all()
        return _rows(connection, found)


def accepted_at(db: Database, wanted: Iterable[tuple[DatasetId, VersionNumber]]) -> dict[tuple[str, int], datetime]:
    """When each of some versions was accepted; one that never was is left out."""
    pairs, found = sorted(set(wanted)), dict[tuple[str, int], datetime]()
    with reading(db) as connection:
        for start in range(0, len(pairs), PAIRS_MAX):
            some = tuple_(table.c.dataset, table.c.version).in_(pairs[start : start + PAIRS_MAX])
            rows = connection.execute(select(table).where(some)).all()
            events = named(connection, (row.accepted for row in rows))
            found |= {(row.dataset, row.version): events[row.accepted].recorded_at for row in rows}
    return found


def get(db: Database, dataset: DatasetId, version: VersionNumber) -> VersionRow | None:
    """Version ``version`` of ``dataset``; None when there is no such one."""
    with reading(db) as connection:
        found = connection.execute(_of(dataset).where(table.c.version == version)).all()
        return _rows(connection, found)[0] if found else None


def listing(db: Database, dataset: DatasetId) -> list[VersionRow]:
    """All versions of ``dataset``, oldest first."""
    with reading(db) as connection:
        return _rows(connection, connection.execute(_of(dataset).order_by(table.c.version)).all())


def row_counts(db: Database, dataset: DatasetId, limit: int) -> list[int]:
    """The row counts of the newest ``limit`` versions of ``dataset``, newest first."""
    with reading(db) as connection:
        found = connection.execute(_of(dataset).order_by(table.c.version.desc()).limit(limit)).all()
        return [row.rows for row in _rows(connection, found)]


def _of(dataset: DatasetId) -> Select[Any]:
    return select(table).where(table.c.dataset == dataset)


def _rows(connection: Connection, found: Sequence[Row[Any]]) -> list[VersionRow]:
    events = named(connection, (row.accepted for row in found))
    return [_row(row, events[row.accepted]) for row in found]


def _row(row: Row[Any], recorded: Recorded) -> VersionRow:
    event = confirmed(recorded, VersionAccepted, dataset=row.dataset, version=row.version)
    return VersionRow(
        dataset=event.dataset,
        version=event.version,
        snapshot=event.snapshot,
        changes=event.changes,
        quarantine=event.quarantine,
        rows=event.rows,
        inserts=event.inserts,
        updates=event.updates,
        deletes=event.deletes,
        contract=event.contract,
        key=event.key,
        columns=event.columns,
        checks=event.checks,
        recorded_at=recorded.recorded_at,
    )
