"""PostgreSQL through ADBC: one repeatable-read, read-only transaction, streamed by COPY in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa

from engine.sources.base import Reading, Selection, unreadable
from engine.sources.relation import literal, quoted, relation
from engine.sources.untyped import NUMERAL

_LOCK_SECONDS = 30
_CHECK_URL = "check that the server runs and that `url` of the connection names it, then run again."

_PARAMETERS = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Waits in seconds that the address may set otherwise: a host that vanishes is noticed after a minute, not never."""

_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lock_timeout": f"{_LOCK_SECONDS}s",
}
"""What else decides how a value looks as text: set here, so that nobody's change of a default changes every row."""

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

_VALUE = "the query fails on a value that it reads"
_CREDENTIALS = "the credentials are refused"
_REASONS = {
    "42P01": "the table does not exist",
    "3F000": "the schema does not exist",
    "42703": "a column does not exist",
    "42702": "two columns have the same name",
    "42883": "a function does not exist, or does not take these types",
    "42601": "the query is not one valid SELECT",
    "0A000": "the query does what a SELECT may not",
    "25006": "the query writes, which is not allowed",
    "28P01": _CREDENTIALS,
    "28000": _CREDENTIALS,
    "3D000": "the database does not exist",
    "42501": "the role may not read it",
    "53300": "the server has no connection left",
    "55P03": f"a lock on the table was not released within {_LOCK_SECONDS} seconds",
}
_UNCONNECTED = (
    ("Connection refused", "no server listens at its address"),
    ("No such file or directory", "no server listens at its address"),
    ("could not translate host name", "the name of its host is not known"),
    ("timeout expired", "the server did not answer in time"),
    ("password authentication failed", _CREDENTIALS),
    ("no password supplied", _CREDENTIALS),
    ("FATAL:  database ", "the database does not exist"),
    ("FATAL:  role ", "the role does not exist"),
)
_INTERRUPTED = (
    ("read-only transaction", "the query writes, which is not allowed"),
    ("terminating connection", "the server ended the connection in the middle of the read"),
    ("canceling statement", "the server cancelled the query in the middle of the read"),
    ("ERROR:", _VALUE),
)
"""What the server's words say where there is no SQLSTATE; in another language, or unknown, they say less."""


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
                for name, value in _SETTINGS.items():
                    cursor.execute(f"SET LOCAL {name} = {literal(value)}")
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
        except _NotAnAddress:
            raise unreadable(self.name, selection, "its `url` does not begin with postgresql://", _CHECK_URL) from None
        except (adbc_driver_manager.Error, OSError) as error:
            why = _worded(error, _UNCONNECTED) or "the server cannot be reached, or refuses"
            raise unreadable(self.name, selection, why, _CHECK_URL) from None
        with closing(connection):
            yield connection

    def _batches(self, reader: pa.RecordBatchReader, selection: Selection) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            why = _worded(error, _INTERRUPTED) or "the server went away or gave up in the middle of the read"
            raise unreadable(self.name, selection, why) from None


class _NotAnAddress(Exception):
    """The text is no address of a PostgreSQL server."""


def _address(url: str) -> str:
    """The address as libpq reads it, character by character: its own rules of quoting differ from everybody's."""
    scheme, _, rest = url.partition("://")
    if not rest or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise _NotAnAddress
    named = {parameter.partition("=")[0] for parameter in rest.partition("?")[2].split("&")}
    more = "&".join(f"{name}={value}" for name, value in _PARAMETERS.items() if name not in named)
    return f"postgresql://{rest}{'&' if '?' in rest else '?'}{more}"


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
    if state.startswith("22"):
        return _VALUE
    return f"the server refuses (SQLSTATE {state})" if state else "the server went away"


def _worded(error: Exception, reasons: Sequence[tuple[str, str]]) -> str | None:
    message = str(error)
    return next((why for mark, why in reasons if mark in message), None)
