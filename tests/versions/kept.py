"""A dataset whose versions a test captures one by one, from tables in memory, under the contract of each time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from engine.clock import SystemClock, SystemEntropy
from engine.core.names import DatasetId, VersionNumber
from engine.core.schema import TableSchema
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Compute
from engine.segments.files import Storage
from engine.sources.base import Reading
from engine.steps.capture import Captured, capture
from engine.steps.facts import Dataset, Tools
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True)
class Kept:
    """One dataset in a real ledger and store."""

    tools: Tools
    id: DatasetId

    def capture(self, schema: TableSchema, rows: pa.Table) -> Captured:
        return capture(self.tools, self.dataset(schema, rows))

    def dataset(self, schema: TableSchema, rows: pa.Table) -> Dataset:
        """The dataset under a contract, with a source that holds these rows."""

        @contextmanager
        def read() -> Iterator[Reading]:
            yield Reading(rows.schema, iter(rows.to_batches()))

        return Dataset(self.id, schema, "1.0.0", read, allow_empty=True)

    def rows(self, number: int) -> pa.Table:
        """A version as the engine reads it, in the order of its key."""
        (table,) = self.tables([number])
        return table

    def tables(self, numbers: Iterable[int]) -> list[pa.Table]:
        """Several versions, each as `rows` gives it."""
        with self.tools.compute.session() as session:
            found = [
                (number, snapshot_table(self.tools, session, self.id, VersionNumber(number))) for number in numbers
            ]
            return [session.stream(t.order_by(list(self.listed(n).key))).read_all() for n, t in found]

    def listed(self, number: int) -> VersionRow:
        return versions.listing(self.tools.database, self.id)[number - 1]

    def forget(self, number: int) -> None:
        """Keep no snapshot of a version."""
        self.tools.storage.remove(self.listed(number).snapshot)


@dataclass
class Shelf:
    """Datasets side by side in one ledger, so that an example does not pay for a new one."""

    tools: Tools
    _names: Iterator[int] = field(default_factory=itertools.count)

    def dataset(self) -> Kept:
        return Kept(self.tools, DatasetId(f"rows{next(self._names)}@1"))


@contextmanager
def shelf(folder: Path, storage: str | None = None) -> Iterator[Shelf]:
    clock, entropy = SystemClock(), SystemEntropy()
    database = open_database(f"sqlite:///{folder / 'ledger.db'}")
    try:
        upgrade(database)
        segments = Storage(storage or str(folder / "segments"), scratch=folder / "scratch", entropy=entropy)
        compute = Compute("256MB", 1, folder / "spill")
        ledger = Ledger(database, clock, "test")
        yield Shelf(Tools(ledger, database, segments, compute, clock, entropy, "test"))
    finally:
        database.dispose()
