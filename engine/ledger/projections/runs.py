"""What each run planned, delivered and came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from engine.core.events import CheckResult, Place, PlanMade, RunFinished, RunStarted, WindowReceived
from engine.core.names import CandidateId, DatasetId, Digest, PlanId, RunId, SegmentRef, Sequence, SyncId, VersionNumber
from engine.errors import LedgerConflict
from engine.ledger.database import Database, reading
from engine.ledger.recorded import Recorded, confirmed, named
from engine.ledger.tables import event
from engine.ledger.tables import run as table

PAGE_RUNS = 200
RUNNING = "running"
"""Status of a run without an end."""

TOTALS = {
    "delivered_inserts": "inserts",
    "delivered_updates": "updates",
    "delivered_deletes": "deletes",
    "rejected": "rejected",
    "failed": "failed",
    "unknown": "unknown",
    "withheld_late": "withheld",
    "requests": "requests",
    "bytes_sent": "bytes_sent",
}
"""Column of a total to the field of `BatchReceipt` that it sums."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run; the plan's fields are None or 0 when none was made, the totals sum the receipts so far.

    ``withheld`` counts rows that the plan left out, ``withheld_late`` rows of the plan whose consent ended before they left.

    ``version`` is the one that the run ended with, or plans to, ``candidate`` the one that it was held for; ``reason`` and
    ``seconds`` are empty until the end.
    """

    run: RunId
    sync: SyncId
    dataset: DatasetId
    destination: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    reason: str
    version: VersionNumber | None
    candidate: CandidateId | None
    plan: PlanId | None
    digest: Digest | None
    segment: SegmentRef | None
    comparison: str | None
    plan_reason: str | None
    mapping: Digest | None
    place: Place | None
    registers: Mapping[str, int]
    inserts: int
    updates: int
    deletes: int
    unchanged: int
    withheld: int
    quarantined: int
    checks: tuple[CheckResult, ...]
    delivered_inserts: int
    delivered_updates: int
    delivered_deletes: int
    rejected: int
    failed: int
    unknown: int
    withheld_late: int
    requests: int
    bytes_sent: int
    seconds: Mapping[str, float]


def started(connection: Connection, recorded: Recorded) -> None:
    """Add the run, with nothing delivered."""
    event = recorded.event
    assert isinstance(event, RunStarted)
    nothing = dict.fromkeys(TOTALS, 0)
    connection.execute(insert(table).values(run=event.run, sync=event.sync, started=recorded.sequence, **nothing))


def planned(connection: Connection, recorded: Recorded) -> None:
    """Note the run's plan."""
    event = recorded.event
    assert isinstance(event, PlanMade)
    _change(connection, event.run, {"planned": recorded.sequence})


def received(connection: Connection, recorded: Recorded) -> None:
    """Add a window's outcomes to the totals."""
    event = recorded.event
    assert isinstance(event, WindowReceived)
    sums = {total: sum(getattr(batch, name) for batch in event.batches) for total, name in TOTALS.items()}
    _change(connection, event.run, {total: table.c[total] + amount for total, amount in sums.items()})


def finished(connection: Connection, recorded: Recorded) -> None:
    """Note the run's end."""
    event = recorded.event
    assert isinstance(event, RunFinished)
    _change(connection, event.run, {"finished": recorded.sequence})


def _change(connection: Connection, run: RunId, values: Mapping[str, Any]) -> None:
    """Update a run that goes on; nothing may happen to one that ended."""
    goes_on = (table.c.run == run) & table.c.finished.is_(None)
    if connection.execute(update(table).where(goes_on).values(**values)).rowcount != 1:
        raise LedgerConflict(
            f"Run {run} has ended, or never started.",
            safe="Nothing was written.",
            next="load the facts of the run again.",
        )


def get(db: Database, run: RunId) -> RunRow | None:
    """The run called ``run``; None when there is no such one."""
    return _first(db, select(table).where(table.c.run == run))


def listing(db: Database, sync: SyncId, limit: int) -> list[RunRow]:
    """The newest ``limit`` runs of ``sync``, newest first."""
    with reading(db) as connection:
        return _rows(connection, connection.execute(_of(sync).limit(limit)).all())


