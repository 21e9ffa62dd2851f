"""The logical table in databases in other physical forms: other types, other settings, another order, equal values."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from engine.sources.base import Selection
from tests.sources import tables
from tests.sources.tables import CANONICAL, Written

Form = Callable[[Path], Written]

NAMES = CANONICAL.names


def _sqlite(*script: str, query: str | None = None) -> Form:
    """The usual file after a script, read by a query when one is given."""

    def write(folder: Path) -> Written:
        source, selection = tables.in_sqlite(folder)
        connection = sqlite3.connect(folder / "shop.db", isolation_level=None)
        for statement in script:
            connection.execute(statement)
        connection.close()
        return source, Selection(query=query) if query else selection

    return write


SQLITE: Mapping[str, Form] = {
    "rows in another order": _sqlite(query="SELECT * FROM customers ORDER BY id DESC"),
    "columns in another order": _sqlite(query=f"SELECT {', '.join(NAMES[::-1])} FROM customers"),
    "other pages": _sqlite("PRAGMA page_size = 1024", "VACUUM"),
    "a log of writes": _sqlite("PRAGMA journal_mode = WAL", "UPDATE customers SET name = name"),
    "columns without a type": _sqlite("CREATE TABLE loose AS SELECT * FROM customers", query="SELECT * FROM loose"),
    "decimals as numbers": _sqlite(
        "CREATE TABLE loose (id, amount)",
        "INSERT INTO loose SELECT id, CASE WHEN length(amount) < 9 THEN amount + 0.0 ELSE amount END FROM customers",
        query=f"SELECT {', '.join(n if n != 'amount' else 'loose.amount' for n in NAMES[1:])}, id"
        " FROM customers JOIN loose USING (id)",
    ),
    "trailing zeros": _sqlite("UPDATE customers SET amount = amount || '000' WHERE amount LIKE '%.%'"),
    "Z for an offset": _sqlite("UPDATE customers SET seen = replace(seen, '+00:00', 'Z')"),
    "NaN, which is null": _sqlite("UPDATE customers SET score = 9e999 - 9e999 WHERE score IS NULL"),
    "bytes as digits": _sqlite("UPDATE customers SET photo = hex(photo) WHERE photo IS NOT NULL"),
}


def _changed(**expressions: str) -> str:
    return ", ".join(f"{expressions[name]} AS {name}" if name in expressions else name for name in NAMES)


def _duckdb(columns: str = "*", *, order: str = "id DESC", script: str = "") -> Form:
    def write(folder: Path) -> Written:
        source, _ = tables.in_duckdb(folder)
        if script:
            with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
                connection.execute(script)
        return source, Selection(query=f'SELECT {columns} FROM "Sales"."cust.omers" ORDER BY {order}')

    return write


DUCKDB: Mapping[str, Form] = {
    "rows in another order": _duckdb(),
    "columns in another order": _duckdb(", ".join(NAMES[::-1])),
    "rows deleted and written again": _duckdb(
        order="rowid",
        script='CREATE TABLE kept AS FROM "Sales"."cust.omers" WHERE id < 7; DELETE FROM "Sales"."cust.omers"'
        ' WHERE id < 7; CHECKPOINT; INSERT INTO "Sales"."cust.omers" FROM kept',
    ),
    "wider integers": _duckdb(_changed(id="id::HUGEINT")),
    "decimals of more places": _duckdb(_changed(amount="amount::DECIMAL(38, 10)")),
    "strings of a closed list": _duckdb(
        _changed(name="name::names"),
        script='CREATE TYPE names AS ENUM (SELECT DISTINCT name FROM "Sales"."cust.omers")',
    ),
    "no zone, which is UTC": _duckdb(_changed(seen="seen AT TIME ZONE 'UTC'")),
    "NaN for null, minus zero": _duckdb(
        _changed(score="CASE WHEN score = 0 THEN -score ELSE coalesce(score, 'NaN') END")
    ),
}

POSTGRES: Mapping[str, str] = {
    "rows in another order": "*",
    "columns in another order": ", ".join(NAMES[::-1]),
    "decimals of more places": _changed(amount="amount::numeric(38, 10)"),
    "decimals without a size": _changed(amount="amount::numeric"),
    "strings of a length": _changed(name="name::varchar(200)"),
    "strings of a domain": _changed(name="name::information_schema.character_data"),
    "no zone, which is UTC": _changed(seen="seen AT TIME ZONE 'UTC'"),
    "NaN for null": _changed(score="coalesce(score, 'NaN')", amount="coalesce(amount, 'NaN')"),
    "minus zero": _changed(score="CASE WHEN score = 0 THEN '-0'::float8 ELSE score END"),
}
"""What a query selects, in descending order of the key."""

POSTGRES_DEFAULTS: Mapping[str, str] = {
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "0",
    "bytea_output": "escape",
}
"""Settings that an administrator may change for everybody, and that change how values look as text."""
