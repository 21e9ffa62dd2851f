"""What the sandbox keeps: one SQLite file with records, the answers given under idempotency keys, and a journal.

A batch and all that it leaves behind are one transaction, so a process that is killed kept a batch whole or not at all.
Reading goes through connections of its own and sees one moment, while batches go on being taken.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from destinations.sandbox.batch import ReceivedBatch
from destinations.sandbox.effects import Gone, Held, Rejection, answer, effect
from destinations.sandbox.exact_json import Value, reread, written

FILE = "sandbox.db"
BUSY_SECONDS_MAX = 10
READ_ROWS = 1_000

_TABLES = """
CREATE TABLE IF NOT EXISTS record (
  object TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, fields TEXT NOT NULL,
  PRIMARY KEY (object, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answer (
  idempotency_key TEXT PRIMARY KEY, body_digest BLOB NOT NULL, answer BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request (
  request INTEGER PRIMARY KEY, idempotency_key TEXT NOT NULL,
  sync TEXT NOT NULL, object TEXT NOT NULL, plan TEXT NOT NULL, batch INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS journal (
  place INTEGER PRIMARY KEY, request INTEGER NOT NULL, op TEXT NOT NULL, id TEXT NOT NULL, outcome TEXT NOT NULL
);
"""


class Kept(StrEnum):
    """What became of a record that arrived."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    REFUSED = "refused"
    """Its batch was refused as a whole."""
    REPEATED = "repeated"
    """Its batch was taken before under the same idempotency key, and had no second effect."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch was applied, now or before under its idempotency key; ``answer`` is the same each time."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was applied, and the idempotency key is still free."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The idempotency key belongs to another body; nothing was applied."""


Reception: TypeAlias = Taken | Refused | Conflict


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the journal in the order of arrival, and what the store holds under its id today, as JSON text."""

    place: int
    sync: str
    object: str
    op: str
    id: str
    outcome: str
    fields: str | None


class Store:
    """The store in ``folder``, which is made when absent. Raises ``OSError`` or ``sqlite3.Error``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._writing = threading.Lock()
        self._connection = self._connected()
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")  # a crash of the process loses nothing
            self._connection.executescript(_TABLES)
        except sqlite3.Error:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file after the batch that is being taken."""
        with self._writing:
            self._connection.close()

    def take(
        self,
        key: str,
        body: bytes,
        batch: ReceivedBatch,
        *,
        rejections: Mapping[str, Rejection],
        refuse: bool,
    ) -> Reception:
        """Apply a batch once per idempotency ``key``, except for ``rejections``; ``refuse`` only journals it.

        A key that was answered keeps its answer, whatever would be refused today.
        """
        digest = hashlib.sha256(body).digest()
        with self.transaction() as connection:
            found = answered(connection, key)
            if found is not None and found[0] != digest:
                return Conflict()
            if found is not None:
                note(connection, key, batch, [Kept.REPEATED] * len(batch.records))
                return Taken(found[1])
            if refuse:
                note(connection, key, batch, [Kept.REFUSED] * len(batch.records))
                return Refused()
            return Taken(applied(connection, key, digest, batch, rejections))

    def counts(self) -> dict[str, int]:
        """How many records each object has."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT object, count(*) FROM record GROUP BY object ORDER BY object"))

    def records(self, object: str) -> Iterator[bytes]:
        """The records of ``object`` by id, as the text of a JSON array in pieces."""
        rows = self._rows("SELECT id, key, fields FROM record WHERE object = ? ORDER BY id", [object])
        return _array(
            b'{"id":%b,"key":%b,"fields":%b}' % (written(id), key.encode(), fields.encode()) for id, key, fields in rows
        )

    def journal(self) -> Iterator[bytes]:
        """Every record that arrived, in order, as the text of a JSON array in pieces."""
        statement = """
            SELECT place, idempotency_key, sync, object, plan, batch, op, id, outcome
            FROM journal JOIN request USING (request) ORDER BY place
        """
        members = ("order", "idempotency_key", "sync", "object", "plan", "batch", "op", "id", "outcome")
        return _array(written(dict(zip(members, row, strict=True))) for row in self._rows(statement, []))

    def newest(self, limit: int) -> list[Entry]:
        """The last records that arrived, newest first."""
        statement = """
            SELECT place, sync, object, op, journal.id, outcome, record.fields
            FROM journal JOIN request USING (request) LEFT JOIN record USING (object, id)
            ORDER BY place DESC LIMIT ?
        """
        return [Entry(*row) for row in self._rows(statement, [limit])]

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_SECONDS_MAX, check_same_thread=False)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction at a time; what raises inside leaves nothing behind."""
        with self._writing:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connected()) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection

    def _rows(self, statement: str, values: Sequence[object]) -> Iterator[tuple[Value, ...]]:
        with self._reading() as connection:
            found = connection.execute(statement, values)
            found.arraysize = READ_ROWS
            while rows := found.fetchmany():
                yield from rows


def answered(connection: sqlite3.Connection, key: str) -> tuple[bytes, bytes] | None:
    """The digest of the body that was applied under an idempotency key, and the answer to it."""
    found: tuple[bytes, bytes] | None = connection.execute(
        "SELECT body_digest, answer FROM answer WHERE idempotency_key = ?", [key]
    ).fetchone()
    return found


def applied(
    connection: sqlite3.Connection, key: str, digest: bytes, batch: ReceivedBatch, rejections: Mapping[str, Rejection]
) -> bytes:
    """Apply a batch whose key is free, except for ``rejections``, and journal it; returns the answer that the key keeps."""
    rejected = _apply(connection, batch, rejections)
    outcomes = [Kept.REJECTED if record.id in rejected else Kept.DELIVERED for record in batch.records]
    note(connection, key, batch, outcomes)
    given = answer(batch.records, rejected)
    connection.execute("INSERT INTO answer VALUES (?, ?, ?)", [key, digest, given])
    return given


def _apply(
    connection: sqlite3.Connection, batch: ReceivedBatch, rejections: Mapping[str, Rejection]
) -> dict[str, Rejection]:
    """Apply all records but those of ``rejections``; returns everything that was rejected, by id."""
    held = _held(connection, batch)
    rejected: dict[str, Rejection] = {}
    writes: list[tuple[str, str, str, str]] = []
    gone: list[tuple[str, str]] = []
    for record in batch.records:
        before = held.get(record.id)
        match rejections.get(record.id) or effect(record, None if before is None else reread(before)):
            case Rejection() as rejection:
                rejected[record.id] = rejection
            case Held(fields):
                writes.append((batch.object, record.id, written(record.key).decode(), written(fields).decode()))
            case Gone():
                gone.append((batch.object, record.id))
    connection.executemany(
        "INSERT INTO record VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET key = excluded.key, fields = excluded.fields",
        writes,
    )
    connection.executemany("DELETE FROM record WHERE object = ? AND id = ?", gone)
    return rejected


def _held(connection: sqlite3.Connection, batch: ReceivedBatch) -> dict[str, str]:
    """The fields, as JSON text, of those records of the batch that are held."""
    ids = [record.id for record in batch.records]
    marks = ", ".join("?" * len(ids))
    found = connection.execute(
        f"SELECT id, fields FROM record WHERE object = ? AND id IN ({marks})", [batch.object, *ids]
    )
    return dict(found.fetchall())


def note(connection: sqlite3.Connection, key: str, batch: ReceivedBatch, outcomes: Sequence[Kept]) -> None:
    """Write the batch to the journal."""
    request = connection.execute(
        "INSERT INTO request (idempotency_key, sync, object, plan, batch) VALUES (?, ?, ?, ?, ?)",
        [key, batch.sync, batch.object, batch.plan, batch.number],
    ).lastrowid
    connection.executemany(
        "INSERT INTO journal (request, op, id, outcome) VALUES (?, ?, ?, ?)",
        [
            (request, record.op, record.id, outcome.value)
            for record, outcome in zip(batch.records, outcomes, strict=True)
        ],
    )


def _array(items: Iterator[bytes]) -> Iterator[bytes]:
    """A JSON array in pieces of some thousand items."""
    piece: list[bytes] = []
    start = b"["
    for item in items:
        piece.append(item)
        if len(piece) == READ_ROWS:
            yield start + b",".join(piece)
            start, piece = b",", []
    yield (start if piece or start == b"[" else b"") + b",".join(piece) + b"]"
