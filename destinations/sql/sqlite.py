"""SQLite: one file, one writer at a time; values keep what the column's affinity makes of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

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
    Value,
)
from destinations.http import readable
from destinations.sql.statements import ID, Shape, keys_of, missing, quoted, quoted_list, shapes, writing

BUSY_SECONDS_MAX = 5
_STAGE = "temp.tidegate_batch"
_INTEGERS = range(-(2**63), 2**63)
_WAITING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_PRIMARY_CODE = 0xFF
"""The low byte of an extended result code: https://www.sqlite.org/rescode.html"""


class SqliteTables:
    """The tables of one file, which must exist."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writing = asyncio.Lock()

    async def apply(self, batch: Batch) -> Reply:
        async with self._writing:
            return await asyncio.to_thread(self._apply, batch)

    async def check(self) -> str:
        try:
            await asyncio.to_thread(self._read, "SELECT count(*) FROM sqlite_schema")
        except sqlite3.Error as error:
            raise CheckFailed(_reply(error).message) from None
        return f"opened with SQLite {sqlite3.sqlite_version}"

    async def columns(self, table: str) -> Sequence[Field]:
        statement = 'SELECT name, type, "notnull" AND dflt_value IS NULL, hidden IN (2, 3) FROM pragma_table_xinfo(?)'
        try:
            rows = await asyncio.to_thread(self._read, statement, table)
        except sqlite3.Error as error:
            raise CheckFailed(_reply(error).message) from None
        return tuple(Field(name, type, bool(required), bool(hidden)) for name, type, required, hidden in rows)

    async def close(self) -> None:
        """Nothing is kept open."""

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        address = f"file:{quote(str(Path(self._path)))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_SECONDS_MAX)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection

    def _read(self, statement: str, *values: str) -> list[tuple[Value, ...]]:
        with self._connected() as connection:
            return connection.execute(statement, values).fetchall()

    def _apply(self, batch: Batch) -> Reply:
        try:
            with self._connected() as connection:
                connection.execute("BEGIN IMMEDIATE")
                if (stop := _unusable(connection, batch)) is not None:
                    return stop
                lost = _write(connection, batch)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            return _reply(error)
        if lost:
            return Outcomes(tuple(Rejected(id, "not_found", "no row has this key") for id in lost))
        return AllDelivered()


def _unusable(connection: sqlite3.Connection, batch: Batch) -> Stop | None:
    """Why no batch of this table can work: without a unique key, one record could change several rows."""
    keys = set(keys_of(batch))
    columns = connection.execute("SELECT name, pk FROM pragma_table_info(?)", [batch.object]).fetchall()
    if not columns:
        return Stop("no_table", f"there is no table `{batch.object}`")
    if {name for name, place in columns if place} == keys:
        return None
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', [batch.object]
    ).fetchall()
    for (index,) in indexes:
        parts = connection.execute("SELECT name FROM pragma_index_info(?)", [index]).fetchall()
        if {name for (name,) in parts} == keys:
            return None
    named = ", ".join(keys_of(batch))
    return Stop("no_unique_key", f"`{batch.object}` needs a unique index over exactly these columns: {named}")


def _write(connection: sqlite3.Connection, batch: Batch) -> list[str]:
    """Apply all shapes in the open transaction; returns the ids that an update did not find."""
    target = quoted(batch.object)
    lost: list[str] = []
    for shape in shapes(batch):
        columns = quoted_list((ID, *shape.columns))
        connection.execute(f"CREATE TABLE {_STAGE} ({columns})")
        marks = ", ".join("?" * (1 + len(shape.columns)))
        connection.executemany(f"INSERT INTO {_STAGE} VALUES ({marks})", _rows(batch, shape))
        for statement in writing(batch.op, target, _STAGE, shape):
            connection.execute(statement)
        if batch.op is Op.UPDATE:
            lost += [row[0] for row in connection.execute(missing(target, _STAGE, shape))]
        connection.execute(f"DROP TABLE {_STAGE}")
    return lost


def _rows(batch: Batch, shape: Shape) -> Iterator[tuple[Value, ...]]:
    ids, keys, fields = (batch.rows.column(name).to_pylist() for name in ("id", "key", "fields"))
    for place in shape.places:
        values = {**_decoded(fields[place]), **_decoded(keys[place])}
        yield (ids[place], *(_bound(values[name]) for name in shape.columns))


def _decoded(text: str) -> dict[str, Value]:
    """A JSON object whose numbers keep their digits."""
    decoded: dict[str, Value] = json.loads(text, parse_float=Decimal)
    return decoded


def _bound(value: Value) -> Value:
    """A JSON value as SQLite takes it: numbers that its integers or floats cannot hold go as text, none loses digits."""
    match value:
        case None | str():
            return value
        case bool():
            return int(value)
        case int():
            return value if value in _INTEGERS else str(value)
        case Decimal():
            exact = float(value)
            return exact if Decimal(repr(exact)) == value else str(value)
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


def _reply(error: sqlite3.Error) -> Refused | Unavailable | Stop:
    """What an error means for the batch; the transaction was rolled back whatever it was."""
    code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    number = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    message = readable(str(error))
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return Refused(code, message)
    if number in _WAITING:
        return Unavailable(code, message, applied_unknown=False)
    return Stop(code, message)
