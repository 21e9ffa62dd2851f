"""What the log says of a dataset's contracts: each that was recorded, and which of its versions are bad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from engine.core.events import ContractRecorded, VersionWithdrawn
from engine.core.names import DatasetId, VersionNumber, dataset_stream
from engine.ledger.database import Database, reading
from engine.ledger.recorded import facts, recorded
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


def contract_log(db: Database, dataset: DatasetId) -> ContractLog:
    """All that the log says of the contracts of ``dataset``."""
    wanted = facts().where(event.c.stream == dataset_stream(dataset), event.c.type.in_([kind.type for kind in TOLD]))
    newest = select(version_table.c.version).where(version_table.c.dataset == dataset)
    with reading(db) as connection:
        found = [recorded(row) for row in connection.execute(wanted.order_by(event.c.seq))]
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
