"""PostgreSQL: a batch is copied into a temporary table, cast to the table's own types, and applied set by set.

Error classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection, sql

from destinations.base import (
    AllDelivered,
    Batch,
    CheckFailed,
    Field,
    Op,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Unavailable,
)
from destinations.http import readable
from destinations.sql.statements import ID, Shape, keys_of, missing, quoted, quoted_list, shapes, writing

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 60
_STAGE = "tidegate_batch"
_OPENING = (
    f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'",
    f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS_MAX}s'",
    f"CREATE TEMPORARY TABLE {_STAGE} (id text, shape int, key jsonb, fields jsonb) ON COMMIT DROP",
)
_UNIQUE = """
    SELECT EXISTS (
      SELECT 1 FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND ARRAY(
          SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
          ORDER BY a.attname::text
        ) = ARRAY(SELECT unnest(%(keys)s::text[]) AS k ORDER BY k)
    )
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""
_COLUMNS = """
    SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO',
           is_generated = 'ALWAYS' OR identity_generation = 'ALWAYS'
    FROM information_schema.columns WHERE table_schema = %(schema)s AND table_name = %(table)s
    ORDER BY ordinal_position
"""
_REFUSED_TO_CONNECT = re.compile(r"authentication failed|does not exist|no pg_hba\.conf entry|not permitted to log in")
_QUOTED = re.compile(r'".*"')


class PostgresTables:
    """The tables of one schema; connections are kept between batches and dropped after any error."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self._idle: list[AsyncConnection] = []
        self._proven: set[tuple[str, tuple[str, ...]]] = set()

    async def apply(self, batch: Batch) -> Reply:
        committing = False
        try:
            async with self._connected() as connection:
                if (stop := await self._unusable(connection, batch)) is not None:
                    return stop
                lost = await self._write(connection, batch)
                committing = True
                await connection.commit()
        except psycopg.Error as error:
            return _reply(error, committing=committing)
        if lost:
            return Outcomes(tuple(Rejected(id, "not_found", "no row has this key") for id in lost))
        return AllDelivered()

    async def check(self) -> str:
        try:
            async with self._connected() as connection:
                version = connection.info.server_version // 10_000
                await connection.execute("SELECT 1")
                await connection.rollback()
        except psycopg.Error as error:
            raise CheckFailed(_reply(error, committing=False).message) from None
        return f"connected to PostgreSQL {version}"

    async def columns(self, table: str) -> Sequence[Field]:
        try:
            async with self._connected() as connection:
                cursor = await connection.execute(_COLUMNS, {"schema": self._schema, "table": table})
                rows = await cursor.fetchall()
                await connection.rollback()
        except psycopg.Error as error:
            raise CheckFailed(_reply(error, committing=False).message) from None
        return tuple(Field(name, type, bool(required), bool(read_only)) for name, type, required, read_only in rows)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            yield connection
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)

    async def _connect(self) -> AsyncConnection:
        return await AsyncConnection.connect(
            self._url, connect_timeout=CONNECT_SECONDS_MAX, application_name="tidegate", prepare_threshold=None
        )

    async def _unusable(self, connection: AsyncConnection, batch: Batch) -> Stop | None:
        """Why no batch of this table can work: without a unique key, one record could change several rows."""
        keys = keys_of(batch)
        if (batch.object, keys) in self._proven:
            return None
        named = {"schema": self._schema, "table": batch.object, "keys": list(keys)}
        row = await (await connection.execute(_UNIQUE, named)).fetchone()
        await connection.rollback()
        if row is None:
            return Stop("no_table", f"there is no table `{self._schema}.{batch.object}`, or the role may not see it")
        if not row[0]:
            columns = ", ".join(keys)
            return Stop("no_unique_key", f"`{batch.object}` needs a unique index over exactly these columns: {columns}")
        self._proven.add((batch.object, keys))
        return None

    async def _write(self, connection: AsyncConnection, batch: Batch) -> list[str]:
        """Apply all shapes in the open transaction; returns the ids that an update did not find."""
        target = f"{quoted(self._schema)}.{quoted(batch.object)}"
        found = shapes(batch)
        for statement in _OPENING:
            await _execute(connection, statement)
        await _stage(connection, batch, found)
        lost: list[str] = []
        for number, shape in enumerate(found):
            source = _source(target, number, shape)
            for statement in writing(batch.op, target, source, shape):
                await _execute(connection, statement)
            if batch.op is Op.UPDATE:
                cursor = await _execute(connection, missing(target, source, shape))
                lost += [row[0] for row in await cursor.fetchall()]
        return lost


def _source(target: str, number: int, shape: Shape) -> str:
    """The staged records of one shape, in the types of the table's columns."""
    columns = quoted_list(shape.columns, "r.")
    return (
        f"(SELECT b.id AS {quoted(ID)}, {columns} FROM {_STAGE} AS b, "
        f"jsonb_populate_record(NULL::{target}, b.fields || b.key) AS r WHERE b.shape = {number})"
    )


async def _stage(connection: AsyncConnection, batch: Batch, found: Sequence[Shape]) -> None:
    of = {place: number for number, shape in enumerate(found) for place in shape.places}
    ids, keys, fields = (batch.rows.column(name).to_pylist() for name in ("id", "key", "fields"))
    async with connection.cursor().copy(f"COPY {_STAGE} (id, shape, key, fields) FROM STDIN") as copy:
        for place, (id, key, values) in enumerate(zip(ids, keys, fields, strict=True)):
            await copy.write_row((id, of[place], key, values))


async def _execute(connection: AsyncConnection, statement: str) -> psycopg.AsyncCursor[tuple[str, ...]]:
    return await connection.execute(sql.SQL(statement))


def _reply(error: psycopg.Error, *, committing: bool) -> Refused | Unavailable | Stop:
    """What an error means for the batch, by its SQLSTATE; without one the connection failed."""
    state = error.sqlstate
    if state is None:
        return _nameless(error, committing=committing)
    code = type(error).__name__
    message = readable(error.diag.message_primary or state)
    match state[:2]:
        case "22":
            return Refused(code, _QUOTED.sub('"…"', message))
        case "21" | "23" | "P0":
            return Refused(code, message)
        case "0A" | "28" | "3D" | "3F" | "42":
            return Stop(code, message)
        case _:
            return Unavailable(code, message, applied_unknown=committing)


def _nameless(error: psycopg.Error, *, committing: bool) -> Refused | Unavailable | Stop:
    """An error without SQLSTATE: of the driver, or of a connection that was refused or lost."""
    if isinstance(error, psycopg.DataError):
        return Refused("data_error", "a value holds a character that PostgreSQL cannot store")
    if _REFUSED_TO_CONNECT.search(str(error)):
        return Stop("refused_connection", "the server refuses the user, the password or the database name")
    return Unavailable("connection", "the connection failed or was lost", applied_unknown=committing)
