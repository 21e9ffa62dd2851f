"""The database under the ledger: opening it, and its read and write transactions.

What the tables mean is left to the modules beside this one, their version to `migrate`. Nothing here shows a password.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from engine.errors import ConfigurationError, LedgerConflict, LedgerError
from engine.ledger.failures import damaged, is_damage, is_transient, lost_a_race, reason
from engine.owner_only import make_file, make_folder

Database: TypeAlias = Connection | Engine
"""What a query takes: an engine for a look of its own, or the connection of the transaction it belongs to."""

T = TypeVar("T")

BUSY_TIMEOUT_MILLISECONDS = 5_000
WAL_BYTES_MAX = 64 * 1024 * 1024
CONNECT_SECONDS_MAX = 10
ATTEMPTS_MAX = 6
OPEN_ATTEMPTS_MAX = 50
OPEN_WAIT_SECONDS = 0.1
_FILE = "file"
"""Where a pooled connection's record keeps which file it has open."""

# Within the transaction, not at connect: a pooler between us and PostgreSQL may give each transaction another session.
POSTGRESQL_LIMITS = (
    "SELECT set_config('statement_timeout', '60s', true), set_config('lock_timeout', '10s', true),"
    " set_config('idle_in_transaction_session_timeout', '60s', true)"
)
POSTGRESQL_NO_HURRY = "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '60s', true)"


def open_database(url: str) -> Engine:
    """An engine on the ledger at ``url``, proved reachable; a missing SQLite file and its folder are created.

    Raises `ConfigurationError` for an address of another kind and `LedgerError` when there is no answer.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        engine = _sqlite(address)
    else:
        engine = create_engine(
            address, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": CONNECT_SECONDS_MAX}
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(POSTGRESQL_LIMITS))
    try:
        with engine.connect():
            return engine
    except (DBAPIError, UnicodeDecodeError) as error:
        engine.dispose()
        if is_damage(error):
            raise damaged(f" ({reason(error)})", _place(address)) from error
        raise LedgerError(
            f"The ledger cannot be opened ({reason(error)}).",
            where=_place(address),
            safe="Nothing was read or written.",
            next="check that the database runs, the address and the credentials.",
        ) from error


def database_file(url: str) -> Path | None:
    """Where the file of a SQLite ledger is or would be; None for a database of which only a dial can tell."""
    address = _address(url)
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None


def _address(url: str) -> URL:
    way_out = "use sqlite:///path/ledger.db or postgresql+psycopg://user:password@host/database."
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password, and so may the chained error.
        raise ConfigurationError("The ledger's address cannot be read.", next=way_out) from None
    if address.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return address.set(drivername="postgresql+psycopg")
    if address.drivername in {"sqlite", "sqlite+pysqlite"} and address.database not in {None, "", ":memory:"}:
        return address
    raise ConfigurationError(f"The ledger cannot be kept in {address.drivername} as given.", next=way_out)


def _place(address: URL) -> str:
    """The address without user, password and options, which may carry one."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    host = address.host or address.query.get("host", "")
    return f"{address.get_backend_name()} {host or ''}{f':{address.port}' if address.port else ''}/{address.database}"


def _sqlite(address: URL) -> Engine:
    path = Path(str(address.database))
    try:
        make_folder(path.parent)
    except OSError as error:
        raise LedgerError(
            f"The ledger's folder cannot be created ({error.strerror}).",
            where=str(path.parent),
            next="check the path and its permissions.",
        ) from error
    engine = create_engine(address, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _File(engine, path)
    return engine


class _File:
    """The file of a SQLite ledger while it is in use: a connection to one that was replaced is never used again.

    What it would write goes to a file that no path leads to. Only the first connection may create the file.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._path = path
        self._was_there = False
        event.listen(engine, "do_connect", self._dial)
        event.listen(engine, "connect", self._remember)
        event.listen(engine, "checkout", self._compare)

    def _dial(self, *_: object) -> None:
        if self._was_there and _file_of(self._path) is None:
            raise self._gone()
        if not self._was_there and not self._path.exists():
            # SQLite gives the files beside it the mode of this one. What cannot be created it tells in its own words.
            with suppress(OSError):
                make_file(self._path)

    def _remember(self, _connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[_FILE] = _file_of(self._path)
        self._was_there = True

    def _compare(self, _connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
        found = _file_of(self._path)
        if found is None:
            raise self._gone()
        if found != entry.info[_FILE]:
            raise DisconnectionError("the file was replaced")  # The pool then opens the one that is there now.

    def _gone(self) -> LedgerError:
        return LedgerError(
            "The ledger's file was removed while it was in use.",
            where=str(self._path),
            safe="Nothing more was written or sent.",
            next="put the file back, then run again.",
        )


def _file_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from any other that has had its path."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin by itself: its deferred BEGIN takes the write lock too late to wait for it.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        _enter_wal(cursor)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"journal_size_limit={WAL_BYTES_MAX}"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _enter_wal(cursor: Any) -> None:  # the driver's cursor has no type that SQLAlchemy names
    """Switch the file to WAL, once; SQLite does not wait by itself while others open or close the same new file."""
    for attempt in range(1, OPEN_ATTEMPTS_MAX + 1):
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if attempt == OPEN_ATTEMPTS_MAX or not is_transient(error):
                raise
            time.sleep(OPEN_WAIT_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """A connection to read from: the one given, or a new one of the engine given."""
    if isinstance(database, Connection):
        yield database
        return
    with _told_as_ledger_errors(), database.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: committed at the end of the block, rolled back when it raises.

    On SQLite it has the write lock from the start, so that what it reads is still true when it writes.
    """
    with _told_as_ledger_errors(), engine.connect() as connection:
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection


def patiently(action: Callable[[], T]) -> T:
    """``action()``, again for a bounded number of times while its transaction loses against others.

    Only for an action that is one whole `writing` block: a lost transaction has written nothing.
    """
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=0.02, max=1),
        retry=retry_if_exception(lambda error: isinstance(error, LedgerError) and lost_a_race(error)),
        reraise=True,
    )
    return attempts(action)


def unhurried(connection: Connection) -> None:
    """Lift the time limit of statements for the rest of this transaction: the caller reads or writes whole tables."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(POSTGRESQL_NO_HURRY)


def check_structure(engine: Engine) -> None:
    """Read every page of a SQLite file; raises `LedgerTampered` when tables and indexes do not agree or cannot be read.

    PostgreSQL keeps checksums of its own.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as connection:
        if connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar() != "ok":
            raise damaged("", _place(engine.url))


def insert_missing(connection: Connection, table: Table, values: Mapping[str, object]) -> None:
    """Insert the row unless its primary key exists."""
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())
    else:
        connection.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())


def insert_or_add(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]], amount: str) -> None:
    """Insert each row, or add its ``amount`` to that of the row with its primary key."""
    statement = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    added = {amount: table.c[amount] + statement.excluded[amount]}
    connection.execute(statement.on_conflict_do_update(index_elements=[*table.primary_key], set_=added), [*rows])


@contextmanager
def _told_as_ledger_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise LedgerConflict(
            f"The ledger already holds what was to be appended, or refuses the change ({reason(error)}).",
            safe="Nothing was written.",
            next="load the facts again and decide again.",
        ) from error
    except (DBAPIError, UnicodeDecodeError) as error:
        if is_damage(error):
            raise damaged(f" ({reason(error)})", "") from error
        raise LedgerError(
            f"The ledger's database failed ({reason(error)}).",
            safe="The transaction was not acknowledged; what was committed before is kept.",
            next="check the database, its disk and its connections, then run again.",
        ) from error