def history(db: Database, sync: SyncId, *, newest_first: bool = False) -> Iterator[RunRow]:
    """Every run of ``sync``, oldest first or newest first, a page in memory at a time."""
    runs = _of(sync) if newest_first else select(table).where(table.c.sync == sync).order_by(table.c.started)
    page = runs.limit(PAGE_RUNS)
    while True:
        with reading(db) as connection:
            found = connection.execute(page).all()
            rows = _rows(connection, found)
        yield from rows
        if len(found) < PAGE_RUNS:
            return
        behind = table.c.started < found[-1].started if newest_first else table.c.started > found[-1].started
        page = runs.where(behind).limit(PAGE_RUNS)


def begun_by(db: Database, sync: SyncId, moment: datetime) -> RunRow | None:
    """The newest run of ``sync`` that had begun at ``moment``."""
    begun = _of(sync).join(event, event.c.seq == table.c.started).where(event.c.recorded_at <= moment)
    return _first(db, begun)


def unfinished(db: Database, sync: SyncId) -> RunRow | None:
    """The run of ``sync`` that a crash or a signal left without an end; None when each has one."""
    return _first(db, _of(sync).where(table.c.finished.is_(None)))


def all_unfinished(db: Database) -> list[RunRow]:
    """Every run, of any sync, that a crash or a signal left without an end, oldest first."""
    with reading(db) as connection:
        open_runs = select(table).where(table.c.finished.is_(None)).order_by(table.c.started)
        return _rows(connection, connection.execute(open_runs).all())


def ended_since(db: Database, sync: SyncId, sequence: Sequence) -> RunRow | None:
    """The newest run of ``sync`` that began behind an event of the ledger, and has an end."""
    return _first(db, _of(sync).where(table.c.started > sequence, table.c.finished.is_not(None)))


def last(db: Database, sync: SyncId) -> RunRow | None:
    """The newest run of ``sync``, finished or not."""
    return _first(db, _of(sync))


def all_last(db: Database) -> list[RunRow]:
    """The newest run of every sync that has one, finished or not."""
    newest = select(func.max(table.c.started)).group_by(table.c.sync)
    with reading(db) as connection:
        return _rows(connection, connection.execute(select(table).where(table.c.started.in_(newest))).all())


def _of(sync: SyncId) -> Select[Any]:
    return select(table).where(table.c.sync == sync).order_by(table.c.started.desc())


def _first(db: Database, statement: Select[Any]) -> RunRow | None:
    with reading(db) as connection:
        rows = _rows(connection, connection.execute(statement.limit(1)).all())
    return rows[0] if rows else None


def _rows(connection: Connection, found: Rows[Row[Any]]) -> list[RunRow]:
    events = named(connection, (sequence for row in found for sequence in (row.started, row.planned, row.finished)))
    return [_row(row, events) for row in found]


def _row(row: Row[Any], events: Mapping[int, Recorded]) -> RunRow:
    named_by_row = {"run": row.run, "sync": row.sync}
    start = confirmed(events[row.started], RunStarted, **named_by_row)
    plan = None if row.planned is None else confirmed(events[row.planned], PlanMade, **named_by_row)
    end = None if row.finished is None else confirmed(events[row.finished], RunFinished, **named_by_row)
    return RunRow(
        run=start.run,
        sync=start.sync,
        dataset=start.dataset,
        destination=start.destination,
        started_at=events[row.started].recorded_at,
        finished_at=events[row.finished].recorded_at if end else None,
        status=end.status if end else RUNNING,
        reason=end.reason if end else "",
        version=(end.version if end else None) or (plan.version if plan else None),
        candidate=end.candidate if end else None,
        plan=plan.plan if plan else None,
        digest=plan.digest if plan else None,
        segment=plan.segment if plan else None,
        comparison=plan.comparison if plan else None,
        plan_reason=plan.reason if plan else None,
        mapping=plan.mapping if plan else None,
        place=plan.place if plan else None,
        registers=plan.registers if plan else MappingProxyType({}),
        inserts=plan.inserts if plan else 0,
        updates=plan.updates if plan else 0,
        deletes=plan.deletes if plan else 0,
        unchanged=plan.unchanged if plan else end.unchanged if end else 0,
        withheld=plan.withheld if plan else 0,
        quarantined=plan.quarantined if plan else 0,
        checks=plan.checks if plan else (),
        seconds=end.seconds if end else MappingProxyType({}),
        **{total: row._mapping[total] for total in TOTALS},  # noqa: SLF001  # the public name of a row by columns
    )
