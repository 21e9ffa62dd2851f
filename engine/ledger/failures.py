"""Why a database failed, told without its own text, which may quote values; and what may be tried again."""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError

from engine.errors import LedgerError, LedgerTampered

TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: the same transaction may succeed at once."""
DAMAGED_SQLITE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
TRANSIENT_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def reason(error: DBAPIError | UnicodeDecodeError) -> str:
    """The kind of failure without its text, which may quote values.

    SQLite's driver fails to decode its own complaint when that quotes a damaged file.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.Error):
        return f"{type(cause).__name__}, SQLSTATE {cause.sqlstate}" if cause.sqlstate else type(cause).__name__
    return str(getattr(cause, "sqlite_errorname", type(cause).__name__))


def is_damage(error: DBAPIError | UnicodeDecodeError) -> bool:
    """Whether SQLite cannot read the file for what it is; only a damaged one makes its driver fail to decode."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, UnicodeDecodeError) or getattr(cause, "sqlite_errorcode", 0) & 0xFF in DAMAGED_SQLITE


def damaged(how: str, where: str) -> LedgerTampered:
    """What to say of a SQLite file that is none any more."""
    return LedgerTampered(
        f"The ledger's file is damaged{how}.",
        where=where,
        safe="What was written before is as it is on disk; nothing more was written or sent.",
        next="stop every run, keep the damaged file, and restore the ledger from a backup; `tidegate ledger verify` "
        "says whether it is whole, and until then nothing may be sent from it",
    )


def lost_a_race(error: LedgerError) -> bool:
    """Whether the transaction under ``error`` only came second, and may succeed at once."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and cause.orig is not None and is_transient(cause.orig)


def is_transient(cause: BaseException) -> bool:
    """Whether a driver's error speaks of others that were at work, and not of the data or the statement."""
    if isinstance(cause, psycopg.Error):
        return cause.sqlstate in TRANSIENT_SQLSTATES
    # The low byte is the primary code; the others tell BUSY_SNAPSHOT from BUSY_RECOVERY.
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in TRANSIENT_SQLITE
