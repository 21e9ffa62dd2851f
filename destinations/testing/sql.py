"""The suites of the SQL adapter: a table of each database; a database has no HTTP to go wrong."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import duckdb

from destinations.base import Destination, Spec, Value
from destinations.sql.adapter import SqlTable
from destinations.testing.conformance import Conformance
from destinations.testing.fake import Fake
from destinations.testing.samples import Kind


class TableFake(Fake):
    """A table with a column for each kind of value, and another one that names the records to refuse."""

    types: ClassVar[Mapping[Kind, str]]
    mark: ClassVar[str]
    """What stands for a value in a statement."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        columns = ", ".join(f'"{kind}" {self.types[kind]}' for kind in Kind)
        self.make(f"CREATE TABLE contacts (id TEXT PRIMARY KEY, {columns})")

    @abstractmethod
    def execute(self, statement: str, *values: Value) -> list[tuple[Value, ...]]:
        """The rows that a statement gives."""

    @abstractmethod
    def make(self, table: str) -> None:
        """Make the table, and what refuses records."""

    def held(self) -> Mapping[str, Mapping[str, Value]]:
        columns = ", ".join(f'"{kind}"' for kind in Kind)
        rows = self.execute(f"SELECT id, {columns} FROM contacts")
        return {id: {k.value: self.read(k, v) for k, v in zip(Kind, values, strict=True)} for id, *values in rows}

    def read(self, kind: Kind, value: Value) -> Value:
        """A value of the table in the form in which it was sent."""
        if value is None:
            return None
        match kind:
            case Kind.DECIMAL:
                return Decimal(value)
            case Kind.BOOLEAN:
                return bool(value)
            case _:
                return value

    def put(self, id: str, fields: Mapping[str, Value]) -> None:
        names, marks = "".join(f', "{name}"' for name in fields), f", {self.mark}" * len(fields)
        self.execute(f"INSERT INTO contacts (id{names}) VALUES ({self.mark}{marks})", id, *fields.values())

    def reject(self, id: str) -> None:
        self.execute(f"INSERT INTO refused VALUES ({self.mark})", id)


class SqliteFake(TableFake):
    """A file; decimals are text in it, for SQLite's own numbers are floats."""

    types = dict.fromkeys(Kind, "TEXT") | {Kind.INTEGER: "INTEGER", Kind.BOOLEAN: "INTEGER"}
    mark = "?"

    @property
    def path(self) -> Path:
        return self.folder / "crm.db"

    def make(self, table: str) -> None:
        self.execute(table)
        self.execute("CREATE TABLE refused (id TEXT PRIMARY KEY)")
        self.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON contacts WHEN new.id IN (SELECT id FROM refused) "
            "BEGIN SELECT RAISE(ABORT, 'this record is refused'); END"
        )

    def config(self) -> Mapping[str, str]:
        return {"url": f"sqlite:///{self.path}"}

    def execute(self, statement: str, *values: Value) -> list[tuple[Value, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()


class DuckdbFake(TableFake):
    """A file; dates and times are text in it. DuckDB has no triggers, so a check refuses a record."""

    types = dict.fromkeys(Kind, "TEXT") | {
        Kind.INTEGER: "BIGINT",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.DECIMAL: "DECIMAL(38, 10)",
    }
    mark = "?"

    @property
    def path(self) -> Path:
        return self.folder / "crm.duckdb"

    def make(self, table: str) -> None:
        self.execute(table)
        self._table = table

    def reject(self, id: str) -> None:
        assert not self.held(), "a table that holds rows gets no new check"
        self.execute("DROP TABLE contacts")
        self.execute(f"{self._table[:-1]}, CHECK (id <> '{id}'))")

    def config(self) -> Mapping[str, str]:
        return {"url": f"duckdb:///{self.path}"}

    def execute(self, statement: str, *values: Value) -> list[tuple[Value, ...]]:
        with closing(duckdb.connect(self.path)) as connection:
            return connection.execute(statement, values).fetchall()


class TestSqlite(Conformance):
    """A table in SQLite."""

    adapter: ClassVar[type[Destination]] = SqlTable
    fake: ClassVar[type[Fake]] = SqliteFake


class TestDuckdb(Conformance):
    """A table in DuckDB."""

    adapter: ClassVar[type[Destination]] = SqlTable
    fake: ClassVar[type[Fake]] = DuckdbFake
