"""What the log says of a dataset's contracts: each that was recorded, which versions are bad, and whether it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import select

from engine.core.events import ContractDeprecated, ContractRecorded, VersionWithdrawn
from engine.core.names import DatasetId, VersionNumber, contract_stream, dataset_stream
from engine.ledger.database import Database, reading
from engine.ledger.recorded import facts, recorded, told
from engine.ledger.tables import event
from engine.ledger.tables import version as version_table

TOLD = (ContractRecorded, VersionWithdrawn)


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract that was recorded, by whose capture or approval and when."""

    event: ContractRecorded
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ContractLog:
    """The contracts of one dataset, oldest first, its newest version, and those that people marked as bad."""

    rows: tuple[ContractRow, ...]
    newest: VersionNumber
    withdrawn: frozenset[VersionNumber]

    def of(self, version: VersionNumber) -> ContractRecorded | None:
        """The contract that held for ``version`` in the end; None for one from before contracts were recorded."""
        held = (row.event for row in reversed(self.rows) if row.event.version <= version)
        return next(held, None)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A person ends a contract on the day ``until``: who, since when and why; ``use`` takes its place."""

    dataset: DatasetId
    until: date
    use: DatasetId
    reason: str
    by: str
    since: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether the day has begun, in UTC as for the dates of a contract's own life."""
        return now.astimezone(UTC).date() >= self.until

    def words(self, now: datetime) -> str:
        """What everybody who uses it should know; the same sentence until the day comes."""
        how = "ended" if self.is_over(now) else "is deprecated and ends"
        return f"{self.dataset} {how} on {self.until:%Y-%m-%d}: use {self.use}"


def deprecation(db: Database, dataset: DatasetId) -> Deprecation | None:
    """What was decided last about the end of a contract; None when it was not, or was taken back."""
    wanted = facts().where(event.c.stream == contract_stream(dataset)).order_by(event.c.position.desc()).limit(1)
    with reading(db) as connection:
        found = [recorded(row) for row in connection.execute(wanted)]
    for fact in found:
        if isinstance(ended := fact.event, ContractDeprecated):
            return Deprecation(
                dataset, date.fromisoformat(ended.until), ended.use, ended.reason, fact.actor, fact.recorded_at
            )
    return None


def contract_log(db: Database, dataset: DatasetId) -> ContractLog:
    """All that the log says of the contracts of ``dataset``."""
    newest = select(version_table.c.version).where(version_table.c.dataset == dataset)
    with reading(db) as connection:
        found = told(connection, dataset_stream(dataset), *TOLD)
        number = connection.execute(newest.order_by(version_table.c.version.desc()).limit(1)).scalar()
    return ContractLog(
        rows=tuple(
            ContractRow(fact.event, fact.actor, fact.recorded_at)
            for fact in found
            if isinstance(fact.event, ContractRecorded)
        ),
        newest=VersionNumber(number or 0),
        withdrawn=frozenset(fact.event.version for fact in found if isinstance(fact.event, VersionWithdrawn)),
    )
