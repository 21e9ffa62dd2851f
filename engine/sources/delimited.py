"""CSV files as one reading of text: comma, double quotes, UTF-8, a header; what a value looks like decides nothing.

An unquoted empty field is null, a quoted one is the empty text. Spaces beside the quotes of a value are not part of it.
Empty lines are skipped where there are two columns or more, since no row can be empty there. What CSV cannot tell is a
file that was cut off inside its last field.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import SourceError
from engine.sources.base import BATCH_ROWS, Reading
from engine.sources.csv_lines import line_of_longer_row, line_of_other_end, line_of_row
from engine.sources.duckdb import confine, hardened
from engine.sources.relation import literal
from engine.sources.untyped import TEXT, text

LINE_BYTES_MAX = 16 * 2**20
_BLOCK_BYTES = 2**20
_ROW = re.compile(r"CSV Error on Line: ([0-9]+)")
_LONGER = "has more fields than the header"
_NUL = "holds a NUL byte: the file is damaged, or its text is not UTF-8"
_MIXED = "ends in another way than the lines before, or mixes up quotes"
_REASONS = (
    ("Expected Number of Columns", "has more or fewer fields than the header"),
    ("unterminated quote", "has a quote that is not closed, or text after one"),
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
        # Bytes that are not UTF-8 may stand in the rows below, so they are judged in the names alone.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            names = next(csv.reader(iter(partial(file.readline, LINE_BYTES_MAX), ""), strict=True), [])
        "".join(names).encode()
    except OSError:
        raise fail(f"{path.name} cannot be read") from None
    except (csv.Error, UnicodeEncodeError):
        raise fail(f"{path.name}, line 1 is not a header in UTF-8") from None
    if not names or not all(names):
        raise fail(f"{path.name}, line 1 must be a header that names every column")
    if any("\0" in name for name in names):
        raise fail(f"{path.name}, line 1 {_NUL}")
    if len(set(names)) != len(names):
        raise fail(f"{path.name}, line 1 names a column twice")
    return names


def _batches(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], schema: pa.Schema, fail: Fail
) -> Iterator[pa.RecordBatch]:
    width = len(schema)
    for path in files:
        try:
            commas = _commas(path, fail) - width + 1 - sum(name.count(",") for name in schema.names)
            for batch in connection.sql(_statement(path, width)).to_arrow_reader(BATCH_ROWS):
                commas -= batch.num_rows * (width - 1) + _commas_in_values(batch)
                yield pa.RecordBatch.from_arrays([text(column) for column in batch.columns], schema=schema)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise fail(f"{path.name}{_reason(path, str(error))}") from None
        if commas:
            # The database drops fields beyond the header when they are empty; it may have shifted the ones before.
            raise fail(f"{path.name}{_at(line_of_longer_row(path, width))} {_LONGER}")


def _commas(path: Path, fail: Fail) -> int:
    """All commas of a file; refuses a NUL byte, which the database would take for text."""
    commas, line = 0, 1
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if (nul := block.find(b"\0")) >= 0:
                line += block.count(b"\n", 0, nul)
                raise fail(f"{path.name}, line {line} {_NUL}")
            commas += block.count(b",")
            line += block.count(b"\n")
    return commas


def _commas_in_values(batch: pa.RecordBatch) -> int:
    return sum(pc.sum(pc.count_substring(column, ","), min_count=0).as_py() for column in batch.columns)


def _statement(path: Path, width: int) -> str:
    """Positions name the columns here: SQL would take names that differ in case for one."""
    columns = ", ".join(f"c{n}: 'VARCHAR'" for n in range(width))
    return (
        f"SELECT * FROM read_csv({literal(str(path))}, auto_detect = false, header = true, columns = {{{columns}}},"
        " delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, strict_mode = true,"
        f" null_padding = false, ignore_errors = false, max_line_size = {LINE_BYTES_MAX})"
    )


def _reason(path: Path, message: str) -> str:
    """Line and cause, without the line's text, which the database quotes."""
    why = next((why for mark, why in _REASONS if mark in message), None)
    if why is None:
        return f"{_at(line_of_other_end(path))} {_MIXED}"
    row = _ROW.search(message)
    if row is None:
        return f" {why}"
    return f"{_at(line_of_row(path, int(row[1]))) or f', row {row[1]}'} {why}"


def _at(line: int | None) -> str:
    return f", line {line}" if line else ""
