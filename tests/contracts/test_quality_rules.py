"""A quality rule is read as ODCS means it, and one that cannot be meant is refused at the key at fault."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.core.demands import Allowed, Metric, Operator, Rule, Severity, Threshold, Unit

NULLS: dict[str, Any] = {"metric": "nullValues", "mustBe": 0}
INVALID: dict[str, Any] = {"metric": "invalidValues", "mustBe": 0}
ROWS: dict[str, Any] = {"metric": "rowCount", "mustBe": 0}
COLUMN, TABLE = ("schema", 0, "properties", 1, "quality", 0), ("schema", 0, "quality", 0)


def contract(on_column: list[Any], on_table: list[Any], logical: str = "string") -> dict[str, Any]:
    key = {"name": "id", "logicalType": "integer", "primaryKey": True}
    column = {"name": "x", "logicalType": logical, "quality": on_column}
    heading = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "c", "version": "1.0.0", "status": "active"}
    return {**heading, "schema": [{"name": "t", "properties": [key, column], "quality": on_table}]}


def read(on_column: Any = (), on_table: Any = (), logical: str = "string") -> Contract:
    found = read_contract(contract(list(on_column), list(on_table), logical))
    assert isinstance(found, Contract), found
    return found


def rule(written: dict[str, Any], logical: str = "string") -> Rule:
    (found,) = read([written], logical=logical).demands.rules
    return found


def refused(on_column: Any = (), on_table: Any = (), logical: str = "string") -> list[tuple[str, Any]]:
    found = read_contract(contract(list(on_column), list(on_table), logical))
    assert isinstance(found, InvalidContract), found
    assert "planted" not in repr(found)
    return [(finding.code, finding.path) for finding in found.findings]


def test_a_rule_is_a_metric_a_threshold_and_what_to_do() -> None:
    written = {**NULLS, "name": "few nulls", "unit": "percent", "severity": "warning", "dimension": "completeness"}
    zero = Threshold(Operator.EQUAL, (Decimal(0),))
    assert rule(written) == Rule("`few nulls`", Metric.NULL, zero, ("x",), Unit.PERCENT, Severity.WARNING)


def test_the_type_is_library_when_it_is_not_written_and_rule_is_the_older_word_for_metric() -> None:
    older = {"type": "library", "rule": "nullValues", "mustBe": 0, "name": "n"}
    assert rule(older) == rule({**NULLS, "name": "n"})
    counted = {"rule": "duplicateCount", "mustBeLessThan": 10}
    assert rule(counted).metric is Metric.DUPLICATE


@pytest.mark.parametrize("operator", Operator)
def test_every_operator_is_read_with_its_bounds(operator: Operator) -> None:
    written: Any = [0.1, 5] if operator in (Operator.BETWEEN, Operator.NOT_BETWEEN) else 0.1
    expected = (Decimal("0.1"), Decimal(5)) if isinstance(written, list) else (Decimal("0.1"),)
    assert rule({"metric": "nullValues", operator.value: written}).threshold == Threshold(operator, expected)


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("info", "info"), ("Warning", "warning"), ("error", "error"), (None, "error"), ("high", "error")],
)
def test_a_severity_that_is_not_known_to_be_harmless_blocks(severity: str | None, expected: str) -> None:
    assert rule({**NULLS, "severity": severity}).severity == expected


def test_values_are_of_the_columns_type_and_null_stands_apart() -> None:
    missing = {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None, "", "N/A"]}}
    assert rule(missing).allowed == Allowed(("", "N/A"), null=True)
    valid = {**INVALID, "arguments": {"validValues": [1, 2.5], "pattern": None}}
    assert rule({**valid, "arguments": {"validValues": [1, 2.5]}}, "number").allowed.values == (1, Decimal("2.5"))
    both = {**INVALID, "arguments": {"validValues": ["a"], "pattern": "^[a-z]+$"}}
    assert rule(both).allowed == Allowed(("a",), pattern="^[a-z]+$")


def test_duplicates_of_a_combination_of_columns_belong_to_the_table() -> None:
    written = {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["id", "x"]}}
    (found,) = read(on_table=[written]).demands.rules
    assert found.columns == ("id", "x")


def test_a_rule_without_a_name_is_called_by_its_description_in_one_line_and_not_too_long() -> None:
    assert rule({**NULLS, "description": "no\n  nulls"}).label == "`no nulls`"
    assert len(rule({**NULLS, "description": "x" * 5_000}).label) == 122
    assert rule(NULLS).label == "`nullValues of x`"


@pytest.mark.parametrize(
    ("written", "code", "key"),
    [
        ({"mustBe": 0}, "missing_key", None),
        ({"metric": "nullValue", "mustBe": 0}, "bad_value", "metric"),
        ({"rule": "uniqueCheck", "mustBe": 0}, "bad_value", "rule"),
        ({"metric": "nullValues", "rule": "rowCount", "mustBe": 0}, "bad_value", "rule"),
        (ROWS, "bad_value", "metric"),
        ({"metric": "nullValues"}, "missing_key", None),
        ({**NULLS, "mustBeLessThan": 5}, "bad_value", None),
        ({"metric": "nullValues", "mustBe": "planted"}, "wrong_type", "mustBe"),
        ({"metric": "nullValues", "mustBe": True}, "wrong_type", "mustBe"),
        ({"metric": "nullValues", "mustBe": float("nan")}, "wrong_type", "mustBe"),
        ({"metric": "nullValues", "mustBeLessThan": True}, "wrong_type", "mustBeLessThan"),
        ({"metric": "nullValues", "mustBeBetween": [5, 5]}, "out_of_range", "mustBeBetween"),
        ({"metric": "nullValues", "mustBeBetween": [5, 1]}, "out_of_range", "mustBeBetween"),
        ({**NULLS, "unit": "parts"}, "bad_value", "unit"),
        ({**NULLS, "mustbe": 1}, "unknown_key", "mustbe"),
        ({**NULLS, "type": "libary"}, "bad_value", "type"),
        ({**INVALID, "pattern": "a"}, "unknown_key", "pattern"),
        (INVALID, "missing_key", None),
        ({**INVALID, "arguments": {}}, "missing_key", None),
        ({"metric": "missingValues", "mustBe": 0}, "missing_key", None),
        ({"type": "custom", "engine": "soda", "implementation": "planted"}, "not_available", "type"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_at_its_key(written: dict[str, Any], code: str, key: Any) -> None:
    assert refused([written]) == [(code, COLUMN if key is None else (*COLUMN, key))]


@pytest.mark.parametrize(
    ("arguments", "logical", "code", "path"),
    [
        ({"validValue": ["a"]}, "string", "unknown_key", ("validValue",)),
        ({"properties": ["x"]}, "string", "unknown_key", ("properties",)),
        ({"validValues": "planted"}, "string", "wrong_type", ("validValues",)),
        ({"validValues": []}, "string", "wrong_type", ("validValues",)),
        ({"validValues": ["a"] * 1_001}, "string", "wrong_type", ("validValues",)),
        ({"validValues": ["a", False]}, "string", "wrong_type", ("validValues", 1)),
        ({"validValues": [1, "2"]}, "integer", "wrong_type", ("validValues", 1)),
        ({"validValues": ["2024-02-30"]}, "date", "wrong_type", ("validValues", 0)),
        ({"pattern": 5}, "string", "wrong_type", ("pattern",)),
        ({"pattern": "1"}, "integer", "wrong_type", ("pattern",)),
        ({"pattern": "(planted"}, "string", "bad_value", ("pattern",)),
        ({"pattern": "a(?=b)"}, "string", "bad_value", ("pattern",)),
        ({"pattern": r"(a)\1"}, "string", "bad_value", ("pattern",)),
        ({"pattern": ""}, "string", "bad_value", ("pattern",)),
        ({"pattern": "a" * 1_001}, "string", "bad_value", ("pattern",)),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_at_its_place(
    arguments: dict[str, Any], logical: str, code: str, path: tuple[Any, ...]
) -> None:
    found = refused([{**INVALID, "arguments": arguments}], logical=logical)
    assert found == [(code, (*COLUMN, "arguments", *path))]


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        (NULLS, "bad_value", ("metric",)),
        ({**ROWS, "unit": "percent"}, "bad_value", ("unit",)),
        ({"metric": "duplicateValues", "mustBe": 0}, "missing_key", ()),
        (
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["id", "y"]}},
            "unknown_column",
            ("arguments", "properties", 1),
        ),
        (
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["id", "id"]}},
            "wrong_type",
            ("arguments", "properties"),
        ),
    ],
)
def test_a_rule_of_the_table_is_judged_as_one(written: dict[str, Any], code: str, path: tuple[Any, ...]) -> None:
    assert refused(on_table=[written]) == [(code, (*TABLE, *path))]


def test_every_mistake_of_a_rule_is_told_at_once() -> None:
    written = {**INVALID, "unit": "parts", "mustBe": "x", "arguments": {"pattern": "("}}
    assert [code for code, _ in refused([written])] == ["bad_value", "wrong_type", "bad_value"]


def test_a_pattern_that_makes_other_engines_hang_is_one_like_any_other() -> None:
    assert rule({**INVALID, "arguments": {"pattern": "^(a+)+$"}}).allowed.pattern == "^(a+)+$"


def test_more_rules_than_a_pass_should_bear_are_refused() -> None:
    assert refused([NULLS] * 501) == [("out_of_range", COLUMN[:-1])]
