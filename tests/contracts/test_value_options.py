"""Every option of every logical type is read as ODCS means it, and what cannot be judged is refused at its key."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.core.value_rules import Enumeration, Format, Length, Multiple, Pattern, Range, ValueDemand, ValueRule

KEY = {"name": "id", "logicalType": "integer", "primaryKey": True}
AT = ("schema", 0, "properties", 1)


def contract(logical: str, physical: str | None = None, **more: Any) -> dict[str, Any]:
    column = {"name": "x", "logicalType": logical, **({"physicalType": physical} if physical else {}), **more}
    heading = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "c", "version": "1.0.0", "status": "active"}
    return {**heading, "schema": [{"name": "t", "properties": [KEY, column]}]}


def read(logical: str, options: dict[str, Any], physical: str | None = None) -> Contract:
    found = read_contract(contract(logical, physical, logicalTypeOptions=options))
    assert isinstance(found, Contract), found
    return found


def refused(logical: str, options: dict[str, Any], physical: str | None = None) -> list[tuple[str, tuple[Any, ...]]]:
    found = read_contract(contract(logical, physical, logicalTypeOptions=options))
    assert isinstance(found, InvalidContract), found.demands
    return [(finding.code, finding.path[4:]) for finding in found.findings]


SIZED = {
    "i8": (-128, 127),
    "i16": (-(2**15), 2**15 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "i128": (-(2**127), 2**127 - 1),
    "u8": (0, 255),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    "u128": (0, 2**128 - 1),
}
DEMANDS: list[tuple[str, str | None, str, Any, ValueDemand]] = [
    ("string", None, "minLength", 2, Length(least=2)),
    ("string", None, "maxLength", 0, Length(most=0)),
    ("string", None, "pattern", "ACC[0-9]{8}", Pattern("ACC[0-9]{8}")),
    *(("string", None, "format", str(each), each) for each in Format),
    ("integer", None, "minimum", 18, Range(low=Decimal(18))),
    ("integer", None, "exclusiveMaximum", 100, Range(high=Decimal(100), high_open=True)),
    ("integer", None, "multipleOf", 5, Multiple(Decimal(5))),
    *(("integer", None, "format", size, Range(*map(Decimal, ends))) for size, ends in SIZED.items()),
    ("number", "decimal(9,2)", "exclusiveMinimum", 0.1, Range(low=Decimal("0.1"), low_open=True)),
    ("number", None, "maximum", 1e3, Range(high=Decimal("1000.0"))),
    ("number", "double", "multipleOf", 0.01, Multiple(Decimal("0.01"))),
    ("number", "double", "format", "f32", Range(Decimal(2**104 - 2**128), Decimal(2**128 - 2**104))),
    ("date", None, "minimum", "2020-01-01", Range(low=date(2020, 1, 1))),
    ("date", None, "exclusiveMaximum", date(2021, 1, 1), Range(high=date(2021, 1, 1), high_open=True)),
    ("timestamp", None, "maximum", "2021-01-01 00:00:00", Range(high=datetime(2021, 1, 1, tzinfo=UTC))),
    ("timestamp", None, "minimum", "2020-01-01 00:00:00+10:00", Range(low=datetime(2019, 12, 31, 14, tzinfo=UTC))),
    ("time", None, "minimum", "08:30:00", Range(low=time(8, 30))),
]


@pytest.mark.parametrize(("logical", "physical", "option", "written", "demand"), DEMANDS)
def test_each_option_becomes_one_rule_under_its_own_name(
    logical: str, physical: str | None, option: str, written: Any, demand: ValueDemand
) -> None:
    found = read(logical, {option: written}, physical)
    assert found.demands.values == (ValueRule(option, "x", demand),)
    assert found.not_enforced == ()


def test_an_enumeration_is_a_rule_in_the_columns_own_type() -> None:
    found = read_contract(contract("number", "decimal(4,2)", enum=[{"value": 1.5, "label": "more"}, {"value": 2}]))
    assert isinstance(found, Contract)
    assert found.demands.values == (ValueRule("enum", "x", Enumeration((Decimal("1.5"), Decimal(2)))),)


ISO = ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "yyyy-MM-ddTHH:mm:ssZ", "YYYY-MM-DDTHH:mm:ss.SSSZ"]


@pytest.mark.parametrize(
    ("logical", "written"), [("date", "yyyy-MM-dd"), ("time", "HH:mm:ss"), *(("timestamp", iso) for iso in ISO)]
)
def test_iso_8601_is_how_texts_are_read_anyway(logical: str, written: str) -> None:
    found = read(logical, {"format": written})
    assert (found.demands.values, found.not_enforced) == ((), ())


def test_what_no_value_can_break_is_listed() -> None:
    assert read("string", {"format": "password"}).not_enforced == ("`format: password` of x",)
    assert read("string", {"format": "binary"}, "bytea").not_enforced == ("`format: binary` of x",)
    assert read("timestamp", {"timezone": True}).not_enforced == ("`timezone: true` of x",)
    assert read("timestamp", {"timezone": False, "defaultTimezone": "Etc/UTC"}).not_enforced == ()
    assert read("timestamp", {"timezone": True, "defaultTimezone": "Australia/Sydney"}).not_enforced == (
        "`timezone: true` of x",
        "`defaultTimezone` of x, whose values say their own zone,",
    )


REFUSED: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("string", None, {"minLenght": 1}, "unknown_key"),
    ("string", None, {"minimum": 1}, "unknown_key"),
    ("string", None, {"minLength": -1}, "wrong_type"),
    ("string", None, {"maxLength": True}, "wrong_type"),
    ("string", None, {"maxLength": 1.5}, "wrong_type"),
    ("string", None, {"pattern": "(?=a)"}, "bad_value"),
    ("string", None, {"pattern": "("}, "bad_value"),
    ("string", None, {"pattern": "(a{1000}){1000}"}, "bad_value"),
    ("string", None, {"pattern": 5}, "wrong_type"),
    ("string", None, {"format": "idn-email"}, "not_available"),
    ("string", None, {"format": ["email"]}, "not_available"),
    ("string", "blob", {"maxLength": 5}, "unknown_key"),
    ("string", "blob", {"format": "email"}, "not_available"),
    ("boolean", None, {"minimum": 0}, "unknown_key"),
    ("integer", None, {"minimum": "18"}, "wrong_type"),
    ("integer", None, {"maximum": True}, "wrong_type"),
    ("integer", None, {"multipleOf": 0}, "wrong_type"),
    ("integer", None, {"multipleOf": -5}, "wrong_type"),
    ("integer", None, {"format": "i65"}, "bad_value"),
    ("integer", None, {"format": "f32"}, "bad_value"),
    ("integer", None, {"minLength": 3}, "unknown_key"),
    ("number", None, {"format": "i32"}, "bad_value"),
    ("number", "double", {"minimum": float("inf")}, "wrong_type"),
    ("number", "double", {"multipleOf": 1e-16}, "out_of_range"),
    ("date", None, {"minimum": "2020-02-30"}, "wrong_type"),
    ("date", None, {"minimum": 2020}, "wrong_type"),
    ("date", None, {"format": "dd/MM/yyyy"}, "not_available"),
    ("date", None, {"timezone": True}, "unknown_key"),
    ("time", None, {"timezone": True}, "not_available"),
    ("timestamp", None, {"timezone": "yes"}, "wrong_type"),
    ("timestamp", None, {"defaultTimezone": "Australia/Sydney"}, "not_available"),
    ("timestamp", None, {"format": "MM-dd-yyyy HH:mm"}, "not_available"),
]


@pytest.mark.parametrize(("logical", "physical", "options", "code"), REFUSED)
def test_an_option_that_cannot_be_judged_is_refused_at_its_key(
    logical: str, physical: str | None, options: dict[str, Any], code: str
) -> None:
    (key,) = options
    assert refused(logical, options, physical) == [(code, ("logicalTypeOptions", key))]


EMPTY: list[tuple[str, dict[str, Any]]] = [
    ("string", {"minLength": 3, "maxLength": 2}),
    ("integer", {"minimum": 2, "maximum": 1}),
    ("integer", {"minimum": 1, "exclusiveMaximum": 1}),
    ("integer", {"exclusiveMinimum": 1, "maximum": 1}),
    ("date", {"minimum": "2021-01-01", "maximum": "2020-01-01"}),
]


@pytest.mark.parametrize(("logical", "options"), EMPTY)
def test_options_that_no_value_can_meet_together_are_refused(logical: str, options: dict[str, Any]) -> None:
    assert refused(logical, options) == [("out_of_range", ("logicalTypeOptions", next(iter(options))))]


def test_ends_that_meet_are_a_range_of_one_value() -> None:
    assert len(read("integer", {"minimum": 1, "maximum": 1}).demands.values) == 2


ENUMERATIONS: list[tuple[list[Any], str, tuple[Any, ...]]] = [
    ([], "wrong_type", ("enum",)),
    ([{"label": "a"}], "missing_key", ("enum", 0)),
    ([{"value": None}], "missing_key", ("enum", 0)),
    ([{"value": 1}], "wrong_type", ("enum", 0, "value")),
    ([{"value": "a"}, {"value": "a"}], "bad_value", ("enum", 1, "value")),
    ([{"value": "a", "lable": "A"}], "unknown_key", ("enum", 0, "lable")),
]


@pytest.mark.parametrize(("entries", "code", "path"), ENUMERATIONS)
def test_an_enumeration_that_cannot_be_meant_is_refused(entries: list[Any], code: str, path: tuple[Any, ...]) -> None:
    found = read_contract(contract("string", enum=entries))
    assert isinstance(found, InvalidContract)
    assert [(finding.code, finding.path) for finding in found.findings] == [(code, (*AT, *path))]


def test_no_finding_shows_what_was_written() -> None:
    found = read_contract(contract("string", logicalTypeOptions={"format": "planted-canary", "minLength": "planted"}))
    assert isinstance(found, InvalidContract)
    assert "planted" not in repr(found)
