"""SQLite: every value has a type of its own, whatever its column says, and keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from engine.sources.base import Reading, Selection, unreadable
from engine.sources.relation import relation
from engine.sources.untyped import DYNAMIC, SQLITE_KINDS, dynamic

_FETCH_ROWS = 16_384
_BUSY_SECONDS = 30


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
        address = f"file:{quote(str(Path(self.path).resolve()))}?mode=ro"
        try:
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        except sqlite3.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None
        with closing(connection):
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                cursor = connection.execute(f"SELECT * FROM {relation(selection)}")
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise unreadable(self.name, selection, _reason(error)) from None
            names = [column[0] for column in cursor.description]
            if len(set(names)) != len(names):
                raise unreadable(self.name, selection, "two columns have the same name")
            schema = pa.schema([(name, DYNAMIC) for name in names])
            yield Reading(schema, self._batches(cursor, schema, selection))

    def _batches(self, cursor: sqlite3.Cursor, schema: pa.Schema, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            while rows := cursor.fetchmany(_FETCH_ROWS):
                columns = [dynamic(values, SQLITE_KINDS) for values in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except sqlite3.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None


def _reason(error: Exception) -> str:
    """What failed, in our words: the database's own text may quote values."""
    message = str(error)
    if "no such" in message:
        return "the table or a column does not exist"
    if "UTF-8" in message:
        return "a text is not valid UTF-8"
    match getattr(error, "sqlite_errorname", ""):
        case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
            return "the file is damaged, truncated or not a SQLite database"
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "a writer holds the database; WAL mode lets readers in"
        case "SQLITE_ERROR":
            return "the query is not valid SQL"
        case code:
            return f"the database gave up ({code or type(error).__name__})"
