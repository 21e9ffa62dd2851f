"""One suite for every kind of source: the same table comes out, whatever held it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from engine.core.schema import Column, LogicalType, TableSchema
from engine.errors import ConfigurationError, SourceError
from engine.sources.base import Selection
from engine.sources.normalise import normalise
from engine.sources.registry import open_source
from tests.sources.conftest import Write
from tests.sources.tables import CANONICAL, SCHEMA, Written, drain, expected, read


def test_every_source_gives_the_same_table(stored: Written) -> None:
    found = read(*stored)
    assert found.schema == CANONICAL
    found.validate(full=True)
    for name in CANONICAL.names:
        assert found.column(name).to_pylist() == expected().column(name).to_pylist(), name
    assert found.equals(expected())


def test_reading_twice_gives_equal_tables(stored: Written) -> None:
    assert read(*stored).equals(read(*stored))


def test_a_column_may_hold_nothing_but_null(write: Write) -> None:
    rows = [(number, *(None for _ in CANONICAL.names[1:])) for number in range(3)]
    assert read(*write(rows)).equals(expected(rows))


def test_a_table_may_be_empty(write: Write, request: pytest.FixtureRequest) -> None:
    source, selection = write([])
    if "jsonl" in request.node.name:
        with pytest.raises(SourceError, match=r"customers\.jsonl is empty"):
            read(source, selection)
    else:
        assert read(source, selection).equals(expected([]))


def test_columns_come_in_contract_order_and_others_are_left_out(stored: Written) -> None:
    source, selection = stored
    chosen = TableSchema((SCHEMA.column("name"), SCHEMA.column("id")))
    with source.open(selection) as reading:
        normalised = normalise(reading, chosen)
        assert normalised.reader.schema.names == ["name", "id"]
        left_out = {finding.column for finding in normalised.drift}
    assert left_out == set(CANONICAL.names) - {"name", "id"}
    assert not any(finding.breaking for finding in normalised.drift)


def test_a_dropped_column_is_breaking_drift_and_nothing_is_read(stored: Written) -> None:
    source, selection = stored
    more = TableSchema((*SCHEMA.columns, Column("loyalty", LogicalType.STRING)))
    with source.open(selection) as reading:
        normalised = normalise(reading, more)
        assert [f.message for f in normalised.drift] == ["column loyalty is in the contract and not in the source"]
        assert normalised.drift[0].breaking
        assert normalised.reader.read_all().num_rows == 0


def test_a_read_may_be_given_up_half_way(stored: Written) -> None:
    source, selection = stored
    with source.open(selection) as reading:
        assert isinstance(next(reading.batches), pa.RecordBatch)
    assert read(source, selection).num_rows == expected().num_rows


def test_a_read_may_go_on_in_another_thread(stored: Written) -> None:
    source, selection = stored
    with source.open(selection) as reading, ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(drain, reading).result() == expected().num_rows


def test_an_unknown_type_of_connection_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="duckdb, files, postgres, sqlite"):
        open_source("oracle", {})


def test_a_selection_is_a_table_or_a_query() -> None:
    for table, query in ((None, None), ("a", "SELECT 1")):
        with pytest.raises(ValueError, match="a table or a query"):
            Selection(table, query)
