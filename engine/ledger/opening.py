"""A ledger that is opened for use: of this code's schema, or not at all."""

from __future__ import annotations

from sqlalchemy import Engine

from engine.ledger.database import open_database
from engine.ledger.migrate import check_schema, schema_revision, upgrade


def open_ledger(url: str) -> Engine:
    """The ledger, proved to have this code's schema; an empty SQLite file gets it, a shared database never by itself.

    Raises `SchemaMismatch`, and `LedgerError` when there is no answer.
    """
    database = open_database(url)
    try:
        if database.dialect.name == "sqlite" and schema_revision(database) is None:
            upgrade(database)
    except BaseException:
        database.dispose()
        raise
    return of_this_code(database)


def of_this_code(database: Engine) -> Engine:
    """``database``, which is closed again where its schema is another one; raises `SchemaMismatch`."""
    try:
        check_schema(database)
    except BaseException:
        database.dispose()
        raise
    return database
