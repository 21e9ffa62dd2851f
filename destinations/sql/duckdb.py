"""DuckDB: one file that one process may have open; records are handed over as Arrow, and cast by the columns' types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import duckdb
import pyarrow as pa

from destinations.base import Batch, Field, Stop, Unavailable, Value
from destinations.http import readable
from destinations.sql.database import Answer, Database
from destinations.sql.refusals import Refusal, refused
from destinations.sql.statements import ID, STAGE, Shape, quoted
from destinations.sql.types import takes

_LOADED = "tidegate_loaded"
_TEXTS = frozenset({"VARCHAR", "JSON"})
_COLUMNS = """
    SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL
    FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND table_catalog = current_database()
    ORDER BY ordinal_position
"""
_UNIQUE = """
    SELECT constraint_column_names FROM duckdb_constraints()
    WHERE schema_name = $1 AND table_name = $2 AND database_name = current_database()
      AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
"""
_VALUE = re.compile(r"'.*'", re.DOTALL)
_CAST = re.compile(r"when casting from source column (.+)$")
_CONSTRAINTS = (
    ("NOT NULL constraint", Refusal.NO_VALUE, "a column that must have a value has none"),
    ("CHECK constraint", Refusal.CHECK, "a check of the table refuses it"),
    ("Duplicate key", Refusal.NOT_UNIQUE, "a key or a unique column has the value in another row"),
    ("foreign key", Refusal.NO_REFERENCE, "a foreign key refuses it"),
)
"""What begins or is in the words about a constraint, and what is said in their place: they repeat values."""
_EMPTY_NAME = re.compile(r'failed: \w+\."?([^"]+)"?$')


class DuckdbSession:
    """One connection to the file; a transaction opens by `begin` only."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._is_open = False

    def begin(self) -> None:
        """Open a transaction."""
        self.connection.execute("BEGIN")
        self._is_open = True

    def execute(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows that a statement gives."""
        rows: list[tuple[Value, ...]] = self.connection.execute(statement, list(values)).fetchall()
        return rows

    def commit(self) -> None:
        if self._is_open:
            self._is_open = False
            self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._is_open:
            self._is_open = False
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()


class Duckdb(Database[DuckdbSession]):
    """One schema of a file, which must exist."""

    error: ClassVar[type[Exception]] = duckdb.Error
    one_writer: ClassVar[bool] = True

    def __init__(self, path: str, schema: str) -> None:
        self._path = path
        self._schema = schema

    def connect(self) -> DuckdbSession:
        if not Path(self._path).is_file():
            raise duckdb.ConnectionException("there is no such file")
        connection = duckdb.connect(self._path)
        connection.execute("SET TimeZone = 'UTC'")
        return DuckdbSession(connection)

    def begin(self, session: DuckdbSession, batch: Batch) -> None:
        del batch
        session.begin()

    def look(self, session: DuckdbSession) -> None:
        session.begin()

    def same(self, column: str, type: str) -> str:
        there, staged = f"t.{quoted(column)}", f"s.{quoted(column)}"
        if type in _TEXTS:
            # Bytes, for a collation may count what differs as the same.
            there, staged = (f"encode(CAST({text} AS varchar))" for text in (there, staged))
        return f"{there} IS NOT DISTINCT FROM {staged}"

    def about(self, session: DuckdbSession) -> str:
        session.execute("SELECT count(*) FROM duckdb_tables()")
        return f"opened with DuckDB {duckdb.__version__}"

    def qualified(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def days_ago(self, days: int) -> str:
        return f"CURRENT_TIMESTAMP - INTERVAL '{days} days'"

    def columns(self, session: DuckdbSession, table: str) -> tuple[Field, ...]:
        alone = {name for key in self.unique(session, table) if len(key) == 1 for name in key}
        return tuple(
            Field(name, type, bool(required), unique=name in alone, takes=takes(type))
            for name, type, required in session.execute(_COLUMNS, (self._schema, table))
        )

    def unique(self, session: DuckdbSession, table: str) -> frozenset[frozenset[str]]:
        return frozenset(frozenset(names) for (names,) in session.execute(_UNIQUE, (self._schema, table)))

    def load(self, session: DuckdbSession, shape: Shape) -> None:
        columns = [pa.array(column, pa.string()) for column in zip(*shape.rows, strict=True)]
        session.connection.register(_LOADED, pa.Table.from_arrays(columns, [ID, *shape.columns]))
        session.execute(f"INSERT INTO {STAGE} SELECT * FROM {_LOADED}")
        session.connection.unregister(_LOADED)

    def meaning(self, error: Exception, *, committing: bool) -> Answer:
        del committing  # a commit that fails has not happened
        message = readable(str(error).partition("\n")[0])
        match error:
            case duckdb.ConstraintException():
                return _constraint(message)
            case duckdb.DataError():
                column = _CAST.search(message)
                said = _CAST.sub("", _VALUE.sub("'…'", message)).strip()
                return refused(Refusal.BAD_VALUE, said, column[1] if column else None)
            case duckdb.TransactionException() | duckdb.IOException():
                return Unavailable(type(error).__name__, message, applied_unknown=False)
            case _:
                return Stop(type(error).__name__, message)


def _constraint(message: str) -> Answer:
    for words, refusal, said in _CONSTRAINTS:
        if words in message:
            column = _EMPTY_NAME.search(message)
            return refused(refusal, said, column[1] if column else None)
    return refused(Refusal.RULE, "a constraint of the table refuses it")
