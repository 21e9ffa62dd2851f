"""JSON lines as one reading: an object a line; the columns are all names that any object has.

A missing name and a JSON null are null, nested values are JSON text, and numbers keep the digits that were written.
A file holds an object at least: one without any names no column, and looks like one that was never written.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pyarrow as pa

from engine.errors import SourceError
from engine.sources.base import Reading
from engine.sources.untyped import DYNAMIC, JSON_KINDS, Digits, dynamic, nested

LINE_BYTES_MAX = 16 * 2**20
COLUMNS_MAX = 10_000
_CHUNK_ROWS = 16_384
_CHUNK_BYTES = 32 * 2**20

# A double holds 15 digits exactly. With digits and points made equal, a longer number is a run of 16 or more.
_SAME = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG = b"0" * 16
_APART = re.compile(rb'"[ \t\r]+:')

_REASONS = (
    ("end of data", "is cut off"),
    ("UTF-8", "is not valid UTF-8"),
    ("surrogate", "holds half of a surrogate pair"),
    ("infinity", "holds a number beyond the range of a double"),
    ("depth limit", "is nested too deeply"),
)

Fail = Callable[[str], SourceError]
Row = dict[str, Any]
"""One JSON object; its values are whatever JSON allows."""


@contextmanager
def reading_json_lines(files: Sequence[Path], fail: Fail) -> Iterator[Reading]:
    """Rows of all files in order. The files are read twice: every line is checked and named before the first row."""
    names: dict[str, None] = {}
    for path in files:
        number = 0
        for number, line in _lines(path, fail):
            names.update(dict.fromkeys(_checked(line, path, number, fail)))
            if len(names) > COLUMNS_MAX:
                raise fail(f"{path.name}, line {number} brings the names of columns to more than {COLUMNS_MAX:,}")
        if number == 0:
            raise fail(f"{path.name} is empty")
    schema = pa.schema([(name, DYNAMIC) for name in names])
    yield Reading(schema, _batches(files, schema, fail))


def _lines(path: Path, fail: Fail) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their number from 1."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise fail(f"{path.name}, line {number} is longer than 16 MiB")
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if line and not line.isspace():
                    yield number, line
    except OSError:
        raise fail(f"{path.name} cannot be read") from None


def _checked(line: bytes, path: Path, number: int, fail: Fail) -> Row:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        why = next((why for mark, why in _REASONS if mark in error.msg), "is not valid JSON")
        raise fail(f"{path.name}, line {number} {why}") from None
    if not isinstance(row, dict):
        raise fail(f"{path.name}, line {number} is not a JSON object")
    return row


def _batches(files: Sequence[Path], schema: pa.Schema, fail: Fail) -> Iterator[pa.RecordBatch]:
    for path in files:
        rows: list[Row] = []
        size = 0
        for number, line in _lines(path, fail):
            rows.append(_exact(line, path, number, fail))
            size += len(line)
            if len(rows) == _CHUNK_ROWS or size >= _CHUNK_BYTES:
                yield _batch(rows, schema)
                rows, size = [], 0
        if rows:
            yield _batch(rows, schema)


def _batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = [dynamic([row.get(name) for row in rows], JSON_KINDS) for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _exact(line: bytes, path: Path, number: int, fail: Fail) -> Row:
    """The quick parser where it cannot lose a digit, a nested value's text or a repeated name; else the careful one."""
    row = _checked(line, path, number, fail)
    if _is_plain(line, len(row)):
        return row
    try:
        careful: Row = _CAREFUL.decode(line.decode())
        return {name: nested(value) if isinstance(value, dict | list) else value for name, value in careful.items()}
    except RecursionError:
        raise fail(f"{path.name}, line {number} is nested too deeply") from None
    except ValueError:
        raise fail(f"{path.name}, line {number} names a member twice") from None


def _is_plain(line: bytes, members: int) -> bool:
    """Whether there is no number with many digits, nothing nested and no name twice; when in doubt it says no."""
    return (
        line.count(b"{") == 1
        and b"[" not in line
        and line.count(b'":') == members
        and not _APART.search(line)
        and _LONG not in line.translate(_SAME)
    )


def _members(pairs: list[tuple[str, Any]]) -> Row:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_CAREFUL = json.JSONDecoder(parse_float=Digits, parse_constant=_not_json, object_pairs_hook=_members)
