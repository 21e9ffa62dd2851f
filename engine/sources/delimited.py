"""CSV files as one reading of text: comma, double quotes, UTF-8, a header; what a value looks like decides nothing.

An unquoted empty field is null, a quoted one is the empty text. Empty lines are skipped where there are two columns
or more, since no row can be empty there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from engine.errors import SourceError
from engine.sources.base import BATCH_ROWS, Reading
from engine.sources.duckdb import confine, hardened
from engine.sources.relation import literal
from engine.sources.untyped import TEXT, text

LINE_BYTES_MAX = 16 * 2**20
_LINE = re.compile(r"CSV Error on Line: ([0-9]+)")
_REASONS = (
    ("Expected Number of Columns", "has more or fewer fields than the header"),
    ("unterminated quote", "has a quote that is not closed, text after one, or another line end than the lines before"),
    ("not utf-8", "is not valid UTF-8"),
    ("Maximum line size", "is longer than 16 MiB"),
)

Fail = Callable[[str], SourceError]


@contextmanager
def reading_csv(files: Sequence[Path], folder: Path, memory: str, threads: int, fail: Fail) -> Iterator[Reading]:
    """Rows of all files in order; their headers must be the same."""
    names = _header(files[0], fail)
    for path in files[1:]:
        if _header(path, fail) != names:
            raise fail(f"{path.name} does not have the same header as {files[0].name}")
    schema = pa.schema([(name, TEXT) for name in names])
    with closing(hardened(memory, threads)) as connection:
        confine(connection, folder)
        yield Reading(schema, _batches(connection, files, schema, fail))


def _header(path: Path, fail: Fail) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, strict=True), [])
    except (csv.Error, UnicodeDecodeError, OSError):
        raise fail(f"{path.name}, line 1 is not a header in UTF-8") from None
    if not names or not all(names):
        raise fail(f"{path.name}, line 1 must be a header that names every column")
    if len(set(names)) != len(names):
        raise fail(f"{path.name}, line 1 names a column twice")
    return names


def _batches(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], schema: pa.Schema, fail: Fail
) -> Iterator[pa.RecordBatch]:
    for path in files:
        try:
            for batch in connection.sql(_statement(path, len(schema))).to_arrow_reader(BATCH_ROWS):
                yield pa.RecordBatch.from_arrays([text(column) for column in batch.columns], schema=schema)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise fail(f"{path.name}{_reason(str(error))}") from None


def _statement(path: Path, width: int) -> str:
    """Positions name the columns here: SQL would take names that differ in case for one."""
    columns = ", ".join(f"c{n}: 'VARCHAR'" for n in range(width))
    return (
        f"SELECT * FROM read_csv({literal(str(path))}, auto_detect = false, header = true, columns = {{{columns}}},"
        " delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, strict_mode = true,"
        f" null_padding = false, ignore_errors = false, max_line_size = {LINE_BYTES_MAX})"
    )


def _reason(message: str) -> str:
    """Line and cause, without the line's text, which the database quotes."""
    line = _LINE.search(message)
    where = f", line {line[1]}" if line else ""
    why = next((why for mark, why in _REASONS if mark in message), "is not valid CSV: quotes or line ends are mixed up")
    return f"{where} {why}"
