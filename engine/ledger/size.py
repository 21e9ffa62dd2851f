"""How much the ledger holds: its events, and its bytes on disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from engine.ledger.database import reading
from engine.ledger.tables import event


def events(engine: Engine) -> int:
    """The newest sequence: events are never removed, and a number may be skipped by a transaction that was given up."""
    with reading(engine) as connection:
        return int(connection.execute(select(func.coalesce(func.max(event.c.seq), 0))).scalar_one())


def stored_bytes(engine: Engine) -> int:
    """The file of a SQLite ledger and its write-ahead log, or the whole database on PostgreSQL."""
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    total = 0
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            total += Path(f"{engine.url.database}{suffix}").stat().st_size
    return total
