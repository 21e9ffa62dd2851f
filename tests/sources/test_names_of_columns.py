"""What a source's columns are called is told only where it is sure to be a name: a first row may be taken for one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from engine.core.schema import Column, LogicalType, TableSchema
from engine.sources.base import Reading
from engine.sources.normalise import normalise

SCHEMA = TableSchema((Column("id", LogicalType.STRING, key_position=1), Column("email", LogicalType.STRING)))


def told(*names: str) -> str:
    schema = pa.schema([(name, pa.string()) for name in names])
    return "; ".join(finding.message for finding in normalise(Reading(schema, iter(())), SCHEMA).drift)


def test_a_column_that_the_contract_lacks_is_named() -> None:
    assert told("id", "email", "plan_B") == "column plan_B is in the source and not in the contract; it is left out"


@pytest.mark.parametrize("name", ["ada@example.org", "Ada Lovelace", "+33 6 12", "1990-01-02", "x" * 64])
def test_a_name_that_may_be_a_value_is_counted_and_not_told(name: str) -> None:
    said = told("id", "email", name)
    assert name not in said
    assert "a column has a name unlike a column's" in said


def test_of_a_file_without_a_header_no_value_is_told() -> None:
    said = told("Lovelace", "Ada", "ada@example.org")
    assert "Lovelace" not in said
    assert "Ada" not in said
    assert "column id is in the contract and not in the source" in said
    assert "3 columns have names unlike a column's" in said
