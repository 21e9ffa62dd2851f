"""DuckDB: a database file attached read-only, and the hardened engine that also reads CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from engine.sources.base import BATCH_ROWS, CHECK_PATH, Reading, Selection, unreadable
from engine.sources.relation import literal, quoted, relation

_LOCKED = "another connection holds the database open for writing"
_DAMAGED = "the file is damaged, truncated or not a DuckDB database"
_VALUE = "the query fails on a value that it reads"
_REASONS = (
    ("IO Error: Could not set lock", _LOCKED),
    ("Resource In Use Error", _LOCKED),
    ("Parser Error", "the query is not valid SQL"),
    ("Permission Error", "the query reaches outside its connection, which is not allowed"),
    ("Catalog Error", "the table, or something that the query names, does not exist"),
    ("Binder Error", "a column does not exist, or the query does not fit the table"),
    ("Conversion Error", _VALUE),
    ("Invalid Input Error", _VALUE),
    ("Out of Range Error", _VALUE),
    ("Out of Memory Error", "the read needs more memory or disk than it may take"),
    ("IO Error", _DAMAGED),
    ("Data Corruption Error", _DAMAGED),
    ("Corrupt database file", _DAMAGED),
    ("Serialization Error", _DAMAGED),
)
"""How the database's messages begin. While rows are streamed, they arrive as errors of Arrow, so types say nothing."""

_AS_TEXT = frozenset({"BIT", "TIME WITH TIME ZONE", "UHUGEINT"})
"""Types that would lose their zone, their digits or their meaning on the way to Arrow."""


@dataclass(frozen=True, slots=True)
class DuckDBSource:
    """One database file. DuckDB keeps writers out while it is read, and readers while it is written."""

    name: str
    path: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read a table or query in one transaction; raises `SourceError`."""
        with (
            TemporaryDirectory(prefix="tidegate-") as spill,
            closing(hardened(self.memory, self.threads, spill)) as connection,
        ):
            self._attach(connection, selection)
            confine(connection)
            try:
                found = connection.sql(_statement(connection, selection))
                if len(set(found.columns)) != len(found.columns):
                    raise unreadable(self.name, selection, "two columns have the same name")
                reader = _faithful(found).to_arrow_reader(BATCH_ROWS)
            except _NotOneQuery:
                raise unreadable(self.name, selection, "`query` must be exactly one SELECT") from None
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise unreadable(self.name, selection, _reason(error)) from None
            yield Reading(reader.schema, self._batches(reader, selection))

    def _attach(self, connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
        if not Path(self.path).is_file():
            raise unreadable(self.name, selection, f"there is no file {Path(self.path).name}", CHECK_PATH)
        try:
            connection.execute(f"ATTACH {literal(self.path)} AS source (TYPE duckdb, READ_ONLY)")
            connection.execute("USE source")
        except duckdb.Error as error:
            why = _reason(error)
            wait = "let the writer close its connection, or read a copy of the file; then run again."
            raise unreadable(self.name, selection, why, wait if why == _LOCKED else "") from None

    def _batches(self, reader: pa.RecordBatchReader, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise unreadable(self.name, selection, _reason(error)) from None


class _NotOneQuery(Exception):
    """The text is no query, or more than one statement."""


def hardened(memory: str, threads: int, spill: str = "") -> duckdb.DuckDBPyConnection:
    """A private engine that loads no extension and sees no variable of this program; close it after use.

    What does not fit into ``memory`` goes to the folder ``spill``; without one it fails, and never lands elsewhere.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    # A bar would be drawn on stdout, in the middle of what a program reads.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def confine(connection: duckdb.DuckDBPyConnection, folder: Path | None = None) -> None:
    """From here on the engine reaches no file but what is attached or below ``folder``, and cannot be told otherwise."""
    if folder is not None:
        connection.execute(f"SET allowed_directories = [{literal(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _statement(connection: duckdb.DuckDBPyConnection, selection: Selection) -> str:
    if selection.query is None:
        return f"SELECT * FROM {relation(selection)}"
    statements = connection.extract_statements(selection.query)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise _NotOneQuery
    return selection.query


def _faithful(found: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same rows with the columns as text whose type Arrow does not have."""
    names = [quoted(name) for name, kind in zip(found.columns, found.types, strict=True) if str(kind) in _AS_TEXT]
    if not names:
        return found
    return found.project(f"* REPLACE ({', '.join(f'{name}::VARCHAR AS {name}' for name in names)})")


def _reason(error: Exception) -> str:
    """What failed, in our words: the database's own text may quote values."""
    message = str(error)
    known = next((why for mark, why in _REASONS if message.startswith(mark)), None)
    return known or f"the database gave up ({type(error).__name__})"
