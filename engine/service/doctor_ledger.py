"""Doctor: the ledger's database, its schema, its settings, its clock, and whether it went back in time."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, func, select

from engine.errors import SchemaMismatch, StorageError
from engine.ledger.anchor import Anchor, Unreadable, gaps
from engine.ledger.database import WAL_BYTES_MAX, reading
from engine.ledger.migrate import check_schema, schema_revision
from engine.ledger.tables import event
from engine.service.doctor_premises import Finding, Premises, fine, problem, told, warning
from engine.steps.anchors import stored_anchors

CLOCK_SECONDS_DOUBTFUL = 2.0
CLOCK_SECONDS_WRONG = 60.0
"""By how much clocks may differ: approvals and quotas are held to these."""
_SQLITE = {"journal_mode": ("wal",), "synchronous": (2, 3), "foreign_keys": (1,)}
_POSTGRESQL = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": None}
"""Settings without which an acknowledged event may be lost; any level of ``synchronous_commit`` but ``off`` waits for a disk."""


def reachable(premises: Premises) -> Iterator[Finding]:
    """That the database answers, and which one it is. One that is not there yet is made by the first command that needs it."""
    if premises.ledger_error is not None:
        yield told("ledger", premises.ledger_error)
    elif premises.database is not None:
        yield fine("ledger", _version(premises.database))
    elif premises.ledger_file is not None:
        yield from _absent(premises, premises.ledger_file)


def _absent(premises: Premises, file: Path) -> Iterator[Finding]:
    known = _remembered(premises)
    if not known:
        yield fine("ledger", f"{file} is not there yet; the first run makes it")
        return
    what = f"{file} is not there, and the storage remembers a ledger ({', '.join(sorted(known)[:3])})"
    yield problem("ledger", what, "restore the ledger; a run would refuse to start from an empty one")


def _remembered(premises: Premises) -> dict[str, Anchor | Unreadable] | None:
    """What the storage remembers of the ledger; None where it cannot be read, which the check of the storage tells."""
    try:
        return stored_anchors(premises.storage) if premises.storage is not None else None
    except StorageError:
        return None


def _version(database: Engine) -> str:
    with reading(database) as connection:
        if database.dialect.name == "sqlite":
            return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar()}"
        return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar()}"


def schema(premises: Premises) -> Iterator[Finding]:
    """The schema's revision against this code's."""
    if premises.database is None:
        return
    found = schema_revision(premises.database)
    if found is None and premises.database.dialect.name == "sqlite":
        yield fine("schema", "not there yet; the first run makes it")
        return
    try:
        check_schema(premises.database)
    except SchemaMismatch as error:
        yield told("schema", error)
    else:
        yield fine("schema", f"revision {found}")


def settings(premises: Premises) -> Iterator[Finding]:
    """The settings on which durability rests, and the size of a write-ahead log."""
    database = premises.database
    if database is None:
        return
    found = list(_sqlite(database) if database.dialect.name == "sqlite" else _postgresql(database))
    found += _file(premises.ledger_file) if premises.ledger_file is not None else ()
    yield from found or [fine("ledger settings", "what is acknowledged is on disk")]


def _sqlite(database: Engine) -> Iterator[Finding]:
    with reading(database) as connection:
        for name, good in _SQLITE.items():
            value = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            if value not in good:
                what = f"{name} is {value}: an acknowledged event may be lost"
                yield problem("ledger settings", what, "keep the file on a local disk that allows a write-ahead log")


def _file(file: Path) -> Iterator[Finding]:
    """The ledger's file as others see it, and the log beside it."""
    if file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warning("ledger settings", f"{file} is open to other users of this machine", f"chmod 600 {file}")
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size > WAL_BYTES_MAX:
        what = f"the write-ahead log has {log.stat().st_size / 1e6:,.0f} MB: something reads the ledger without an end"
        yield warning("ledger settings", what, "end the program that has the file open for so long")


def _postgresql(database: Engine) -> Iterator[Finding]:
    with reading(database) as connection:
        for name, good in _POSTGRESQL.items():
            value = str(connection.exec_driver_sql(f"SHOW {name}").scalar())
            if value == "off" or (good is not None and value != good):
                what = f"{name} is {value}: an acknowledged event may be lost"
                yield problem("ledger settings", what, f"set {name} to on in the server's configuration")
        if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
            what = "this is a standby: nothing can be written, and it may lag"
            yield problem("ledger settings", what, "point the environment's ledger at the primary")


def clock(premises: Premises) -> Iterator[Finding]:
    """The machine's clock against the database's, and against the newest event."""
    if premises.database is None or schema_revision(premises.database) is None:
        return
    with reading(premises.database) as connection:
        now = premises.clock.now()
        theirs = _database_time(connection.dialect.name, connection.execute(select(func.now())).scalar(), now)
        newest = connection.execute(select(event.c.recorded_at).order_by(event.c.seq.desc()).limit(1)).scalar()
    apart = abs((theirs - now).total_seconds())
    ahead = 0.0 if newest is None else (newest - now).total_seconds()
    mend = "set this machine's clock by a time server"
    if ahead > CLOCK_SECONDS_DOUBTFUL:
        yield problem("clock", f"the newest event is {ahead:,.0f} s in the future: the clock was set back", mend)
    if apart > CLOCK_SECONDS_DOUBTFUL:
        say = problem if apart > CLOCK_SECONDS_WRONG else warning
        yield say("clock", f"the database's clock and this machine's are {apart:,.0f} s apart", mend)
    if max(apart, ahead) <= CLOCK_SECONDS_DOUBTFUL:
        yield fine("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _database_time(dialect: str, said: object, now: datetime) -> datetime:
    """SQLite has no clock but this machine's."""
    return said.astimezone(UTC) if dialect == "postgresql" and isinstance(said, datetime) else now


def anchors(premises: Premises) -> Iterator[Finding]:
    """Whether the ledger holds what the storage remembers of it: the newest event of each sync and dataset."""
    known = _remembered(premises)
    if premises.database is None or known is None or schema_revision(premises.database) is None:
        return
    lost = gaps(premises.database, known)
    if lost:
        what = f"the ledger lacks what the storage remembers of {', '.join(gap.name for gap in lost[:3])}"
        yield problem("anchors", what, "restore the newer ledger; nothing is sent from this one")
    else:
        words = "`tidegate ledger verify` reads every event"
        yield fine("anchors", f"the ledger holds all {len(known):,} that the storage remembers; {words}")
