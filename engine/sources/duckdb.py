"""DuckDB: a database file attached read-only, and the hardened engine that also reads CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from engine.sources.base import BATCH_ROWS, Reading, Selection, unreadable
from engine.sources.relation import literal, relation

_REASONS = (
    (duckdb.ParserException, "the query is not valid SQL"),
    (duckdb.PermissionException, "the query reaches outside its connection, which is not allowed"),
    (duckdb.CatalogException, "the table, or something that the query names, does not exist"),
    (duckdb.BinderException, "a column does not exist, or the query does not fit the table"),
    (duckdb.ConversionException, "a value does not have the type that the query asks for"),
    (duckdb.OutOfMemoryException, "the read needs more memory than `compute.memory` gives"),
    (duckdb.IOException, "the file is damaged, truncated or not a DuckDB database"),
)


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
        with closing(hardened(self.memory, self.threads)) as connection:
            self._attach(connection, selection)
            confine(connection)
            try:
                reader = connection.sql(_statement(connection, selection)).to_arrow_reader(BATCH_ROWS)
            except _NotOneQuery:
                raise unreadable(self.name, selection, "`query` must be exactly one SELECT") from None
            except (duckdb.Error, pa.ArrowException) as error:
                raise unreadable(self.name, selection, _reason(error)) from None
            if len(set(reader.schema.names)) != len(reader.schema.names):
                raise unreadable(self.name, selection, "two columns have the same name")
            yield Reading(reader.schema, self._batches(reader, selection))

    def _attach(self, connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
        if not Path(self.path).is_file():
            raise unreadable(self.name, selection, "the database file does not exist")
        try:
            connection.execute(f"ATTACH {literal(self.path)} AS source (TYPE duckdb, READ_ONLY)")
            connection.execute("USE source")
        except duckdb.Error as error:
            if "lock" in str(error) or "already attached" in str(error):
                why = "another connection holds the database open for writing"
                wait = "let the writer close its connection, or read a copy of the file; then run again."
                raise unreadable(self.name, selection, why, wait) from None
            raise unreadable(self.name, selection, _reason(error)) from None

    def _batches(self, reader: pa.RecordBatchReader, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise unreadable(self.name, selection, _reason(error)) from None


class _NotOneQuery(Exception):
    """The text is no query, or more than one statement."""


def hardened(memory: str, threads: int) -> duckdb.DuckDBPyConnection:
    """A private engine that loads no extension and sees no variable of this program; close it after use."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
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


def _reason(error: Exception) -> str:
    """What failed, in our words: the database's own text may quote values."""
    for kind, why in _REASONS:
        if isinstance(error, kind):
            return why
    return f"the database gave up ({type(error).__name__})"
