"""PostgreSQL through ADBC: one repeatable-read, read-only transaction, streamed by COPY in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from engine.sources.base import Reading, Selection, unreadable
from engine.sources.relation import quoted, relation
from engine.sources.untyped import NUMERAL

_CONNECT_SECONDS = "10"
_LOCK_SECONDS = 30

_AS_THEY_ARE = (
    pa.types.is_boolean,
    pa.types.is_date32,
    pa.types.is_floating,
    pa.types.is_integer,
    pa.types.is_string,
    pa.types.is_time64,
    pa.types.is_timestamp,
)
"""Arrow types that hold every value of their PostgreSQL type."""

_TEXT_THOUGH_INTEGER = frozenset({"money", "oid", "xid", "cid"})
"""PostgreSQL types that ADBC hands over as integers which mean something else, or overflow."""

_REASONS = {
    "42P01": "the table does not exist",
    "3F000": "the schema does not exist",
    "42703": "a column does not exist",
    "42702": "two columns have the same name",
    "42601": "the query is not one valid SELECT",
    "25006": "the query writes, which is not allowed",
    "28P01": "the credentials are refused",
    "28000": "the credentials are refused",
    "3D000": "the database does not exist",
    "42501": "the role may not read it",
    "55P03": f"a lock on the table was not released within {_LOCK_SECONDS} seconds",
}


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """One database; ``url`` as libpq reads it, with or without the name of a SQLAlchemy driver."""

    name: str
    url: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read a table or query; raises `SourceError` when the server refuses or goes away."""
        with self._connected(selection) as connection, closing(connection.cursor()) as cursor:
            try:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL TIME ZONE 'UTC'")
                cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
                found = cursor.adbc_execute_schema(f"SELECT * FROM {relation(selection)}")
                if len(set(found.names)) != len(found.names):
                    raise unreadable(self.name, selection, "two columns have the same name")
                cursor.execute(_statement(selection, found))
                reader = cursor.fetch_record_batch()
            except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
                raise unreadable(self.name, selection, _reason(error)) from None
            yield Reading(reader.schema, self._batches(reader, selection))

    @contextmanager
    def _connected(self, selection: Selection) -> Iterator[postgresql.Connection]:
        try:
            connection = postgresql.connect(_address(self.url))
        except ArgumentError:
            raise unreadable(self.name, selection, "its `url` is not an address") from None
        except (adbc_driver_manager.Error, OSError) as error:
            raise unreadable(self.name, selection, _reason(error)) from None
        with closing(connection):
            yield connection

    def _batches(self, reader: pa.RecordBatchReader, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (adbc_driver_manager.Error, pa.ArrowException, OSError):
            why = "the server went away or gave up in the middle of the read"
            raise unreadable(self.name, selection, why) from None


def _address(url: str) -> str:
    address = make_url(url).set(drivername="postgresql")
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": _CONNECT_SECONDS})
    return address.render_as_string(hide_password=False)


def _statement(selection: Selection, found: pa.Schema) -> str:
    columns = [
        quoted(field.name) if _is_exact(field) else f"{quoted(field.name)}::text AS {quoted(field.name)}"
        for field in found
    ]
    return f"SELECT {', '.join(columns)} FROM {relation(selection)}"


def _is_exact(field: pa.Field) -> bool:
    """Whether Arrow holds the column as it is; every other is read as PostgreSQL's own text."""
    typename = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    if typename in _TEXT_THOUGH_INTEGER:
        return False
    return field.type == NUMERAL or typename == "bytea" or any(check(field.type) for check in _AS_THEY_ARE)


def _reason(error: Exception) -> str:
    """The SQLSTATE in words; the server's own message may quote values or the address."""
    state = getattr(error, "sqlstate", None) or ""
    if known := _REASONS.get(state):
        return known
    return f"the server cannot be reached, or refuses{f' (SQLSTATE {state})' if state else ''}"
