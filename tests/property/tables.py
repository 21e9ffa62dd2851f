"""Tables that keep their name while their rows are replaced, so that an expression over them is compiled once.

Compiling takes Ibis far longer than a few rows take DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from engine.segments.compute import Session, _sql


class Tables:
    """Tables of one session under names that begin with ``prefix``."""

    def __init__(self, session: Session, prefix: str) -> None:
        self._connection = session._connection
        self._prefix = prefix
        self._schemas: dict[str, pa.Schema] = {}
        self._queries: dict[str, str] = {}

    def given(self, name: str, schema: pa.Schema) -> Table:
        """A table that `put` fills."""
        self._connection.register("shape", schema.empty_table())
        self._connection.execute(f"CREATE TEMP TABLE {self._named(name)} AS SELECT * FROM shape")
        self._schemas[name] = schema
        return ibis.table(ibis.Schema.from_pyarrow(schema), name=self._prefix + name)

    def computed(self, name: str, expression: Table) -> Table:
        """A table that `fill` computes."""
        self._queries[name] = _sql(expression)
        self._schemas[name] = expression.schema().to_pyarrow()
        self._connection.execute(f"CREATE TEMP TABLE {self._named(name)} AS FROM ({self._queries[name]}) LIMIT 0")
        return ibis.table(expression.schema(), name=self._prefix + name)

    def schema(self, name: str) -> pa.Schema:
        """The columns of a table."""
        return self._schemas[name]

    def put(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the rows of a given table."""
        self._connection.register("rows", pa.Table.from_pylist(list(rows), schema=self._schemas[name]))
        self._replace(name, "SELECT * FROM rows")

    def fill(self, *names: str) -> None:
        """Compute tables anew, one after the other."""
        for name in names:
            self._replace(name, self._queries[name])

    def copy(self, source: str, target: str) -> None:
        """Give a table the rows of another one with the same columns."""
        self._replace(target, f"SELECT * FROM {self._named(source)}")

    def read(self, name: str, path: Path, options: str) -> None:
        """Replace the rows of a given table by those of a Parquet file."""
        self._replace(name, f"SELECT * FROM read_parquet('{path}'{options})")

    def write(self, name: str, path: Path) -> None:
        """Write what a computed table would hold, in its order, as Parquet."""
        self._connection.execute(f"COPY ({self._queries[name]}) TO '{path}' (FORMAT parquet)")

    def fetch(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table."""
        rows: list[dict[str, Any]] = self._connection.sql(f"FROM {self._named(name)}").to_arrow_table().to_pylist()
        return rows

    def _named(self, name: str) -> str:
        return f'"{self._prefix}{name}"'

    def _replace(self, name: str, query: str) -> None:
        self._connection.execute(f"TRUNCATE {self._named(name)}")
        self._connection.execute(f"INSERT INTO {self._named(name)} BY NAME {query}")
