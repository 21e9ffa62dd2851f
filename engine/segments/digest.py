"""A digest of what a segment holds, independent of how its file was written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.core.canonical import digest_of
from engine.core.names import Digest


def content_digest(path: Path, columns: Sequence[str]) -> Digest:
    """SHA-256 over the texts of ``columns`` in row order; nulls and lengths count, row groups and encodings do not.

    Every column must be UTF-8 text. Reads the file once, in constant memory.
    """
    hashes = {name: (hashlib.sha256(), hashlib.sha256()) for name in columns}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(columns)):
            for name, (lengths, values) in hashes.items():
                text = batch.column(name).cast(pa.large_binary())
                lengths.update(pc.fill_null(pc.binary_length(text), -1).cast(pa.int64()).buffers()[1])
                values.update(_bytes(text))
    return digest_of([[name, *(h.hexdigest() for h in pair)] for name, pair in hashes.items()])


def _bytes(text: pa.LargeBinaryArray) -> memoryview:
    offsets, values = text.buffers()[1], text.buffers()[2]
    if values is None or not len(text):
        return memoryview(b"")
    positions = memoryview(offsets).cast("q")
    return memoryview(values)[positions[text.offset] : positions[text.offset + len(text)]]
