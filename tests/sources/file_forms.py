"""The logical table in files of other physical forms: what a rewrite or another writer may do to equal data."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engine.sources.base import Selection
from tests.sources.tables import CANONICAL, ROWS, Written, expected, json_of, opened, text_of

Form = Callable[[Path], Written]

NAMES = CANONICAL.names
_WEST = timezone(-timedelta(hours=9, minutes=30))


def _parquet(table: pa.Table, **options: Any) -> Form:
    def write(folder: Path) -> Written:
        pq.write_table(table, folder / "customers.parquet", **options)
        return opened("files", path=str(folder)), Selection(table="customers.parquet")

    return write


def _parquet_parts(folder: Path) -> Written:
    for number in range(3):
        pq.write_table(expected().slice(5 * number, 5), folder / f"part-{number}.parquet")
    return opened("files", path=str(folder)), Selection(table="part-*.parquet")


def _parquet_of_duckdb(folder: Path) -> Written:
    with duckdb.connect() as connection:
        connection.register("given", expected())
        connection.execute(f"COPY given TO '{folder / 'customers.parquet'}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    return opened("files", path=str(folder)), Selection(table="customers.parquet")


def _cast(name: str, kind: pa.DataType) -> pa.Table:
    place = NAMES.index(name)
    return expected().set_column(place, name, expected().column(name).cast(kind))


def _other_zeros() -> pa.Table:
    """Nulls as NaN of an unusual payload with a sign, zeros with a sign."""
    scores = (struct.pack("<Q", 0xFFF8DEADBEEF0001) if s is None else struct.pack("<d", s or -0.0) for s in _scores())
    array = pa.Array.from_buffers(pa.float64(), len(ROWS), [None, pa.py_buffer(b"".join(scores))])
    return expected().set_column(NAMES.index("score"), "score", array)


def _scores() -> list[float | None]:
    return [row[NAMES.index("score")] for row in ROWS]


def _not_nullable() -> pa.Table:
    return expected().cast(CANONICAL.set(0, CANONICAL.field(0).with_nullable(False)))


PARQUET: Mapping[str, Form] = {
    "rows in another order": _parquet(expected().take(list(range(len(ROWS)))[::-1])),
    "columns in another order": _parquet(expected().select(NAMES[::-1])),
    "a row group a row": _parquet(expected(), row_group_size=1),
    "without dictionaries, with another codec": _parquet(expected(), use_dictionary=False, compression="gzip"),
    "the old format": _parquet(expected(), version="1.0", store_schema=False),
    "other data pages": _parquet(expected(), data_page_version="2.0", write_page_checksum=True),
    "several files": _parquet_parts,
    "another writer": _parquet_of_duckdb,
    "long strings": _parquet(_cast("name", pa.large_string())),
    "strings in a dictionary": _parquet(_cast("name", pa.dictionary(pa.int32(), pa.string()))),
    "another zone": _parquet(_cast("seen", pa.timestamp("us", "Asia/Tokyo"))),
    "no zone, which is UTC": _parquet(_cast("seen", pa.timestamp("us"))),
    "timestamps of 96 bits": _parquet(expected(), use_deprecated_int96_timestamps=True),
    "dates in milliseconds": _parquet(_cast("born", pa.date64())),
    "times in nanoseconds": _parquet(_cast("wakes", pa.time64("ns"))),
    "decimals of more places": _parquet(_cast("amount", pa.decimal128(38, 10))),
    "decimals of 256 bits": _parquet(_cast("amount", pa.decimal256(60, 20))),
    "a column that cannot be null": _parquet(_not_nullable()),
    "NaN for null, minus zero": _parquet(_other_zeros()),
}


def _csv(
    *,
    texts: Mapping[str, Callable[[str], str]] | None = None,
    names: Sequence[str] = NAMES,
    end: str = "\n",
    mark: str = "",
    quoting: bool = True,
    parts: int = 1,
) -> Form:
    """Each form differs from the usual one in one thing; a change of ``texts`` applies to what is not null."""

    def line(row: tuple[Any, ...]) -> str:
        values = dict(zip(NAMES, row, strict=True))
        return ",".join(_field(name, values[name]) for name in names) + end

    def _field(name: str, value: Any) -> str:
        if value is None:
            return "NaN" if texts and name == "score" and "score" in texts else ""
        changed = (texts or {}).get(name, str)(text_of(value))
        plain = not quoting and changed and not set(changed) & set('",\r\n')
        return changed if plain else '"' + changed.replace('"', '""') + '"'

    def write(folder: Path) -> Written:
        size = -(-len(ROWS) // parts)
        for part in range(parts):
            with (folder / f"customers-{part}.csv").open("w", encoding="utf-8", newline="") as file:
                file.write(mark)
                csv.writer(file, lineterminator=end).writerow(names)
                file.writelines(line(row) for row in ROWS[part * size : (part + 1) * size])
        return opened("files", path=str(folder)), Selection(table="customers-*.csv")

    return write


def _elsewhere(seen: str) -> str:
    """The same instant on a clock that is behind, where there is such a year."""
    moment = datetime.fromisoformat(seen)
    return seen if moment.year in (1, 9999) else moment.astimezone(_WEST).isoformat()


def _zulu(seen: str) -> str:
    return datetime.fromisoformat(seen).astimezone(UTC).isoformat(sep=" ").replace("+00:00", "Z")


def _zeros(amount: str) -> str:
    return f"-0.{'0' * 12}" if not Decimal(amount) else amount + ("0" * 7 if "." in amount else ".00")


CSV: Mapping[str, Form] = {
    "columns in another order": _csv(names=NAMES[::-1]),
    "quotes only where needed": _csv(quoting=False),
    "lines of Windows": _csv(end="\r\n"),
    "a mark of the byte order": _csv(mark="\ufeff"),
    "several files": _csv(parts=4),
    "another offset": _csv(texts={"seen": _elsewhere}),
    "Z, and a space for T": _csv(texts={"seen": _zulu}),
    "trailing zeros, minus zero": _csv(texts={"amount": _zeros}),
    "exponents": _csv(texts={"amount": lambda amount: f"{Decimal(amount):.30E}"}),
    "NaN for null": _csv(texts={"score": str}),
    "minus zero": _csv(texts={"score": lambda score: "-0.0" if score == "0.0" else score}),
    "t and f": _csv(texts={"active": lambda active: active[0]}),
    "1 and 0": _csv(texts={"active": lambda active: str(int(active == "true"))}),
    "TRUE and FALSE": _csv(texts={"active": str.upper}),
    "leading zeros": _csv(texts={"id": lambda number: number if number.startswith("-") else "00" + number}),
    "bytes with a prefix, in capitals": _csv(texts={"photo": lambda photo: "\\x" + photo.upper()}),
    "more digits of a second than there are": _csv(
        texts={"wakes": lambda wakes: wakes + ("000" if "." in wakes else ".000")}
    ),
}


def _jsonl(
    member: Callable[[str, Any], str | None], *, parts: int = 1, step: int = 1, mark: str = "", end: str = "\n"
) -> Form:
    """``member`` writes one name and value, or leaves it out by None."""

    def write(folder: Path) -> Written:
        for part in range(parts):
            with (folder / f"customers-{part}.jsonl").open("w", encoding="utf-8", newline="") as file:
                file.write(mark)
                for row in ROWS[part::parts][::step]:
                    members = map(member, NAMES[::step], row[::step])
                    file.write("{" + ", ".join(m for m in members if m is not None) + "}" + end)
        return opened("files", path=str(folder)), Selection(table="customers-*.jsonl")

    return write


def _member(name: str, value: Any) -> str | None:
    return None if value is None else f"{json.dumps(name)}: {json_of(value)}"


def _only(column: str, change: Callable[[Any], str]) -> Callable[[str, Any], str | None]:
    def member(name: str, value: Any) -> str | None:
        return _member(name, value) if name != column or value is None else f"{json.dumps(name)}: {change(value)}"

    return member


JSONL: Mapping[str, Form] = {
    "rows and members in another order": _jsonl(_member, step=-1),
    "several files": _jsonl(_member, parts=3),
    "nothing instead of null": _jsonl(_member),
    "spaces between": _jsonl(
        lambda name, value: None if value is None else f"{json.dumps(name)} \t: {json_of(value)} "
    ),
    "empty lines, lines of Windows": _jsonl(_member, end="\r\n \r\n"),
    "a mark of the byte order": _jsonl(_member, mark="\ufeff"),
    "escapes": _jsonl(_only("name", json.dumps)),
    "trailing zeros, minus zero": _jsonl(_only("amount", lambda amount: _zeros(str(amount)))),
    "exponents": _jsonl(_only("amount", lambda amount: f"{amount:.30E}")),
    "decimals as text": _jsonl(_only("amount", lambda amount: f'"{amount}"')),
    "minus zero": _jsonl(_only("score", lambda score: json.dumps(score or -0.0))),
    "many digits": _jsonl(_only("score", lambda score: f"{Decimal(score):.60E}")),
    "another offset": _jsonl(_only("seen", lambda seen: f'"{_elsewhere(seen.isoformat())}"')),
}
