"""SQLite: one file, one writer at a time; values keep what the column's affinity makes of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from destinations.base import Batch, Field, Stop, Unavailable, Value
from destinations.http import readable
from destinations.sql.database import Answer, Database
from destinations.sql.refusals import WORDLESS, Refusal, refused
from destinations.sql.statements import STAGE, Document, Shape, quoted

BUSY_SECONDS_MAX = 5
_COLUMNS = 'SELECT name, type, "notnull" AND dflt_value IS NULL, hidden IN (2, 3) FROM pragma_table_xinfo($1)'
_UNIQUE = """
    SELECT i.name, c.name FROM pragma_index_list($1) AS i, pragma_index_info(i.name) AS c
    WHERE i."unique" AND NOT i.partial
    UNION ALL SELECT '', name FROM pragma_table_info($1) WHERE pk
"""
_INTEGERS = range(-(2**63), 2**63)
_WAITING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_PRIMARY_CODE = 0xFF
"""The low byte of an extended result code: https://www.sqlite.org/rescode.html"""
_REFUSALS = {
    "SQLITE_CONSTRAINT_NOTNULL": Refusal.NO_VALUE,
    "SQLITE_CONSTRAINT_UNIQUE": Refusal.NOT_UNIQUE,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Refusal.NOT_UNIQUE,
    "SQLITE_CONSTRAINT_ROWID": Refusal.NOT_UNIQUE,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Refusal.NO_REFERENCE,
    "SQLITE_CONSTRAINT_CHECK": Refusal.CHECK,
    "SQLITE_CONSTRAINT_TRIGGER": Refusal.RULE,
}


class SqliteSession:
    """One connection to the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows that a statement gives."""
        named = {str(number): value for number, value in enumerate(values, 1)}
        return self.connection.execute(statement, named).fetchall()

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


class Sqlite(Database[SqliteSession]):
    """One file, which must exist."""

    error: ClassVar[type[Exception]] = sqlite3.Error
    one_writer: ClassVar[bool] = True

    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self) -> SqliteSession:
        address = f"file:{quote(str(Path(self._path)))}?mode=rw"
        # Batches are applied by whichever thread is free, one after the other.
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=BUSY_SECONDS_MAX, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return SqliteSession(connection)

    def begin(self, session: SqliteSession, batch: Batch) -> None:
        del batch
        session.execute("BEGIN IMMEDIATE")

    def look(self, session: SqliteSession) -> None:
        session.execute("BEGIN")

    def same(self, column: str, type: str) -> str:
        del type  # what a row holds need not be of it
        there, staged = f"t.{quoted(column)}", f"s.{quoted(column)}"
        return f"typeof({there}) = typeof({staged}) AND {there} IS {staged} COLLATE BINARY"

    def about(self, session: SqliteSession) -> str:
        session.execute("SELECT count(*) FROM sqlite_schema")
        return f"opened with SQLite {sqlite3.sqlite_version}"

    def qualified(self, table: str) -> str:
        return f"main.{quoted(table)}"

    def days_ago(self, days: int) -> str:
        return f"datetime('now', '-{days} days')"

    def columns(self, session: SqliteSession, table: str) -> tuple[Field, ...]:
        alone = {name for key in self.unique(session, table) if len(key) == 1 for name in key}
        return tuple(
            Field(name, type, bool(required), bool(hidden), name in alone)
            for name, type, required, hidden in session.execute(_COLUMNS, (table,))
        )

    def unique(self, session: SqliteSession, table: str) -> frozenset[frozenset[str]]:
        found: dict[str, set[str]] = {}
        for index, column in session.execute(_UNIQUE, (table,)):
            found.setdefault(index, set()).add(column)
        return frozenset(map(frozenset, found.values()))

    def load(self, session: SqliteSession, shape: Shape) -> None:
        marks = ", ".join("?" * (1 + len(shape.columns)))
        session.connection.executemany(f"INSERT INTO temp.{STAGE} VALUES ({marks})", shape.rows)

    def documents(self, batch: Batch) -> Iterator[Document]:
        """A column takes what it is given, so what is a number must come as one."""
        for record in batch.records:
            yield record.id, {name: _bound(value) for name, value in {**record.fields, **record.key}.items()}

    def meaning(self, error: Exception, *, committing: bool) -> Answer:
        del committing  # a commit that fails has not happened
        code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        number = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
        message = readable(str(error))
        if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
            refusal = _REFUSALS.get(code, Refusal.BAD_VALUE)
            return refused(refusal, WORDLESS if refusal is Refusal.RULE else message)
        if number in _WAITING:
            return Unavailable(code, message, applied_unknown=False)
        return Stop(code, message)


def _bound(value: Value) -> Value:
    """A JSON value as SQLite takes it: numbers that its integers or floats cannot hold go as text, none loses digits."""
    match value:
        case None | str():
            return value
        case bool():
            return int(value)
        case int():
            return value if value in _INTEGERS else str(value)
        case Decimal():
            exact = float(value)
            return exact if Decimal(repr(exact)) == value else str(value)
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)
