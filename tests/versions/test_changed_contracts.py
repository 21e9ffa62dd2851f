"""Columns come, go and change their number type; a rebuilt version still has the values and types of its capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.core.schema import Column, LogicalType, TableSchema
from engine.steps.capture import Accepted, Blocked, Unchanged
from tests.versions.kept import Kept, shelf

ID = Column("id", LogicalType.INTEGER, required=True, key_position=1)
NUMBER = Column("n", LogicalType.NUMBER)
BIG = 2**53
Counts = tuple[int, int, int]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with shelf(tmp_path) as opened:
        yield opened.dataset()


def under(*columns: Column) -> TableSchema:
    return TableSchema((ID, *columns))


def numbers(kind: pa.DataType, values: Mapping[int, Any]) -> pa.Table:
    return pa.table({"id": pa.array(values.keys(), pa.int64()), "n": pa.array(values.values(), kind)})


def decimal(precision: int, scale: int) -> Column:
    return Column("n", LogicalType.DECIMAL, precision=precision, scale=scale)


def accepted(kept: Kept, schema: TableSchema, rows: pa.Table) -> Counts:
    result = kept.capture(schema, rows)
    assert isinstance(result, Accepted), result
    return (result.inserts, result.updates, result.deletes)


def assert_rebuilt(kept: Kept, number: int) -> None:
    """The version reads the same when only the first one is kept whole."""
    whole = kept.rows(number)
    for later in range(2, number + 1):
        kept.forget(later)
    again = kept.rows(number)
    assert again.to_pylist() == whole.to_pylist()
    assert again.schema.types == whole.schema.types


CHANGED_TYPES: Mapping[str, Sequence[Any]] = {
    "what a double could not tell apart": (
        pa.float64(),
        {1: float(BIG), 2: 1.0, 3: 0.5},
        pa.int64(),
        {1: BIG + 1, 2: 1, 3: 2},
        (0, 2, 0),
    ),
    "what a double can no longer tell apart": (
        pa.int64(),
        {1: BIG + 1, 2: BIG, 3: None},
        pa.float64(),
        {1: float(BIG), 2: float(BIG), 3: None},
        (0, 1, 0),
    ),
    "whole numbers that got places": (
        pa.int64(),
        {1: 1, 2: 1, 3: None},
        pa.decimal128(12, 2),
        {1: Decimal("1.00"), 2: Decimal("1.50"), 3: None},
        (0, 1, 0),
    ),
    "a decimal of more digits than a double has": (
        pa.float64(),
        {1: 12345678901234567.0, 2: 0.1, 3: 1.0},
        pa.decimal128(30, 2),
        {1: Decimal("12345678901234567.89"), 2: Decimal("0.10"), 3: Decimal("1.50")},
        (0, 2, 0),
    ),
    "a number that has no room in the type it had before": (
        pa.decimal128(38, 0),
        {1: Decimal(10) ** 35, 2: Decimal(1), 3: Decimal(10) ** 35},
        pa.decimal128(38, 9),
        {1: Decimal(5), 2: Decimal(1), 3: None},
        (0, 2, 0),
    ),
    "a number that was in no way the same": (
        pa.decimal128(38, 9),
        {1: Decimal(5), 2: None},
        pa.decimal128(38, 0),
        {1: Decimal(10) ** 35, 2: Decimal(10) ** 35},
        (0, 2, 0),
    ),
}


@pytest.mark.parametrize("case", CHANGED_TYPES.values(), ids=CHANGED_TYPES.keys())
def test_a_number_of_another_type_is_unchanged_only_if_it_is_the_same_in_both(kept: Kept, case: Sequence[Any]) -> None:
    kind_before, before, kind_after, after, counts = case
    accepted(kept, under(NUMBER), numbers(kind_before, before))

    assert accepted(kept, under(NUMBER), numbers(kind_after, after)) == counts
    assert kept.rows(2)["n"].to_pylist() == list(after.values())
    assert_rebuilt(kept, 2)


@pytest.mark.parametrize("kind", [pa.int32(), pa.float64(), pa.decimal128(12, 2), pa.decimal128(38, 9)], ids=str)
def test_equal_numbers_of_another_type_are_no_new_version(kept: Kept, kind: pa.DataType) -> None:
    rows = numbers(pa.int64(), {1: 7, 2: 0, 3: None})
    accepted(kept, under(NUMBER), rows)

    assert isinstance(kept.capture(under(NUMBER), numbers(kind, {1: 7, 2: 0, 3: None})), Unchanged)


def test_a_place_less_in_the_contract_is_a_change_of_what_had_that_place(kept: Kept) -> None:
    accepted(kept, under(decimal(12, 4)), numbers(pa.decimal128(12, 4), {1: Decimal("1.2345"), 2: Decimal("1.2")}))

    rounded = numbers(pa.decimal128(12, 2), {1: Decimal("1.23"), 2: Decimal("1.2")})
    assert accepted(kept, under(decimal(12, 2)), rounded) == (0, 1, 0)
    assert_rebuilt(kept, 2)


def test_a_row_is_deleted_though_its_number_would_not_fit_the_new_contract(kept: Kept) -> None:
    accepted(kept, under(decimal(30, 0)), numbers(pa.decimal128(30, 0), {1: Decimal(10) ** 29, 2: Decimal(1)}))
    narrow = under(decimal(12, 2))

    assert accepted(kept, narrow, numbers(pa.decimal128(12, 2), {2: Decimal(1)})) == (0, 0, 1)
    assert accepted(kept, narrow, numbers(pa.decimal128(12, 2), {1: Decimal(3), 2: Decimal(1)})) == (1, 0, 0)
    assert_rebuilt(kept, 3)


@pytest.mark.parametrize("kind", [LogicalType.STRING, LogicalType.INTEGER])
def test_a_column_that_left_and_came_back_does_not_bring_its_old_values(kept: Kept, kind: LogicalType) -> None:
    texts = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "b": ["x", "y", "x"]})
    accepted(kept, under(Column("b", LogicalType.STRING)), texts.slice(1))
    assert accepted(kept, under(Column("b", LogicalType.STRING)), texts) == (1, 0, 0)
    assert accepted(kept, under(), texts.select(["id"])) == (0, 0, 0)

    values = pa.array([None, "z", None]) if kind is LogicalType.STRING else pa.array([None, 5, None])
    assert accepted(kept, under(Column("b", kind)), texts.set_column(1, "b", values)) == (0, 1, 0)
    assert kept.rows(4)["b"].to_pylist() == values.to_pylist()
    assert_rebuilt(kept, 4)


def test_a_number_is_rebuilt_through_every_type_that_it_had(kept: Kept) -> None:
    for column, kind, value in (
        (Column("n", LogicalType.DOUBLE), pa.float64(), 0.1),
        (decimal(12, 2), pa.decimal128(12, 2), Decimal("0.10")),
        (decimal(38, 25), pa.decimal128(38, 25), Decimal("0.1")),
    ):
        accepted(kept, under(column), numbers(kind, {1: value, 2: value}))
    assert kept.rows(3)["n"].to_pylist() == [Decimal("0.1")] * 2
    assert_rebuilt(kept, 3)


def test_names_that_the_difference_uses_itself_may_be_those_of_columns(kept: Kept) -> None:
    schema = TableSchema(
        (
            Column("h", LogicalType.INTEGER, required=True, key_position=1),
            Column("t0", LogicalType.STRING),
            Column("n", LogicalType.STRING),
        )
    )
    rows = pa.table({"h": [1, 2, 3], "t0": ["a", "b", "c"], "n": ["a", "b", "c"]})
    accepted(kept, schema, rows)

    edited = pa.table({"h": [2, 3, 4], "t0": ["b", "x", "d"], "n": ["b", "c", "d"]})
    assert accepted(kept, schema, edited) == (1, 1, 1)
    assert_rebuilt(kept, 2)


def test_a_column_of_another_kind_is_refused_by_name(kept: Kept) -> None:
    accepted(kept, under(NUMBER), numbers(pa.int64(), {1: 1}))

    result = kept.capture(under(Column("n", LogicalType.STRING)), numbers(pa.string(), {1: "1"}))

    assert isinstance(result, Blocked)
    assert "column n" in result.checks[-1].message
    assert kept.rows(1).to_pylist() == [{"id": 1, "n": 1}]
