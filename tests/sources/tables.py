"""The logical table that every kind of source must give back, with the values that usually break."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.schema import Column, LogicalType, TableSchema
from engine.sources.base import Reading, Selection, Source
from engine.sources.normalise import normalise
from engine.sources.registry import open_source

Written = tuple[Source, Selection]
Row = tuple[Any, ...]

KINDS = ("duckdb", "parquet", "csv", "jsonl", "sqlite", "postgres")

SCHEMA = TableSchema(
    (
        Column("id", LogicalType.INTEGER, required=True, key_position=1),
        Column("name", LogicalType.STRING),
        Column("amount", LogicalType.DECIMAL, precision=24, scale=4),
        Column("score", LogicalType.DOUBLE),
        Column("active", LogicalType.BOOLEAN),
        Column("born", LogicalType.DATE),
        Column("seen", LogicalType.TIMESTAMP),
        Column("wakes", LogicalType.TIME),
        Column("photo", LogicalType.BINARY),
    )
)

CANONICAL = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("amount", pa.decimal128(24, 4)),
        ("score", pa.float64()),
        ("active", pa.bool_()),
        ("born", pa.date32()),
        ("seen", pa.timestamp("us", "UTC")),
        ("wakes", pa.time64("us")),
        ("photo", pa.binary()),
    ]
)

_EAST = timezone(timedelta(hours=5, minutes=30))
_BIG = Decimal("12345678901234567890.1234")
ROWS: tuple[Row, ...] = (
    (1, "", Decimal("1.10"), 0.1, True, date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC), time(0), b""),
    (2, None, None, None, None, None, None, None, None),
    (
        2**53 + 1,
        "caf\u00e9",
        Decimal("1.1"),
        1e300,
        False,
        date(9999, 12, 31),
        None,
        time(23, 59, 59, 999999),
        b"\0\xff",
    ),
    (
        2**63 - 1,
        "cafe\u0301",
        _BIG,
        -2.5,
        True,
        date(1582, 10, 15),
        datetime(2024, 3, 31, 6, 30, tzinfo=_EAST),
        None,
        None,
    ),
    (-(2**63), "👩‍👩‍👧 \u202etext", -_BIG, 5e-324, None, date(2038, 1, 19), None, time(12, 30), b"\\x41"),
    (5, 'quotes " and "" and \\', Decimal(0), 123456789.125, None, None, None, None, None),
    (6, "lines\nof\r\ntext", Decimal("0.0001"), None, None, None, None, None, None),
    (7, "a,b;c\td", None, 1 / 3, None, None, datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), None, None),
    (8, " spaces stay \u00a0", None, None, False, None, datetime(1969, 12, 31, 23, 59, 59, 1, UTC), None, None),
    (9, "NULL", None, None, None, None, None, None, None),
    (10, "=cmd()|{{7*7}}</script>%0d%0a\ufeff", None, None, None, None, None, None, None),
    (11, "007", None, None, None, None, None, None, None),
    (12, "\ufeffzero", Decimal("0.0"), 0.0, None, None, None, None, None),
)


def expected(rows: Sequence[Row] = ROWS) -> pa.Table:
    """The table as it must come out of every source."""
    columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(CANONICAL)]
    return pa.table(columns, schema=CANONICAL)


def opened(kind: str, **options: Any) -> Source:
    return open_source(kind, {"name": "warehouse", "memory": "500MB", "threads": 2, **options})


def read(source: Source, selection: Selection, schema: TableSchema = SCHEMA) -> pa.Table:
    """Everything a source gives, normalised."""
    with source.open(selection) as reading:
        normalised = normalise(reading, schema)
        assert not [finding for finding in normalised.drift if finding.breaking]
        return normalised.reader.read_all()


def drain(reading: Reading) -> int:
    return sum(batch.num_rows for batch in reading.batches)


def in_duckdb(folder: Path, rows: Sequence[Row] = ROWS) -> Written:
    path = folder / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("given", expected(rows))
        connection.execute('CREATE SCHEMA "Sales"; CREATE TABLE "Sales"."cust.omers" AS FROM given')
    return opened("duckdb", path=str(path)), Selection(table='Sales."cust.omers"')


def in_parquet(folder: Path, rows: Sequence[Row] = ROWS) -> Written:
    pq.write_table(expected(rows), folder / "customers.parquet")
    return opened("files", path=str(folder)), Selection(table="customers.parquet")


def in_csv(folder: Path, rows: Sequence[Row] = ROWS) -> Written:
    with (folder / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(CANONICAL.names)
        for row in rows:
            file.write(",".join("" if v is None else '"' + text_of(v).replace('"', '""') + '"' for v in row) + "\n")
    return opened("files", path=str(folder)), Selection(table="customers.csv")


def in_jsonl(folder: Path, rows: Sequence[Row] = ROWS) -> Written:
    with (folder / "customers.jsonl").open("w", encoding="utf-8") as file:
        for row in rows:
            members = [f"{json.dumps(n)}: {json_of(v)}" for n, v in zip(CANONICAL.names, row, strict=True)]
            file.write("{" + ", ".join(members) + "}\n")
    return opened("files", path=str(folder)), Selection(table="customers.jsonl")


def in_sqlite(folder: Path, rows: Sequence[Row] = ROWS) -> Written:
    path = folder / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE customers (id INTEGER, name TEXT, amount TEXT, score REAL, active BOOLEAN, born TEXT, seen TEXT,"
        " wakes TEXT, photo BLOB)"
    )
    native = [[v if isinstance(v, int | float | bytes) or v is None else text_of(v) for v in row] for row in rows]
    connection.executemany("INSERT INTO customers VALUES (?,?,?,?,?,?,?,?,?)", native)
    connection.commit()
    connection.close()
    return opened("sqlite", path=str(path)), Selection(table="customers")


def in_postgres(url: str, rows: Sequence[Row] = ROWS) -> Written:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute('DROP SCHEMA IF EXISTS "Sales" CASCADE; CREATE SCHEMA "Sales"')
        connection.execute(
            'CREATE TABLE "Sales"."cust.omers" (id bigint, name text, amount numeric(24,4),'
            " score double precision, active boolean, born date, seen timestamptz, wakes time, photo bytea)"
        )
        with connection.cursor() as cursor:
            statement = 'INSERT INTO "Sales"."cust.omers" VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s)'
            cursor.executemany(statement, rows)
    return opened("postgres", url=url), Selection(table='Sales."cust.omers"')


def text_of(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def json_of(value: Any) -> str:
    """Decimals as JSON numbers with all their digits, which Python's own writer would not give."""
    if value is None:
        return "null"
    plain = isinstance(value, int | float | Decimal)
    return text_of(value) if plain else json.dumps(text_of(value), ensure_ascii=False)
