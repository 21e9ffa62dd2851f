"""A digest of what a segment holds, independent of how its file was written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.core.canonical import digest_of
from engine.core.names import Digest


class _Hash(Protocol):
    def update(self, data: memoryview) -> None: ...
    def hexdigest(self) -> str: ...


class _Column:
    """Running hashes of one column: which values are there, how long each is, and their bytes."""

    def __init__(self) -> None:
        self._hashes: tuple[_Hash, ...] = tuple(hashlib.sha256() for _ in range(3))

    def update(self, texts: pa.Array) -> None:
        present = texts.is_valid().cast(pa.uint8())
        values = texts.drop_null().cast(pa.large_binary())
        lengths = pc.binary_length(values)
        parts = (_items(present, 1), _items(lengths, 8), _characters(values))
        for running, part in zip(self._hashes, parts, strict=True):
            running.update(part)

    def hexdigests(self) -> list[str]:
        return [running.hexdigest() for running in self._hashes]


def content_digest(path: Path, columns: Sequence[str]) -> Digest:
    """SHA-256 over the texts of ``columns`` in row order; nulls and lengths count, row groups and encodings do not.

    Every column must be UTF-8 text. Reads the file once, in constant memory.
    """
    found = {name: _Column() for name in columns}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(columns)):
            for name, column in found.items():
                column.update(batch.column(name))
    return digest_of([[name, *column.hexdigests()] for name, column in found.items()])


def _items(array: pa.Array, width: int) -> memoryview:
    """The bytes of a fixed-width array without nulls."""
    start = array.offset * width
    return memoryview(array.buffers()[1])[start : start + len(array) * width]


def _characters(values: pa.LargeBinaryArray) -> memoryview:
    offsets, data = values.buffers()[1], values.buffers()[2]
    if data is None or not len(values):
        return memoryview(b"")
    positions = memoryview(offsets).cast("b").cast("q")
    return memoryview(data)[positions[values.offset] : positions[values.offset + len(values)]]
