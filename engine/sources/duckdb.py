"""DuckDB: a database file opened read-only, and the hardened engine that reads files for `engine.sources.files`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from engine.sources.base import BATCH_ROWS, Reading, Selection, unreadable


@dataclass(frozen=True, slots=True)
class DuckDBSource:
    """One DuckDB file; nobody may write to it while it is read, which the database itself sees to."""

    name: str
    path: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """One read in one transaction."""
        if not Path(self.path).is_file():
            raise unreadable(self.name, selection, "the database file does not exist")
        with reading(self.name, selection, self._connect(selection), _statement(selection)) as read:
            yield read

    def _connect(self, selection: Selection) -> duckdb.DuckDBPyConnection:
        try:
            return hardened(self.path, self.memory, self.threads, allowed=None, read_only=True)
        except duckdb.IOException as error:
            why = "another process holds it for writing" if "lock" in str(error).lower() else "it cannot be opened"
            raise unreadable(self.name, selection, why) from None
        except duckdb.Error as error:
            raise unreadable(self.name, selection, f"it cannot be opened ({type(error).__name__})") from None


def hardened(
    path: str, memory: str, threads: int, *, allowed: Path | None, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """A connection that reaches no file outside ``allowed``, loads no extension, and cannot be told otherwise."""
    connection = duckdb.connect(
        path,
        read_only=read_only,
        config={
            "memory_limit": memory,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    if allowed is not None:
        folder = str(allowed).replace("'", "''")
        connection.execute(f"SET allowed_directories = ['{folder}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def reading(
    name: str, selection: Selection, connection: duckdb.DuckDBPyConnection, statement: str
) -> Iterator[Reading]:
    """The result of one statement as a typed reading; closes the connection at the end."""
    try:
        try:
            reader = connection.sql(statement).to_arrow_reader(BATCH_ROWS)
        except (duckdb.Error, pa.ArrowException) as error:
            raise unreadable(name, selection, _reason(error)) from None
        yield Reading(reader.schema, _batches(name, selection, reader), frozenset())
    finally:
        connection.close()


def _batches(name: str, selection: Selection, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise unreadable(name, selection, _reason(error)) from None


def _statement(selection: Selection) -> str:
    if selection.query is not None:
        return selection.query
    assert selection.table is not None, "a selection is a table or a query"
    return "SELECT * FROM " + ".".join(quoted(part) for part in selection.table.split("."))


def quoted(identifier: str) -> str:
    """An identifier of any characters."""
    return '"' + identifier.replace('"', '""') + '"'


def _reason(error: Exception) -> str:
    """What failed, without the database's text where that may quote values."""
    kinds = {
        duckdb.CatalogException: "the table or a column does not exist",
        duckdb.BinderException: "the table or a column does not exist, or the query does not fit it",
        duckdb.ParserException: "the query is not valid SQL",
        duckdb.PermissionException: "the query reaches outside the connection, which is not allowed",
        duckdb.InvalidInputException: "a value or the file is malformed",
        duckdb.ConversionException: "a value does not have the type that the query asks for",
        duckdb.OutOfMemoryException: "the read needs more memory than `compute.memory` gives",
        duckdb.IOException: "the file is damaged, truncated or not of its kind",
    }
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), type(error).__name__)
