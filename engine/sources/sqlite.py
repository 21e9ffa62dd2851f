"""SQLite: every value has a type of its own, whatever its column says, and keeps it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from engine.sources.base import CHECK_PATH, Reading, Selection, unreadable
from engine.sources.relation import relation
from engine.sources.untyped import DYNAMIC, SQLITE_KINDS, dynamic

_FETCH_ROWS_FIRST = 64
_FETCH_ROWS = 16_384
_FETCH_BYTES = 32 * 2**20
_BUSY_SECONDS = 30

_REPEATED = re.compile(r"(.+):[0-9]+")
"""How SQLite renames a column of a query when one before it has the same name."""
_COLUMN = re.compile(r"column '(.*?)' with text")

_DAMAGED = "the file is damaged, truncated or not a SQLite database"
_LOCKED = "a writer holds the database; WAL mode lets readers in"
_HOT = "its last writer died; open it once with the program that writes it, so that SQLite mends it"
_REASONS = {
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_READONLY_ROLLBACK": _HOT,
    "SQLITE_READONLY_RECOVERY": _HOT,
    "SQLITE_ERROR": "the query is not valid SQL, or fails on a value",
}


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
            raise unreadable(self.name, selection, f"there is no file {Path(self.path).name}", CHECK_PATH)
        address = f"file:{quote(str(Path(self.path).resolve()))}?mode=ro"
        try:
            # The engine pulls rows from threads of its own, one after the other.
            connection = sqlite3.connect(
                address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None
        with closing(connection):
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                self._check_size(connection, selection)
                cursor = connection.execute(f"SELECT * FROM {relation(selection)}")
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise unreadable(self.name, selection, _reason(error)) from None
            names = [column[0] for column in cursor.description]
            if selection.query is not None and _has_repeated(names):
                raise unreadable(self.name, selection, "two columns have the same name")
            schema = pa.schema([(name, DYNAMIC) for name in names])
            yield Reading(schema, self._batches(cursor, schema, selection))

    def _check_size(self, connection: sqlite3.Connection, selection: Selection) -> None:
        """SQLite reads a page that is cut off as if zeros followed."""
        size = Path(self.path).stat().st_size
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        if size == 0:
            raise unreadable(self.name, selection, f"{Path(self.path).name} is empty")
        if size % page:
            raise unreadable(self.name, selection, f"{Path(self.path).name} is truncated or not a SQLite database")

    def _batches(self, cursor: sqlite3.Cursor, schema: pa.Schema, selection: Selection) -> Iterator[pa.RecordBatch]:
        count = _FETCH_ROWS_FIRST
        try:
            while rows := cursor.fetchmany(count):
                columns = [dynamic(values, SQLITE_KINDS) for values in zip(*rows, strict=True)]
                batch = pa.RecordBatch.from_arrays(columns, schema=schema)
                yield batch
                count = min(_FETCH_ROWS, 1 + len(rows) * _FETCH_BYTES // (1 + batch.nbytes))
        except sqlite3.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None


def _has_repeated(names: list[str]) -> bool:
    """Whether two columns of a query had the same name, or names that differ in case alone, before SQLite saw to it."""
    plain = {name.lower() for name in names}
    repeated = (_REPEATED.fullmatch(name.lower()) for name in names)
    return len(plain) != len(names) or any(found and found[1] in plain for found in repeated)


def _reason(error: Exception) -> str:
    """What failed, in our words: the database's own text may quote values."""
    message = str(error)
    if "no such" in message:
        return "the table, a column or a function does not exist"
    if "UTF-8" in message:
        column = _COLUMN.search(message)
        return f"a text{f' in column {column[1]}' if column else ''} is not valid UTF-8"
    code = getattr(error, "sqlite_errorname", "")
    return _REASONS.get(code) or f"the database gave up ({code or type(error).__name__})"
