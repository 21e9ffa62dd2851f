"""Where in a CSV file something stands. Asked only when a read has failed: it goes through the file row by row.

A row of quoted text may span lines, so the database's count of rows is not the line that an editor shows.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

_LINE_CHARACTERS_MAX = 16 * 2**20


class Row(NamedTuple):
    """One row, the header and empty ones included: the line it begins on, from 1, and how its last line ends."""

    line: int
    fields: list[str]
    end: str


def line_of_row(path: Path, number: int) -> int | None:
    """The line on which row ``number`` begins, from 1; None when quotes before it make no sense."""
    found = next(islice(_rows(path), number - 1, None), None)
    return found.line if found else None


def line_of_longer_row(path: Path, width: int) -> int | None:
    """The line of the first row of more than ``width`` fields."""
    return _first(path, lambda row: len(row.fields) > width)


def line_of_other_end(path: Path) -> int | None:
    """The line of the first row that ends in another way than the header; the file's end ends a row, too."""
    header = next(_rows(path), None)
    return _first(path, lambda row: row.end not in ("", header.end)) if header else None


def _first(path: Path, is_wanted: Callable[[Row], bool]) -> int | None:
    return next((row.line for row in _rows(path) if is_wanted(row)), None)


class _Lines:
    """A file's lines with their ends, in pieces of bounded length, that keep the one handed out last."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_LINE_CHARACTERS_MAX):
            self.last = line
            yield line


def _rows(path: Path) -> Iterator[Row]:
    """Rows up to the first that makes no sense; a byte that is not UTF-8 is some character."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = _Lines(file)
        reader = csv.reader(lines)
        begin = 1
        try:
            for fields in reader:
                yield Row(begin, fields, lines.last[len(lines.last.rstrip("\r\n")) :])
                begin = reader.line_num + 1
        except csv.Error:
            return
