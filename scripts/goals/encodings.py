"""One table in twelve physical forms by three writers: what a rewrite or another tool may do to equal data.

What a writer cannot say is replaced by another form that it can: DuckDB's Parquet knows one kind of text and no column
that cannot be null.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

KINDS = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("amount", pa.decimal128(24, 4)),
        ("score", pa.float64()),
        ("points", pa.int64()),
        ("active", pa.bool_()),
        ("born", pa.date32()),
        ("seen", pa.timestamp("us", "UTC")),
        ("wakes", pa.time64("us")),
        ("photo", pa.binary()),
    ]
)
"""``points`` is a number without a written size: pandas keeps such integers as doubles when some are null."""
WORDS = (
    "",
    " ",
    "caf\u00e9",
    "cafe\u0301",
    "NULL",
    "007",
    "a,b;c",
    "line\nfeed",
    '"',
    "\u202etext",
    "👩‍👩‍👧",
    "=cmd()",
)
DOUBLES = (0.1, 5e-324, 1e300, 1 / 3, -2.5, 0.0, 5.0, 2.0**53, 1e16, 1e22, 123456789.125)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def rows_of(count: int, dice: random.Random) -> pa.Table:
    """Rows with what usually breaks, a tenth of each column null."""
    makers: Mapping[str, Callable[[], Any]] = {
        "name": lambda: f"{dice.choice(WORDS)}{dice.randrange(10_000)}",
        "amount": lambda: Decimal(dice.choice((dice.randrange(10**6), dice.randrange(10**20)))).scaleb(-4),
        "score": lambda: dice.choice((*DOUBLES, dice.gauss(0, 1e6))),
        "points": lambda: dice.choice((0, 7, -1, 2**31 - 1, dice.randrange(10**9))),
        "active": lambda: dice.random() < 0.5,
        "born": lambda: date(1, 1, 1) + timedelta(days=dice.randrange(3_652_000)),
        "seen": lambda: MOMENT + dice.randrange(-(10**15), 10**15) * TICK,
        "wakes": lambda: (MOMENT + dice.randrange(86_400_000_000) * TICK).time(),  # noqa: PLW0108  # thrown each time
        "photo": lambda: dice.randbytes(dice.randrange(6)),
    }
    columns = [pa.array(range(count), pa.int64())]
    for name, make in makers.items():
        values = [None if dice.random() < 0.1 else make() for _ in range(count)]
        columns.append(pa.array(values, KINDS.field(name).type))
    return pa.table(columns, schema=KINDS)


@dataclass(frozen=True)
class Form:
    """A physical form: the table as it is handed to the writer, and the name of what the writer is told."""

    change: Callable[[pa.Table], pa.Table] = lambda table: table
    option: str = ""


def _retyped(**kinds: pa.DataType) -> Form:
    def change(table: pa.Table) -> pa.Table:
        for name, kind in kinds.items():
            table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
        return table

    return Form(change)


def _shuffled(table: pa.Table) -> pa.Table:
    return table.take(random.Random(len(table)).sample(range(len(table)), len(table)))


FORMS: Mapping[str, Form] = {
    "row order": Form(_shuffled),
    "column order": Form(lambda table: table.select(table.column_names[::-1])),
    "row-group size": Form(option="groups"),
    "dictionaries off": Form(option="plain"),
    "compression": Form(option="gzip"),
    "writer": Form(),
    "integer width": _retyped(id=pa.int32(), points=pa.int32()),
    "nullable flag": Form(
        lambda table: table.cast(table.schema.set(0, table.schema.field(0).with_nullable(False))), option="schema"
    ),
    "large text": Form(_retyped(name=pa.large_string(), photo=pa.large_binary()).change, option="schema"),
    "timestamp unit": _retyped(seen=pa.timestamp("ns", "UTC")),
    "zone label": _retyped(seen=pa.timestamp("us", "Asia/Tokyo")),
    "decimal scale": _retyped(amount=pa.decimal128(38, 10)),
}
REPLACED: Mapping[tuple[str, str], Form] = {
    ("duckdb", "nullable flag"): Form(option="second version"),
    ("duckdb", "large text"): _retyped(name=pa.dictionary(pa.int32(), pa.string())),
    # The database has no label of a zone, and no zone beside nanoseconds: both are UTC by their values.
    ("duckdb", "zone label"): _retyped(seen=pa.timestamp("us")),
    ("duckdb", "timestamp unit"): _retyped(seen=pa.timestamp("ns")),
    # What pandas would write by itself is what the usual form of the others is not.
    ("pandas", "large text"): Form(_retyped(name=pa.dictionary(pa.int32(), pa.string())).change),
}

ARROW_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "groups": {"row_group_size": 1_000},
    "plain": {"use_dictionary": False},
    "gzip": {"compression": "gzip"},
    "schema": {},
    "": {},
}
DUCKDB_OPTIONS: Mapping[str, str] = {
    "groups": ", ROW_GROUP_SIZE 2048",
    "plain": ", DICTIONARY_SIZE_LIMIT 1",
    "gzip": ", COMPRESSION gzip",
    "second version": ", PARQUET_VERSION v2",
    "": "",
}


def _by_pyarrow(table: pa.Table, path: Path, option: str) -> None:
    pq.write_table(table, path, **ARROW_OPTIONS[option])


def _by_duckdb(table: pa.Table, path: Path, option: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", table)
        connection.execute(f"COPY given TO '{path}' (FORMAT parquet{DUCKDB_OPTIONS[option]})")


def _by_pandas(table: pa.Table, path: Path, option: str) -> None:
    told = {"schema": table.schema} if option == "schema" else {}
    table.to_pandas().to_parquet(path, index=False, **ARROW_OPTIONS[option], **told)


WRITERS: Mapping[str, Callable[[pa.Table, Path, str], None]] = {
    "pyarrow": _by_pyarrow,
    "duckdb": _by_duckdb,
    "pandas": _by_pandas,
}


def written(table: pa.Table, path: Path, writer: str, form: str) -> None:
    """Replace the file by ``table`` in this form by this writer."""
    chosen = REPLACED.get((writer, form), FORMS[form])
    beside = path.with_suffix(".writing")
    WRITERS[writer](chosen.change(table), beside, chosen.option)
    beside.replace(path)
