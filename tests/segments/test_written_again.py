"""Files that are written again with a change."""

from __future__ import annotations

from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from engine.segments.compute import Compute


def test_a_column_of_a_file_without_nulls_may_be_emptied(tmp_path: Path) -> None:
    columns = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string(), nullable=False)])
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    pq.write_table(pa.table({"id": [1, 2], "name": ["a", "b"]}, schema=columns), source)

    with Compute(memory="100MB", threads=1, spill=tmp_path / "spill").session() as session:
        emptied = session.writing_each(source, lambda rows: rows.mutate(name=ibis.null(rows.schema()["name"])))
        emptied(source, target)

    assert pq.read_table(target).to_pydict() == {"id": [1, 2], "name": [None, None]}
