"""Events to append, with names that say what matters, and a clock that moves only when told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from engine.core.events import (
    BatchIntent,
    BatchReceipt,
    CaptureBlocked,
    CaptureUnchanged,
    CheckResult,
    Place,
    PlanMade,
    RejectionsDropped,
    RejectionsReleased,
    RunFinished,
    RunStarted,
    StateFolded,
    VersionAccepted,
    VersionHeld,
    VersionRejected,
    WindowIntended,
    WindowReceived,
)
from engine.core.names import DatasetId, Digest, PlanId, RunId, SegmentRef, SyncId, VersionNumber, run_stream

CUSTOMERS = DatasetId("customers@1")
CRM = SyncId("customers_to_crm")
RUN = RunId("20260102T030405-9f2c")
STREAM = run_stream(RUN)


class StillClock:
    """Time that stands still until `advance`; monotonic and wall time move together."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def segment(name: str = "a", rows: int = 3) -> SegmentRef:
    return SegmentRef(path=f"x/{name}.parquet", digest=Digest(name.ljust(64, "0")), rows=rows, bytes=100)


def check(verdict: str = "pass", message: str = "3 rows") -> CheckResult:
    return CheckResult(check="rows", verdict=verdict, message=message, metrics={"rows": 3.0})


def accepted(number: int = 1, dataset: DatasetId = CUSTOMERS) -> VersionAccepted:
    return VersionAccepted(
        dataset=dataset,
        version=VersionNumber(number),
        snapshot=segment(f"s{number}"),
        changes=segment(f"c{number}") if number > 1 else None,
        quarantine=None,
        rows=3,
        inserts=3,
        updates=0,
        deletes=0,
        contract="1.0.0",
        key=("customer_id",),
        columns={"customer_id": "integer", "email": "string"},
        checks=(check(),),
    )


def unchanged(number: int = 1, dataset: DatasetId = CUSTOMERS) -> CaptureUnchanged:
    return CaptureUnchanged(dataset=dataset, version=VersionNumber(number), rows=3)


def blocked(dataset: DatasetId = CUSTOMERS) -> CaptureBlocked:
    said = check("block", "0 rows, at least 1 is demanded")
    return CaptureBlocked(dataset=dataset, rows=0, content=None, checks=(check(), said))


def held(number: int = 2, dataset: DatasetId = CUSTOMERS) -> VersionHeld:
    return VersionHeld(
        dataset=dataset,
        version=VersionNumber(number),
        snapshot=segment(f"h{number}"),
        quarantine=None,
        rows=3,
        inserts=1,
        updates=0,
        deletes=0,
        contract="1.0.0",
        key=("customer_id",),
        columns={"customer_id": "integer", "email": "string"},
        content=Digest("c" * 64),
        digest=Digest("a" * 64),
        checks=(check("hold", "3 rows are many"),),
    )


def refused(number: int = 2, dataset: DatasetId = CUSTOMERS) -> VersionRejected:
    return VersionRejected(
        dataset=dataset,
        version=VersionNumber(number),
        digest=Digest("a" * 64),
        content=Digest("c" * 64),
        comment="a broken join",
    )


def started(run: RunId = RUN, sync: SyncId = CRM) -> RunStarted:
    return RunStarted(run=run, sync=sync, dataset=CUSTOMERS, destination="crm")


def planned(run: RunId = RUN, sync: SyncId = CRM) -> PlanMade:
    return PlanMade(
        run=run,
        sync=sync,
        plan=PlanId("0123456789abcdef"),
        digest=Digest("d" * 64),
        segment=segment("p", rows=4),
        version=VersionNumber(1),
        comparison="full",
        reason="first run",
        mapping=Digest("e" * 64),
        place=Place("crm", "contacts", ("external_id",)),
        registers={"consent@1": 2},
        consent_until=None,
        inserts=2,
        updates=1,
        deletes=1,
        unchanged=7,
        withheld=1,
        quarantined=0,
        checks=(check(),),
    )


def intended(window: int, run: RunId = RUN) -> WindowIntended:
    return WindowIntended(run=run, window=window, batches=(BatchIntent(window, "upsert", 0, 1, f"key-{window}"),))


def received(window: int, run: RunId = RUN, *, inserts: int = 1, rejected: int = 0) -> WindowReceived:
    receipt = BatchReceipt(
        number=window,
        inserts=inserts,
        updates=1,
        deletes=0,
        rejected=rejected,
        failed=0,
        unknown=0,
        requests=1,
        bytes_sent=50,
    )
    exceptions, codes = (segment(f"x{window}"), {"invalid_email": rejected}) if rejected else (None, {})
    return WindowReceived(run=run, window=window, batches=(receipt,), exceptions=exceptions, codes=codes)


def folded(run: RunId = RUN, sync: SyncId = CRM, delivered: int = 4) -> StateFolded:
    return StateFolded(
        run=run,
        sync=sync,
        segments=(segment("base"), segment("top")),
        version=VersionNumber(1),
        mapping=Digest("e" * 64),
        place=Place("crm", "contacts", ("external_id",)),
        registers={"consent@1": 2},
        consent_until=None,
        delivered=delivered,
        owed=0,
    )


def released(sync: SyncId = CRM, records: int = 2) -> RejectionsReleased:
    return RejectionsReleased(sync=sync, records=records)


def dropped(sync: SyncId = CRM, records: int = 2) -> RejectionsDropped:
    return RejectionsDropped(sync=sync, records=records)


def finished(run: RunId = RUN, sync: SyncId = CRM, status: str = "succeeded") -> RunFinished:
    return RunFinished(
        run=run,
        sync=sync,
        status=status,
        reason="done",
        version=VersionNumber(1),
        candidate=None,
        seconds={"plan": 0.5, "deliver": 2},
    )


def as_intruder(engine: Engine, *statements: str) -> None:
    """Change the log as somebody with all rights over the database can: with triggers and foreign keys off."""
    if engine.dialect.name == "sqlite":
        # A connection of its own does not enforce foreign keys.
        with closing(sqlite3.connect(str(engine.url.database))) as connection, connection:
            for trigger in ("event_refuses_update", "event_refuses_delete", "event_refuses_replace"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            for statement in statements:
                connection.execute(statement)
        return
    with engine.begin() as transaction:
        for statement in ("SET LOCAL session_replication_role = replica", *statements):
            transaction.execute(text(statement))
