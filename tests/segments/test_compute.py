"""A session gives expressions their tables, and streams what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import StorageError
from engine.segments.compute import Compute, Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Compute("256MB", 2, tmp_path / "spill").session() as opened:
        yield opened


def test_a_table_is_never_taken_for_a_name_that_the_compiler_invents(session: Session) -> None:
    for number in range(16):
        table = session.rows(pa.table({"id": [1, 2, 3]}))
        doubled = table.mutate(id=table.id * 2)
        both = ibis.union(doubled, doubled.semi_join(table.select(twice=table.id * 2), [("id", "twice")]), table)

        assert sorted(row["id"] for row in session.fetch(both)) == [1, 2, 2, 2, 3, 4, 4, 6, 6], f"table {number}"


def test_a_column_of_a_file_without_nulls_may_be_emptied(session: Session, tmp_path: Path) -> None:
    columns = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string(), nullable=False)])
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    pq.write_table(pa.table({"id": [1, 2], "name": ["a", "b"]}, schema=columns), source)

    session.writing_each(source, lambda rows: rows.mutate(name=ibis.null(rows.schema()["name"])))(source, target)

    assert pq.read_table(target).to_pydict() == {"id": [1, 2], "name": [None, None]}


def read(session: Session, table: ibis.Table) -> object:
    return session.fetch(table)


def streamed(session: Session, table: ibis.Table) -> object:
    return list(session.stream(table, 1_000))


def test_a_named_expression_is_computed_where_it_is_used_and_compiled_only_once(session: Session) -> None:
    few = session.rows(pa.table({"id": [1, 2, 3], "gone": [False, True, False]}))
    named = session.named(few.filter(~few.gone).mutate(twice=few.id * 2))

    assert session.fetch(named.aggregate(n=named.count(), total=named.twice.sum())) == [{"n": 2, "total": 8}]
    assert "gone" not in ibis.to_sql(named.aggregate(total=named.twice.sum()))


def cached(session: Session, table: ibis.Table) -> object:
    return session.cached(table).columns


def test_expressions_that_differ_in_a_literal_or_a_table_alone_are_told_apart(session: Session) -> None:
    first, second = (session.rows(pa.table({"id": [id]})) for id in (1, 2))
    said = [
        session.fetch(table.mutate(more=ibis.literal(more))) for table in (first, second) for more in (1, True, 2, "1")
    ]
    assert repr(said) == repr([[{"id": id, "more": more}] for id in (1, 2) for more in (1, True, 2, "1")])


@pytest.mark.parametrize("use", [read, streamed, cached])
def test_a_file_that_can_no_longer_be_read_is_an_error_of_the_storage(
    session: Session, tmp_path: Path, use: Callable[[Session, ibis.Table], object]
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": list(range(100_000))}), path, row_group_size=1_000)
    table = session.table(path)
    assert use(session, table)
    path.unlink()

    with pytest.raises(StorageError, match="the disk is full or fails"):
        use(session, table)


def test_a_file_that_cannot_be_opened_is_an_error_of_the_storage(session: Session, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").mkdir()

    with pytest.raises(StorageError):
        session.table(tmp_path / "rows.parquet")


def test_a_stream_that_ends_in_the_middle_is_an_error_of_the_storage(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": list(range(3_000_000))}), path, row_group_size=10_000, compression="none")
    stream = session.stream(session.table(path), 1_000)
    assert next(iter(stream)).num_rows
    os.truncate(path, 1_000_000)

    with pytest.raises(StorageError):
        list(stream)
