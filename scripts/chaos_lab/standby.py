"""A standby of a real PostgreSQL server: it streams what the server writes, falls behind when told to, and is promoted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import CalledProcessError
from typing import LiteralString

import psycopg
from chaos_lab.processes import POLL_SECONDS
from sqlalchemy import make_url

from tests.postgres import PostgresServer

SECONDS_MAX = 60.0
MODE_OF_DATA = 0o700


class Standby:
    """A copy of a server that follows it; made by `following`."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        address = make_url(server.url).update_query_dict({"host": str(folder)})
        self.url = address.render_as_string(hide_password=False)
        self._plain_url = address.set(drivername="postgresql").render_as_string(hide_password=False)

    def fall_behind(self) -> None:
        """Have all that the server has written up to now, and nothing from now on."""
        with psycopg.connect(self._server.plain_url, autocommit=True) as connection:
            written = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert written is not None
        self._await("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", written[0])
        with psycopg.connect(self._plain_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            connection.execute("SELECT pg_reload_conf()")
        self._await("SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")

    def promote(self) -> None:
        """Let it be the server from now on."""
        self._server.tool("pg_ctl", "-w", "-D", str(self._folder), "promote")

    def _await(self, fact: LiteralString, *values: str) -> None:
        def holds() -> bool:
            with psycopg.connect(self._plain_url, autocommit=True) as connection:
                found = connection.execute(fact, values).fetchone()
                return found is not None and bool(found[0])

        _until(holds)


@contextmanager
def following(server: PostgresServer, folder: Path) -> Iterator[Standby]:
    """A standby in ``folder`` that streams from ``server``, and is gone after the block."""
    folder.mkdir(mode=MODE_OF_DATA)
    if server.user is not None:
        shutil.chown(folder, server.user)
    server.tool("pg_basebackup", "-D", str(folder), "-d", server.plain_url, "-R", "-X", "stream", "-c", "fast")
    options = f"-h '' -k {folder}"
    for lock in folder.glob(".s.PGSQL.*.lock"):
        lock.unlink()  # The backup copies it from where the server keeps its socket.
    server.tool("pg_ctl", "-w", "-D", str(folder), "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield Standby(server, folder)
    finally:
        with suppress(CalledProcessError):
            server.tool("pg_ctl", "-w", "-D", str(folder), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _until(fact: Callable[[], bool]) -> None:
    ends = time.perf_counter() + SECONDS_MAX
    while not fact():
        assert time.perf_counter() < ends, "the standby does not follow"
        time.sleep(POLL_SECONDS)
