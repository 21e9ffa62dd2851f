"""The SQL adapter holds what the kit demands, in every database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import ClassVar

import psycopg
import pytest

from destinations.base import Destination, Value
from destinations.sql.adapter import SqlTable
from destinations.testing.conformance import Conformance
from destinations.testing.fake import Fake
from destinations.testing.samples import Kind
from destinations.testing.sql import TableFake, TestDuckdb, TestSqlite

__all__ = ["TestDuckdb", "TestPostgres", "TestSqlite"]


REFUSES = """
    CREATE TABLE refused (id text PRIMARY KEY);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT 1 FROM kit.refused WHERE id = new.id) THEN RAISE EXCEPTION 'this record is refused'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION refuse()
"""


class PostgresFake(TableFake):
    """A table of a server, with columns of the types that the values are of."""

    types: ClassVar[Mapping[Kind, str]] = {
        Kind.TEXT: "text",
        Kind.INTEGER: "bigint",
        Kind.DECIMAL: "numeric",
        Kind.BOOLEAN: "boolean",
        Kind.DATE: "date",
        Kind.TIMESTAMP: "timestamptz",
    }
    mark = "%s"
    url = ""

    def make(self, table: str) -> None:
        self.execute(f"DROP SCHEMA IF EXISTS kit CASCADE; CREATE SCHEMA kit; {table}; {REFUSES}")

    def config(self) -> Mapping[str, str]:
        return {"url": self.url, "schema": "kit"}

    def execute(self, statement: str, *values: Value) -> list[tuple[Value, ...]]:
        with psycopg.connect(self.url, autocommit=True, options="-c search_path=kit") as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def read(self, kind: Kind, value: Value) -> Value:
        match value:
            case datetime():
                return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            case date():
                return value.isoformat()
            case _:
                return value


class TestPostgres(Conformance):
    adapter: ClassVar[type[Destination]] = SqlTable
    fake: ClassVar[type[Fake]] = PostgresFake

    @pytest.fixture(autouse=True)
    def server(self, postgres_url: str) -> None:
        PostgresFake.url = postgres_url.replace("+psycopg", "")
