"""PostgreSQL: records are copied into the temporary table, and the server reads each value by its column's type.

Error classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import psycopg

from destinations.base import Batch, Field, Stop, Unavailable, Value
from destinations.http import readable
from destinations.sql.database import Answer, Database
from destinations.sql.refusals import WORDLESS, Refusal, refused
from destinations.sql.statements import STAGE, Shape, quoted
from destinations.sql.types import takes

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 60
_COLUMNS = """
    SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO',
           is_generated = 'ALWAYS' OR identity_generation = 'ALWAYS'
    FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
    ORDER BY ordinal_position
"""
_UNIQUE = """
    SELECT ARRAY(
      SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
    )
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2
      AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
"""
_REFUSALS = {
    "22001": Refusal.TOO_LONG,
    "22003": Refusal.OUT_OF_RANGE,
    "22008": Refusal.OUT_OF_RANGE,
    "23502": Refusal.NO_VALUE,
    "23503": Refusal.NO_REFERENCE,
    "23505": Refusal.NOT_UNIQUE,
    "23514": Refusal.CHECK,
}
_CLASSES = {"22": Refusal.BAD_VALUE, "21": Refusal.RULE, "23": Refusal.RULE, "44": Refusal.CHECK, "P0": Refusal.RULE}
_REFUSED_TO_CONNECT = re.compile(r"authentication failed|does not exist|no pg_hba\.conf entry|not permitted to log in")
_QUOTED = re.compile(r'".*"', re.DOTALL)
_COPIED = re.compile(rf"COPY {STAGE}, line \d+, column ([^:]+)")


class PostgresSession:
    """One connection; a transaction opens with the first statement."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows that a statement gives."""
        cursor = self.connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


class Postgres(Database[PostgresSession]):
    """One schema of a database."""

    error: ClassVar[type[Exception]] = psycopg.Error
    one_writer: ClassVar[bool] = False

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    def connect(self) -> PostgresSession:
        return PostgresSession(
            psycopg.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS_MAX,
                application_name="tidegate",
                prepare_threshold=None,
                cursor_factory=psycopg.RawCursor,
            )
        )

    def look(self, session: PostgresSession) -> None:
        for statement in (
            f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'",
            f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS_MAX}s'",
            "SET LOCAL timezone = 'UTC'",
        ):
            session.execute(statement)

    def begin(self, session: PostgresSession, batch: Batch) -> None:
        self.look(session)
        # A process that was replaced may still be at it: who comes second sees the marker of who came first.
        same = f"tidegate/{batch.sync}/{batch.run}/{batch.number}"
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", (same,))

    def same(self, column: str, type: str) -> str:
        there, staged = f"t.{quoted(column)}", f"s.{quoted(column)}"
        if type == "numeric":
            # 1.50 and 1.5 are one number and two texts.
            return f"{there} IS NOT DISTINCT FROM {staged}"
        # Not every type can be compared, and a type or a collation may count what differs as the same.
        return f'CAST({there} AS text) COLLATE "C" IS NOT DISTINCT FROM CAST({staged} AS text) COLLATE "C"'

    def about(self, session: PostgresSession) -> str:
        session.execute("SELECT 1")
        return f"connected to PostgreSQL {session.connection.info.server_version // 10_000}"

    def qualified(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def days_ago(self, days: int) -> str:
        return f"CURRENT_TIMESTAMP - INTERVAL '{days} days'"

    def columns(self, session: PostgresSession, table: str) -> tuple[Field, ...]:
        alone = {name for key in self.unique(session, table) if len(key) == 1 for name in key}
        return tuple(
            Field(name, type, bool(required), bool(read_only), name in alone, takes(type))
            for name, type, required, read_only in session.execute(_COLUMNS, (self._schema, table))
        )

    def unique(self, session: PostgresSession, table: str) -> frozenset[frozenset[str]]:
        return frozenset(frozenset(names) for (names,) in session.execute(_UNIQUE, (self._schema, table)))

    def load(self, session: PostgresSession, shape: Shape) -> None:
        with session.connection.cursor().copy(f"COPY {STAGE} FROM STDIN".encode()) as copy:
            write = copy.write_row
            for row in shape.rows:
                write(row)

    def meaning(self, error: Exception, *, committing: bool) -> Answer:
        assert isinstance(error, psycopg.Error)
        state = error.sqlstate
        if state is None:
            return _nameless(error, committing=committing)
        message = readable(error.diag.message_primary or state)
        refusal = _REFUSALS.get(state) or _CLASSES.get(state[:2])
        if refusal is not None:
            # Only a message about a value quotes one; those about constraints name them.
            said = _QUOTED.sub('"…"', message) if state[:2] == "22" else message
            return refused(refusal, WORDLESS if state[:2] == "P0" else said, _column(error))
        code = type(error).__name__
        if state[:2] in {"0A", "28", "3D", "3F", "42"}:
            return Stop(code, message)
        return Unavailable(code, message, applied_unknown=committing)


def _column(error: psycopg.Error) -> str | None:
    copied = _COPIED.search(error.diag.context or "")
    return copied[1] if copied else error.diag.column_name


def _nameless(error: psycopg.Error, *, committing: bool) -> Answer:
    """An error without SQLSTATE: of the driver, or of a connection that was refused or lost."""
    if isinstance(error, psycopg.DataError):
        return refused(Refusal.BAD_VALUE, "a value holds a character that PostgreSQL cannot store")
    if _REFUSED_TO_CONNECT.search(str(error)):
        return Stop("refused_connection", "the server refuses the user, the password or the database name")
    return Unavailable("connection", "the connection failed or was lost", applied_unknown=committing)
