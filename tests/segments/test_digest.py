"""The digest of a segment's content is that of its values, not of its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.names import Digest
from engine.segments.digest import content_digest

ROWS: Mapping[str, list[str | None]] = {
    "id": [f"é{number}" for number in range(100)],
    "name": [None if number % 3 == 0 else "" if number % 3 == 1 else "x" * number for number in range(100)],
}


def digest(
    path: Path, rows: Mapping[str, list[str | None]], columns: tuple[str, ...] = ("id", "name"), **how: Any
) -> Digest:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})
    pq.write_table(table, path / "rows.parquet", **how)
    return content_digest(path / "rows.parquet", columns)


@pytest.mark.parametrize(
    "how",
    [
        {"row_group_size": 1},
        {"row_group_size": 7},
        {"compression": "none"},
        {"compression": "zstd", "compression_level": 19},
        {"use_dictionary": False},
        {"data_page_size": 1, "data_page_version": "2.0"},
    ],
    ids=str,
)
def test_another_layout_of_equal_rows_has_an_equal_digest(tmp_path: Path, how: dict[str, Any]) -> None:
    assert digest(tmp_path, ROWS, **how) == digest(tmp_path, ROWS)


def test_columns_beyond_those_asked_for_and_their_order_in_the_file_do_not_count(tmp_path: Path) -> None:
    turned = {"more": ROWS["name"], "name": ROWS["name"], "id": ROWS["id"]}
    assert digest(tmp_path, turned) == digest(tmp_path, ROWS)


def test_any_other_value_place_or_length_is_another_digest(tmp_path: Path) -> None:
    tables: list[Mapping[str, list[str | None]]] = [
        ROWS,
        {"id": [], "name": []},
        {"id": ["a", "b"], "name": ["x", None]},
        {"id": ["a", "b"], "name": [None, "x"]},
        {"id": ["a", "b"], "name": ["", "x"]},
        {"id": ["a", "b"], "name": ["x", ""]},
        {"id": ["b", "a"], "name": ["x", ""]},
        {"id": ["ab", ""], "name": ["x", ""]},
        {"id": ["", "ab"], "name": ["x", ""]},
        {"id": ["x", ""], "name": ["a", "b"]},
        {"id": ["ab"], "name": ["x"]},
        {"id": ["a", "b", "c"], "name": ["x", "", None]},
        {"id": ["a", "\u00e9"], "name": ["x", ""]},
        {"id": ["a", "e\u0301"], "name": ["x", ""]},
    ]
    assert len({digest(tmp_path, rows) for rows in tables}) == len(tables)


def test_the_order_of_the_columns_that_are_asked_for_counts(tmp_path: Path) -> None:
    assert digest(tmp_path, ROWS, ("id", "name")) != digest(tmp_path, ROWS, ("name", "id"))
