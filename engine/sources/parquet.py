"""Parquet files as one reading, in the types that the files declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import SourceError
from engine.sources.base import BATCH_ROWS, Reading

Fail = Callable[[str], SourceError]


@contextmanager
def reading_parquet(files: Sequence[Path], fail: Fail) -> Iterator[Reading]:
    """Rows of all files in order; their columns must be the same. Memory holds one row group's compressed bytes."""
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(path, fail)) for path in files]
        schema = opened[0].schema_arrow.remove_metadata()
        for path, file in zip(files, opened, strict=True):
            if not file.schema_arrow.equals(schema, check_metadata=False):
                raise fail(f"{path.name} does not have the same columns and types as {files[0].name}")
        if len(set(schema.names)) != len(schema.names):
            raise fail(f"{files[0].name} has two columns of one name")
        yield Reading(schema, _batches(files, opened, fail))


def _opened(path: Path, fail: Fail) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        raise fail(f"{path.name} is damaged, truncated, encrypted or not Parquet") from None


def _batches(files: Sequence[Path], opened: Sequence[pq.ParquetFile], fail: Fail) -> Iterator[pa.RecordBatch]:
    for path, file in zip(files, opened, strict=True):
        rows = 0
        try:
            for batch in file.iter_batches(BATCH_ROWS):
                rows += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError):
            raise fail(f"{path.name} is damaged or truncated") from None
        if rows != file.metadata.num_rows:
            raise fail(f"{path.name} ended after {rows:,} of {file.metadata.num_rows:,} rows")
