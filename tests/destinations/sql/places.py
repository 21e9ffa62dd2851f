"""The databases of the SQL adapter's tests: how they are spoken to behind the adapter's back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg

from destinations.base import Batch, Reply, Transport, Unavailable
from destinations.sql.adapter import SqlConfig, SqlTable

TABLE = """CREATE TABLE contacts (
    id bigint PRIMARY KEY, name text, score double precision, email text UNIQUE, note text DEFAULT 'none',
    CHECK (score < 100)
)"""
KINDS = ("postgres", "sqlite", "duckdb")


class NoHttp(Transport):
    async def request(self, request: httpx.Request, sign: object = None) -> httpx.Response | Unavailable:
        raise AssertionError("a database is not spoken to over HTTP")


@dataclass
class Place:
    """One database, and the config of an adapter for it."""

    kind: str
    url: str
    execute: Callable[..., list[tuple[Any, ...]]]
    settings: dict[str, Any] = field(default_factory=dict)

    def adapter(self) -> SqlTable:
        return SqlTable(SqlConfig.model_validate(self.config()))

    def send(self, *batches: Batch) -> list[Reply]:
        async def work() -> list[Reply]:
            adapter = self.adapter()
            try:
                return [await adapter.send(one, NoHttp()) for one in batches]
            finally:
                await adapter.close()

        return asyncio.run(work())

    def config(self) -> dict[str, Any]:
        return {"url": self.url, **self.settings, **({"schema": "crm"} if self.kind == "postgres" else {})}

    def rows(self, columns: str = "id, name, score, note") -> list[tuple[Any, ...]]:
        return self.execute(f"SELECT {columns} FROM contacts ORDER BY id")


def sqlite_place(folder: Path) -> Place:
    path = folder / "crm file.db"

    def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    execute(TABLE)
    return Place("sqlite", f"sqlite:///{str(path).replace(' ', '%20')}", execute)


def duckdb_place(folder: Path) -> Place:
    path = folder / "crm file.duckdb"

    def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect(path)) as connection:
            return connection.execute(statement, values).fetchall()

    execute(TABLE)
    return Place("duckdb", f"duckdb:///{str(path).replace(' ', '%20')}", execute)


def postgres_place(url: str) -> Place:
    def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True, options="-c search_path=crm") as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    execute("DROP SCHEMA IF EXISTS crm CASCADE")
    execute("CREATE SCHEMA crm")
    execute(TABLE)
    return Place("postgres", url, execute)


def on_every_write(place: Place, *, sqlite: str, postgres: str) -> None:
    """Let a trigger do something for every row that is written; DuckDB has none."""
    if place.kind == "sqlite":
        for event in ("INSERT", "UPDATE"):
            place.execute(f"CREATE TRIGGER on_{event} AFTER {event} ON contacts BEGIN {sqlite}; END")
        return
    body = f"BEGIN {postgres}; RETURN new; END"
    place.execute(f"CREATE FUNCTION crm.on_write() RETURNS trigger LANGUAGE plpgsql AS '{body}'")
    trigger = "CREATE TRIGGER on_write AFTER INSERT OR UPDATE ON contacts FOR EACH ROW"
    place.execute(f"{trigger} EXECUTE FUNCTION crm.on_write()")
