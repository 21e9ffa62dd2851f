"""Captures of one dataset from any source, with a real ledger and store: what a version is, and what becomes one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.clock import SystemClock, SystemEntropy
from engine.core.canonical import text
from engine.core.names import DatasetId, Digest
from engine.core.schema import TableSchema
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from engine.segments.compute import Compute
from engine.segments.digest import content_digest
from engine.segments.files import Storage
from engine.sources.normalise import normalise
from engine.steps.capture import Captured, capture
from engine.steps.facts import Dataset, Tools
from tests.sources.tables import SCHEMA, Written


@dataclass(frozen=True)
class Captures:
    """One dataset whose source a test replaces as it likes."""

    tools: Tools
    folder: Path

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[Captures]:
        clock, entropy = SystemClock(), SystemEntropy()
        database = open_database(f"sqlite:///{folder / 'ledger.db'}")
        try:
            upgrade(database)
            storage = Storage(str(folder / "segments"), scratch=folder / "scratch", entropy=entropy)
            compute = Compute("256MB", 1, folder / "spill")
            ledger = Ledger(database, clock, "test")
            yield cls(Tools(ledger, database, storage, compute, clock, entropy, "test"), folder)
        finally:
            database.dispose()

    def capture(self, written: Written, schema: TableSchema = SCHEMA) -> Captured:
        source, selection = written
        dataset = Dataset(DatasetId("customers@1"), schema, "1.0.0", lambda: source.open(selection))
        return capture(self.tools, dataset)

    def digest(self, written: Written, schema: TableSchema = SCHEMA) -> Digest:
        """The digest of all values in the order of the key, as texts that destinations see."""
        raw, texts = self.folder / "raw.parquet", self.folder / "texts.parquet"
        source, selection = written
        with self.tools.compute.session() as session:
            with source.open(selection) as reading:
                session.write_reader(normalise(reading, schema).reader, raw)
            table = session.table(raw)
            columns = {name: text(table[name]) for name in schema.names}
            session.write(table.order_by(list(schema.key)).select(**columns), texts)
        return content_digest(texts, schema.names)

    def segments(self) -> set[str]:
        """Every file of the store, finished or not."""
        return {str(path) for path in (self.folder / "segments").rglob("*") if path.is_file()}
