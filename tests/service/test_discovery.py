"""What `tidegate validate --connect` finds between a mapping and the fields that a destination says it has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from destinations.base import Field
from engine.core.desired import FieldMapping, FieldType, Mapping, MatchKey, Mode
from engine.core.preparation import Hash, Normalisation, Preparation
from engine.core.schema import Column, LogicalType, TableSchema
from engine.service.discovery import field_findings
from tests.cli.door import tidegate
from tests.projects import TestProject

NUMBERS, MOMENTS = frozenset({"integer", "number"}), frozenset({"timestamp", "date"})
FIELDS = (
    Field("key", "string", unique=True),
    Field("email", "string", unique=True),
    Field("name", "string"),
    Field("seats", "number", takes=NUMBERS),
    Field("seen_at", "datetime", takes=MOMENTS),
    Field("created", "datetime", read_only=True, takes=MOMENTS),
)
SCHEMA = TableSchema(tuple(Column(str(kind), kind) for kind in LogicalType))


def mapped(target: str, column: str, **more: Any) -> FieldMapping:
    return FieldMapping(target, column, **more)


def found(*mappings: FieldMapping, match: str = "key", mode: Mode = Mode.UPSERT, fields: Any = FIELDS) -> list[str]:
    mapping = Mapping("contacts", mode, (MatchKey(match, "string"),), mappings)
    return [f"{finding.code} {finding.path[-1]}" for finding in field_findings(mapping, SCHEMA, fields)]


def test_a_mapping_that_fits_is_told_nothing() -> None:
    mappings = (mapped("name", "integer"), mapped("seats", "decimal"), mapped("seen_at", "timestamp"))

    assert found(*mappings) == []


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (mapped("nmae", "string"), ["unknown_field nmae"]),
        (mapped("created", "timestamp"), ["read_only_field created"]),
        (mapped("seats", "string"), ["bad_type seats"]),
        (mapped("seats", "boolean"), ["bad_type seats"]),
        (mapped("seats", "integer", type=FieldType.STRING), ["bad_type seats"]),
        (mapped("seen_at", "time"), ["bad_type seen_at"]),
        (mapped("seats", "number", prepare=Preparation(Normalisation.EXACT, Hash.SHA256)), ["bad_type seats"]),
        (mapped("seats", "double"), []),
        (mapped("seats", "number"), []),
        (mapped("seen_at", "timestamp", type=FieldType.DATE), []),
    ],
)
def test_a_field_that_is_not_there_cannot_be_written_or_has_another_type_is_named(
    mapping: FieldMapping, told: list[str]
) -> None:
    assert found(mapping) == told


def test_a_match_key_must_be_there_and_be_unique_where_that_is_said() -> None:
    assert found(match="ky") == ["unknown_field ky"]
    assert found(match="name") == ["not_unique name"]
    assert found(match="name", fields=(Field("name", "text"),)) == [], "nobody says what is unique"


def test_what_must_be_there_is_missed_unless_nothing_is_created() -> None:
    fields = (*FIELDS, Field("owner", "string", required=True), Field("id", "int", required=True, read_only=True))

    assert found(fields=fields) == ["missing_field fields"]
    assert found(mapped("owner", "string"), fields=fields) == []
    assert found(fields=fields, mode=Mode.UPDATE) == []


def test_an_object_of_which_nothing_is_told_is_judged_by_nobody() -> None:
    assert found(mapped("anything", "string"), fields=()) == []


def test_validate_names_the_line_of_a_field_that_a_table_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = TestProject(tmp_path / "project", "http://127.0.0.1:9/batch")
    table = tmp_path / "crm.db"
    with closing(sqlite3.connect(table)) as connection:
        connection.execute("CREATE TABLE contacts (id integer PRIMARY KEY, nam text)")
    config = {"url": f"sqlite:///{table}"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "sql", "config": config})
    project.people({1: ("Ada", 1.0)})

    told = tidegate(capsys, "validate", "--connect", "--project", str(project.folder))

    assert told.code == 2
    assert "`contacts` has no field `name` (did you mean `nam`?)" in told.out
    assert "syncs/people_to_hook.yaml:" in told.out
    assert tidegate(capsys, "validate", "--project", str(project.folder)).code == 0


def test_validate_says_which_destination_did_not_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = TestProject(tmp_path / "project", "http://127.0.0.1:9/batch")
    config = {"url": f"sqlite:///{tmp_path}/nothing.db"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "sql", "config": config})
    project.people({1: ("Ada", 1.0)})

    told = tidegate(capsys, "validate", "--connect", "--project", str(project.folder))

    assert told.code == 2
    assert "`hook` does not tell the fields of `contacts`" in told.out
