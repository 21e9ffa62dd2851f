"""The ledgers of a chaos run: fresh SQLite files, or one real PostgreSQL server whose sessions and processes are ended."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from engine.clock import SystemClock
from tests.postgres import PostgresServer

LOCK_SECONDS_MAX = 0.3
_ENDS = ("started", "finished")
LONG_AGO = "1970-01-01T00:00:00.000000Z"
_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Ledgers(ABC):
    """Where ledgers come from, and what can be done to their server."""

    has_server = False

    @abstractmethod
    def fresh(self, folder: Path) -> str:
        """The address of an empty database; the one before is gone."""

    def terminate_sessions(self) -> int:
        """End all other sessions; how many there were."""
        raise NotImplementedError

    def restart(self) -> None:
        """End the server as a crash would, and start it again."""
        raise NotImplementedError


class SqliteLedgers(Ledgers):
    """A file for each ledger."""

    def fresh(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'ledger.db'}"


class PostgresLedgers(Ledgers):
    """One server, emptied for each ledger."""

    has_server = True

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def fresh(self, folder: Path) -> str:
        del folder
        with psycopg.connect(self._server.plain_url, autocommit=True) as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self._server.url

    def terminate_sessions(self) -> int:
        with psycopg.connect(self._server.plain_url, autocommit=True) as connection:
            return len(connection.execute(f"SELECT pg_terminate_backend(pid) {_OTHERS}").fetchall())

    def restart(self) -> None:
        self._server.crash_and_restart()


class Look:
    """What chaos itself reads and does in a ledger, beside the engine."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        sqlite = self._url.startswith("sqlite")
        engine = create_engine(self._url, connect_args={"timeout": LOCK_SECONDS_MAX} if sqlite else {})
        try:
            with engine.begin() as connection:
                if not sqlite:
                    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX * 1000:.0f}ms'"))
                yield connection
        finally:
            engine.dispose()

    def holder(self, lease: str) -> str:
        """Who holds a lease; empty when nobody does."""
        statement = text("SELECT holder FROM lease WHERE name = :name AND NOT released")
        try:
            with self._connected() as connection:
                return str(connection.execute(statement, {"name": lease}).scalar() or "")
        except DBAPIError:
            return ""

    def epoch(self, lease: str) -> int:
        """How often the lease was taken."""
        with self._connected() as connection:
            return int(
                connection.execute(text("SELECT epoch FROM lease WHERE name = :name"), {"name": lease}).scalar_one()
            )

    def expire(self, lease: str) -> bool:
        """Let the lease be over, as if time had passed; false when a stopped process keeps the ledger locked."""
        statement = text("UPDATE lease SET expires_at = :past WHERE name = :name AND NOT released")
        try:
            with self._connected() as connection:
                return connection.execute(statement, {"past": LONG_AGO, "name": lease}).rowcount == 1
        except DBAPIError:
            return False

    def ended(self, lease: str) -> bool:
        """Whether the lease's time is over, by the clock that its users go by."""
        with self._connected() as connection:
            until = _moment(connection, "expires_at", lease)
            if self._url.startswith("sqlite"):
                return until <= SystemClock().now()
            return bool(until <= connection.execute(text("SELECT clock_timestamp()")).scalar_one())

    def acquired(self, lease: str) -> datetime:
        """When the lease was taken last."""
        with self._connected() as connection:
            return _moment(connection, "acquired_at", lease)

    def is_open(self, lease: str) -> bool:
        """Whether the lease could be taken, as far as locks go: a stopped process may be inside a transaction."""
        statement = text("UPDATE lease SET epoch = epoch WHERE name = :name")
        try:
            with self._connected() as connection:
                connection.execute(statement, {"name": lease})
        except DBAPIError:
            return False
        return True

    def runs(self) -> tuple[int, int]:
        """How many runs were started, and how many of them have ended."""
        statement = text("SELECT count(*) FROM event WHERE type = :type")
        with self._connected() as connection:
            counts = [connection.execute(statement, {"type": f"run.{what}"}).scalar_one() for what in _ENDS]
        return int(counts[0]), int(counts[1])

    def intended_keys(self, until: int) -> set[str]:
        """The idempotency keys of all batches that were intended up to an event."""
        statement = text("SELECT data FROM event WHERE type = 'run.window_intended' AND seq <= :until")
        with self._connected() as connection:
            found = list(connection.execute(statement, {"until": until}).scalars())
        contents = [json.loads(data) if isinstance(data, str) else data for data in found]
        return {str(batch["key"]) for content in contents for batch in content["batches"]}

    def head(self) -> int:
        with self._connected() as connection:
            return int(connection.execute(text("SELECT coalesce(max(seq), 0) FROM event")).scalar_one())

    def finished_by(self, actor: str, until: int) -> bool:
        """Whether ``actor`` had recorded the end of a run by then."""
        statement = text("SELECT count(*) FROM event WHERE actor = :actor AND seq <= :until AND type = 'run.finished'")
        with self._connected() as connection:
            return bool(connection.execute(statement, {"actor": actor, "until": until}).scalar_one())

    def written_by(self, actor: str, after: int) -> list[str]:
        """Types of the events of runs and of the sync that ``actor`` appended behind ``after``."""
        statement = text("SELECT type FROM event WHERE actor = :actor AND seq > :after AND stream NOT LIKE 'dataset:%'")
        with self._connected() as connection:
            return list(connection.execute(statement, {"actor": actor, "after": after}).scalars())


def _moment(connection: Connection, column: str, lease: str) -> datetime:
    found = connection.execute(text(f"SELECT {column} FROM lease WHERE name = :name"), {"name": lease})
    return datetime.fromisoformat(found.scalar_one())
