"""An ODCS file becomes columns with types, keys and sensitivity; what is not enforced is named."""

from __future__ import annotations

from typing import Any

import pytest

from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.contracts.references import duplicate_majors, major_finding, sync_findings
from engine.core.classification import INTERNAL, USUAL
from engine.core.schema import LogicalType, TableSchema


def contract(*properties: dict[str, Any], **extra: Any) -> dict[str, Any]:
    key = {"name": "id", "logicalType": "integer", "primaryKey": True}
    table = {"name": "customers", "properties": list(properties) or [key], **extra.pop("table", {})}
    heading = {"apiVersion": "v3.0.2", "kind": "DataContract", "id": "c", "version": "2.1.0", "status": "active"}
    return {**heading, "schema": [table], **extra}


def read(*properties: dict[str, Any], **extra: Any) -> Contract:
    found = read_contract(contract(*properties, **extra))
    assert isinstance(found, Contract), found
    return found


def codes(*properties: dict[str, Any], **extra: Any) -> list[str]:
    found = read_contract(contract(*properties, **extra))
    assert isinstance(found, InvalidContract), found
    return [finding.code for finding in found.findings]


KEY = {"name": "id", "logicalType": "integer", "primaryKey": True}


@pytest.mark.parametrize(
    ("logical", "physical", "expected"),
    [
        ("string", None, (LogicalType.STRING, None, None)),
        ("string", "VARCHAR(20)", (LogicalType.STRING, None, None)),
        ("string", "bytea", (LogicalType.BINARY, None, None)),
        ("integer", "BIGINT", (LogicalType.INTEGER, None, None)),
        ("boolean", None, (LogicalType.BOOLEAN, None, None)),
        ("date", None, (LogicalType.DATE, None, None)),
        ("time", None, (LogicalType.TIME, None, None)),
        ("timestamp", "timestamptz", (LogicalType.TIMESTAMP, None, None)),
        ("number", None, (LogicalType.NUMBER, None, None)),
        ("number", "NUMBER", (LogicalType.NUMBER, None, None)),
        ("number", "DECIMAL(12, 2)", (LogicalType.DECIMAL, 12, 2)),
        ("number", "numeric(38,0)", (LogicalType.DECIMAL, 38, 0)),
        ("number", "decimal(9)", (LogicalType.DECIMAL, 9, 0)),
        ("number", "decimal", (LogicalType.DECIMAL, None, None)),
        ("number", "double precision", (LogicalType.DOUBLE, None, None)),
        ("number", "REAL", (LogicalType.DOUBLE, None, None)),
    ],
)
def test_a_number_is_exact_when_its_physical_type_is(
    logical: str, physical: str | None, expected: tuple[Any, ...]
) -> None:
    column = read(KEY, {"name": "x", "logicalType": logical, "physicalType": physical}).schema.column("x")
    assert (column.type, column.precision, column.scale) == expected


@pytest.mark.parametrize("physical", ["decimal(0,0)", "decimal(39,0)", "decimal(5,6)"])
def test_a_decimal_that_cannot_be_kept_is_refused(physical: str) -> None:
    assert codes(KEY, {"name": "x", "logicalType": "number", "physicalType": physical}) == ["out_of_range"]


@pytest.mark.parametrize("logical", ["object", "array", "map", "vector"])
def test_nested_columns_are_refused(logical: str) -> None:
    assert codes(KEY, {"name": "x", "logicalType": logical}) == ["not_available"]


def test_a_column_carries_what_the_contract_demands() -> None:
    email = {"name": "email", "logicalType": "string", "required": True, "unique": True, "classification": "restricted"}
    column = read(KEY, email).schema.column("email")
    assert (column.required, column.unique, column.classification) == (True, True, USUAL.of("restricted"))
    assert read().schema.column("id").classification is INTERNAL


def test_a_key_column_is_required_even_if_the_contract_denies_it() -> None:
    assert read({**KEY, "required": False}).schema.column("id").required


