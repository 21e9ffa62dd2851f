"""PostgreSQL through ADBC: one repeatable-read, read-only transaction, streamed by COPY in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa

from engine.sources.base import Reading, Selection, unreadable

_PLAIN_TYPES = frozenset(
    {"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar", "bpchar", "name", "bytea", "date", "time"}
    | {"timestamp", "timestamptz"}
)
"""Types that Arrow holds as they are; every other is read as PostgreSQL's own text."""


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """One database; ``url`` as libpq reads it, with or without SQLAlchemy's driver name."""

    name: str
    url: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read a table or query; raises `SourceError` when the server refuses or goes away."""
        try:
            with closing(postgresql.connect(self.url.replace("+psycopg", "", 1))) as connection:
                with closing(connection.cursor()) as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    cursor.execute("SET LOCAL TIME ZONE 'UTC'")
                    types = _types(cursor.adbc_execute_schema(f"SELECT * FROM {_relation(selection)}"))
                    cursor.execute(_statement(selection, types))
                    reader = cursor.fetch_record_batch()
                    numbers = frozenset(name for name, kind in types.items() if kind == "numeric")
                    yield Reading(reader.schema, self._batches(reader, selection), numbers)
        except adbc_driver_manager.Error as error:
            raise unreadable(self.name, selection, _reason(error)) from None

    def _batches(self, reader: pa.RecordBatchReader, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (adbc_driver_manager.Error, pa.ArrowException, OSError):
            raise unreadable(self.name, selection, "the connection broke or the server refused to go on") from None


def _types(schema: pa.Schema) -> dict[str, str]:
    return {f.name: (f.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for f in schema}


def _relation(selection: Selection) -> str:
    if selection.query is not None:
        return f"({selection.query.strip().rstrip(';')}) AS source"
    assert selection.table is not None, "a selection is a table or a query"
    return ".".join(_quoted(part) for part in selection.table.split("."))


def _statement(selection: Selection, types: dict[str, str]) -> str:
    columns = [
        _quoted(name) if kind in _PLAIN_TYPES else f"{_quoted(name)}::text AS {_quoted(name)}"
        for name, kind in types.items()
    ]
    return f"SELECT {', '.join(columns)} FROM {_relation(selection)}"


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _reason(error: adbc_driver_manager.Error) -> str:
    """The SQLSTATE in words; the server's own message may quote values or the address."""
    state = error.sqlstate or ""
    known = {"42P01": "the table does not exist", "42703": "a column does not exist", "42601": "the query is not SQL"}
    known |= {"28P01": "the credentials are refused", "28000": "the credentials are refused"}
    known |= {"3D000": "the database does not exist", "42501": "the permission is missing"}
    return known.get(state, f"the server cannot be reached or refuses{f' (SQLSTATE {state})' if state else ''}")
