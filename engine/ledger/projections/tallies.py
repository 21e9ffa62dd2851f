"""Sums over the whole log, so that a counter never falls and is the same on every host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from engine.core.events import (
    CaptureBlocked,
    CaptureUnchanged,
    CheckResult,
    PlanMade,
    RunFinished,
    VersionAccepted,
    VersionHeld,
    WindowReceived,
)
from engine.ledger.database import Database, insert_or_add, reading
from engine.ledger.recorded import Recorded, tampered
from engine.ledger.tables import run
from engine.ledger.tables import tally as table

OTHER = "other"
DETAILS_MAX = 50
"""Codes of one sync, and findings of one subject, that are told apart; the rest are counted as `OTHER`."""
MILLISECONDS = 1_000


class Counted(StrEnum):
    """What is summed, and what its details are."""

    CAPTURES = "captures"
    """Of a dataset, by how they ended."""
    FINDINGS = "findings"
    """What checks found that did not pass, of a dataset or a sync, as ``check/verdict``."""
    RUNS = "runs"
    """Of a sync, by status."""
    MILLISECONDS = "milliseconds"
    """Of a sync, by step."""
    DELIVERED = "delivered"
    """Records of a sync, by their effect."""
    UNDELIVERED = "undelivered"
    """Records of a sync, by their outcome."""
    CODES = "codes"
    """Records of a sync that were not delivered, by the destination's code."""
    EFFORT = "effort"
    """Of a sync: ``batches``, ``requests`` and ``bytes``."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One sum."""

    counted: Counted
    subject: str
    detail: str
    amount: int


_ENDS = {
    VersionAccepted: "accepted",
    CaptureUnchanged: "unchanged",
    CaptureBlocked: "blocked",
    VersionHeld: "held",
}


def captured(connection: Connection, recorded: Recorded) -> None:
    """Count a capture and what its checks found."""
    event = recorded.event
    assert isinstance(event, VersionAccepted | CaptureUnchanged | CaptureBlocked | VersionHeld)
    _add(connection, Counted.CAPTURES, event.dataset, {_ENDS[type(event)]: 1})
    if not isinstance(event, CaptureUnchanged):
        _add_bounded(connection, Counted.FINDINGS, event.dataset, _findings(event.checks))


def planned(connection: Connection, recorded: Recorded) -> None:
    """Count what the checks of a plan found."""
    event = recorded.event
    assert isinstance(event, PlanMade)
    _add_bounded(connection, Counted.FINDINGS, event.sync, _findings(event.checks))


def received(connection: Connection, recorded: Recorded) -> None:
    """Count how the records of a window ended, and what it cost."""
    event = recorded.event
    assert isinstance(event, WindowReceived)
    sync = connection.execute(select(run.c.sync).where(run.c.run == event.run)).scalar_one()

    def total(field: str) -> int:
        return sum(getattr(batch, field) for batch in event.batches)

    delivered = {"insert": total("inserts"), "update": total("updates"), "delete": total("deletes")}
    _add(connection, Counted.DELIVERED, sync, delivered)
    outcomes = ("rejected", "failed", "unknown", "withheld")
    _add(connection, Counted.UNDELIVERED, sync, {outcome: total(outcome) for outcome in outcomes})
    effort = {"batches": len(event.batches), "requests": total("requests"), "bytes": total("bytes_sent")}
    _add(connection, Counted.EFFORT, sync, effort)
    _add_bounded(connection, Counted.CODES, sync, event.codes)


def finished(connection: Connection, recorded: Recorded) -> None:
    """Count a run by its status, and how long its steps took."""
    event = recorded.event
    assert isinstance(event, RunFinished)
    _add(connection, Counted.RUNS, event.sync, {event.status: 1})
    steps = {step: round(seconds * MILLISECONDS) for step, seconds in event.seconds.items()}
    _add(connection, Counted.MILLISECONDS, event.sync, steps)


def _findings(checks: Iterable[CheckResult]) -> Mapping[str, int]:
    return Counter(f"{check.check}/{check.verdict}" for check in checks if check.verdict != "pass")


def _add(connection: Connection, counted: Counted, subject: str, amounts: Mapping[str, int]) -> None:
    rows = [
        {"counted": counted.value, "subject": subject, "detail": detail, "amount": amount}
        for detail, amount in amounts.items()
        if amount
    ]
    if rows:
        insert_or_add(connection, table, rows, "amount")


def _add_bounded(connection: Connection, counted: Counted, subject: str, amounts: Mapping[str, int]) -> None:
    """As `_add`, of details that others make up: what is new once there are many is counted as `OTHER`."""
    if not amounts:
        return
    of_subject = (table.c.counted == counted.value) & (table.c.subject == subject)
    known = set(connection.execute(select(table.c.detail).where(of_subject)).scalars())
    bounded = Counter[str]()
    for detail, amount in sorted(amounts.items()):
        name = detail if detail in known or len(known) < DETAILS_MAX else OTHER
        known.add(name)
        bounded[name] += amount
    _add(connection, counted, subject, bounded)


def listing(db: Database) -> list[Tally]:
    """Every sum, in order of what it counts, of whom, and its detail."""
    ordered = select(table).order_by(table.c.counted, table.c.subject, table.c.detail)
    with reading(db) as connection:
        rows = connection.execute(ordered).all()
    try:
        return [Tally(Counted(row.counted), row.subject, row.detail, row.amount) for row in rows]
    except ValueError as error:
        raise tampered("A read model counts what this code does not know.", "tally") from error