def test_the_key_follows_its_positions_or_the_order_of_listing() -> None:
    a, b = {**KEY, "name": "a"}, {**KEY, "name": "b"}
    assert read(a, b).schema.key == ("a", "b")
    assert read({**a, "primaryKeyPosition": 2}, {**b, "primaryKeyPosition": 1}).schema.key == ("b", "a")
    assert read({**a, "primaryKeyPosition": -1}, {**b, "primaryKeyPosition": -1}).schema.key == ("a", "b")
    assert codes({**a, "primaryKeyPosition": 1}, b) == ["bad_primary_key"]
    assert codes({**a, "primaryKeyPosition": 1}, {**b, "primaryKeyPosition": 1}) == ["bad_primary_key"]


@pytest.mark.parametrize(("version", "major"), [("0.1.0", 0), ("12.0.3-rc.1+5", 12)])
def test_the_major_comes_from_the_version(version: str, major: int) -> None:
    assert read(KEY, version=version).major == major


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0 ", "latest"])
def test_a_version_that_is_not_semantic_is_refused(version: str) -> None:
    assert codes(KEY, version=version) == ["bad_version"]


def test_what_is_not_enforced_is_named() -> None:
    text = [{"type": "text", "description": "looks right"}]
    ruled = {"name": "x", "logicalType": "string", "quality": text, "relationships": [{"to": "y.z"}]}
    sla = [{"property": "throughput", "value": 4}]
    found = read(KEY, ruled, slaProperties=sla, table={"quality": text})
    assert found.not_enforced == (
        "the quality text `looks right` of customers",
        "the quality text `looks right` of x",
        "the service level `throughput`",
        "relationships of x",
    )
    assert read().not_enforced == ()


def test_an_empty_version_is_allowed_only_by_the_contract() -> None:
    allow = [{"property": "tidegate.allowEmpty", "value": True}]
    assert not read().allow_empty
    assert read(customProperties=allow).allow_empty
    assert read(table={"customProperties": allow}).allow_empty
    assert codes({**KEY, "customProperties": allow}) == ["unknown_key"]
    assert codes(customProperties=[{"property": "tidegate.quarantine", "value": True}]) == ["unknown_key"]
    assert codes(customProperties=[{"property": "tidegate.allowEmpty", "value": "yes"}]) == ["wrong_type"]


def test_custom_properties_of_others_are_left_alone() -> None:
    assert read(customProperties=[{"property": "acme.owner", "value": "x"}]).not_enforced == ()


def test_what_the_model_refuses_is_said_without_the_value() -> None:
    found = read_contract({**contract(), "schema": "planted-canary"})
    assert isinstance(found, InvalidContract)
    assert [finding.code for finding in found.findings] == ["invalid_contract"]
    assert "planted" not in repr(found)


SCHEMA: TableSchema = read(KEY, {"name": "email", "logicalType": "string"}).schema


def test_key_and_field_of_one_column_may_share_a_target() -> None:
    assert sync_findings(SCHEMA, match={"email": "email"}, fields={"email": "email"}, consent_subject="id") == ()


def test_targets_that_differ_by_case_are_one_field() -> None:
    found = sync_findings(SCHEMA, match={"id": "id"}, fields={"email": "email", "Email": "email"}, consent_subject=None)
    assert [(finding.code, finding.path) for finding in found] == [("duplicate_name", ("fields", "Email"))]


def test_an_unknown_column_names_the_nearest_in_whatever_case() -> None:
    (found,) = sync_findings(SCHEMA, match={"id": "id"}, fields={"email": "EMAIL"}, consent_subject=None)
    assert found == (
        "unknown_column",
        "the contract has no column `EMAIL`",
        "did you mean `email`?",
        ("fields", "email"),
    )


def test_a_dataset_id_belongs_to_one_file() -> None:
    found = duplicate_majors([("a.yaml", "c", 1), ("b.yaml", "c", 2), ("d.yaml", "c", 1)])
    assert [(file, finding.code) for file, finding in found] == [("d.yaml", "duplicate_name")]


def test_a_major_must_be_given_by_a_contract() -> None:
    assert major_finding("c", 1, [1, 2]) is None
    missing = major_finding("c", 3, [2, 1])
    assert missing is not None
    assert missing.hint == "there are `c@1`, `c@2`"
