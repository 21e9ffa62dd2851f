"""Parquet files as one reading, in the types that the files declare."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import SourceError
from engine.sources.base import BATCH_ROWS, Reading

Fail = Callable[[str], SourceError]


@contextmanager
def reading_parquet(files: Sequence[Path], fail: Fail) -> Iterator[Reading]:
    """Rows of all files in order; their columns must be the same. Memory holds one row group's compressed bytes."""
    schema = _schema(files[0], fail)
    for path in files[1:]:
        if _columns(_schema(path, fail)) != _columns(schema):
            raise fail(f"{path.name} does not have the same columns and types as {files[0].name}")
    if len(set(schema.names)) != len(schema.names):
        raise fail(f"{files[0].name} has two columns of one name")
    with closing(_batches(files, fail)) as batches:
        yield Reading(schema, batches)


def _schema(path: Path, fail: Fail) -> pa.Schema:
    with _opened(path, fail) as file:
        return file.schema_arrow.remove_metadata()


def _columns(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """What parts of one table must share; a part without nulls may say that it has none."""
    return [(field.name, field.type) for field in schema]


def _opened(path: Path, fail: Fail) -> pq.ParquetFile:
    try:
        # The old timestamps of 96 bits would overflow as nanoseconds, and silently become another time.
        return pq.ParquetFile(path, page_checksum_verification=True, coerce_int96_timestamp_unit="us")
    except (FileNotFoundError, PermissionError):
        raise fail(f"{path.name} cannot be opened") from None
    except (pa.ArrowException, OSError):
        raise fail(f"{path.name} is damaged, truncated, encrypted or not Parquet") from None


def _batches(files: Sequence[Path], fail: Fail) -> Generator[pa.RecordBatch, None, None]:
    for path in files:
        rows = 0
        with _opened(path, fail) as file:
            try:
                for batch in file.iter_batches(BATCH_ROWS):
                    rows += batch.num_rows
                    yield batch
            except (pa.ArrowException, OSError):
                raise fail(f"{path.name} is damaged or truncated") from None
            if rows != file.metadata.num_rows:
                raise fail(f"{path.name} ended after {rows:,} of {file.metadata.num_rows:,} rows")
