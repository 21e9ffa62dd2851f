"""SQLite: values have types of their own, whatever the column says, so all are read as exact text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from engine.sources.base import BATCH_ROWS, Reading, Selection, unreadable

BLOB_PREFIX = "\\x"
"""Before the hexadecimal digits of a blob, as in PostgreSQL; a column of type binary is parsed from it."""


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """One SQLite file, read in one transaction; writers may go on in WAL mode."""

    name: str
    path: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read a table or query; raises `SourceError`."""
        if not Path(self.path).is_file():
            raise unreadable(self.name, selection, "the database file does not exist")
        try:
            address = f"file:{quote(str(Path(self.path).resolve()))}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)) as connection:
                connection.execute("BEGIN")
                names = self._names(connection, selection)
                cursor = connection.execute(_as_text(selection, names))
                schema = pa.schema([(name, pa.string()) for name in names])
                yield Reading(schema, self._batches(cursor, schema, selection), frozenset(names))
        except sqlite3.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None

    def _names(self, connection: sqlite3.Connection, selection: Selection) -> list[str]:
        cursor = connection.execute(f"SELECT * FROM {_relation(selection)} LIMIT 0")
        names = [column[0] for column in cursor.description]
        if len({name.casefold() for name in names}) != len(names):
            raise unreadable(self.name, selection, "two columns have the same name")
        return names

    def _batches(self, cursor: sqlite3.Cursor, schema: pa.Schema, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            while rows := cursor.fetchmany(BATCH_ROWS):
                columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except (sqlite3.Error, pa.ArrowException, UnicodeError) as error:
            raise unreadable(self.name, selection, _reason(error)) from None


def _relation(selection: Selection) -> str:
    if selection.query is not None:
        return f"({selection.query.strip().rstrip(';')})"
    assert selection.table is not None, "a selection is a table or a query"
    return _quoted(selection.table)


def _as_text(selection: Selection, names: list[str]) -> str:
    """Seventeen digits say a float exactly; integers and text are exact as they are."""
    columns = [
        f"CASE typeof({_quoted(n)}) WHEN 'real' THEN printf('%!.17g', {_quoted(n)})"
        f" WHEN 'blob' THEN '{BLOB_PREFIX}' || hex({_quoted(n)}) ELSE CAST({_quoted(n)} AS TEXT) END AS {_quoted(n)}"
        for n in names
    ]
    return f"SELECT {', '.join(columns)} FROM {_relation(selection)}"


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _reason(error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError) and "no such" in str(error):
        return "the table or a column does not exist"
    if isinstance(error, sqlite3.DatabaseError):
        return f"the file is damaged or busy, or the query is not valid ({error.sqlite_errorname})"
    return "a text is not valid UTF-8"
