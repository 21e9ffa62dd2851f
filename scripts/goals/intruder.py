"""Changes of a SQLite ledger by somebody who may do everything with the file, and does not make the hashes anew."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

TRIGGERS = ("event_refuses_update", "event_refuses_delete", "event_refuses_replace")


def tampered(path: Path, dice: random.Random) -> None:
    """One change of the log by somebody who may do everything, and does not make the chain anew."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        sequences = [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]
        dice.choice((_edit, _edit, _edit, _delete, _cut, _swap, _copy, _model))(connection, sequences, dice)


def _edit(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    column = dice.choice(("data", "data", "data", "actor", "recorded_at", "type", "hash", "prev_hash", "stream"))
    seq = dice.choice(sequences)
    (text,) = connection.execute(f"SELECT {column} FROM event WHERE seq = ?", (seq,)).fetchone()
    at = dice.randrange(len(text))
    other = dice.choice([c for c in "0123456789abcdefxyz" if c != text[at]])
    connection.execute(f"UPDATE event SET {column} = ? WHERE seq = ?", (text[:at] + other + text[at + 1 :], seq))


def _delete(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    connection.execute("DELETE FROM event WHERE seq = ?", (dice.choice(sequences),))


def _cut(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    connection.execute("DELETE FROM event WHERE seq >= ?", (dice.choice(sequences),))


def _swap(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    one, other = dice.sample(sequences, 2)
    for old, new in ((one, -1), (other, one), (-1, other)):
        connection.execute("UPDATE event SET seq = ? WHERE seq = ?", (new, old))


def _copy(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    columns = "type, schema, data, actor, recorded_at, prev_hash, hash"
    end = "(SELECT max(position) + 1 FROM event AS e WHERE e.stream = event.stream)"
    statement = (
        f"INSERT INTO event (stream, position, {columns}) SELECT stream, {end}, {columns} FROM event WHERE seq = ?"
    )
    connection.execute(statement, (dice.choice(sequences),))


MODELS = {
    "version": ("accepted",),
    "sync_state": ("folded",),
    "run": ("started", "planned"),
    "run_window": ("intended",),
}


def _model(connection: sqlite3.Connection, sequences: list[int], dice: random.Random) -> None:
    table = dice.choice(sorted(MODELS))
    (row, count) = connection.execute(f"SELECT min(rowid), count(*) FROM {table}").fetchone()
    row += dice.randrange(count)
    if dice.random() < 0.3:
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
        return
    column = dice.choice(MODELS[table])
    (held,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
    other = dice.choice([seq for seq in sequences if seq != held])
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other, row))
