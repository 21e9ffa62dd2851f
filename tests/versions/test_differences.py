"""`diff` tells two versions apart as they were captured, whatever the contract says by now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject

ID: dict[str, Any] = {"name": "id", "logicalType": "integer", "primaryKey": True, "required": True}
NAME: dict[str, Any] = {"name": "name", "logicalType": "string"}
PEOPLE = pa.table({"id": [1, 2], "name": ["Ada", "Bo"]})
EDITED = pa.table({"id": [1, 3], "name": ["Ada L.", "Cy"]})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestProject:
    """With a ledger as earlier releases left them: without contracts, so that columns changed within a major."""
    monkeypatch.setattr("engine.steps.contract.Contracts.record", lambda *_: ())
    made = TestProject(tmp_path, "http://127.0.0.1:1")
    made.sync("people_to_hook", match={"external_id": "id"}, fields={"label": "id"})
    return made


def contract(project: TestProject, *columns: dict[str, Any]) -> None:
    schema = [{"name": "people", "properties": list(columns)}]
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, "schema": schema})


def captured(project: TestProject, rows: pa.Table) -> str:
    project.data(rows)
    status: str = project.run("--json", "capture", "people").json["status"]
    return status


def diff(project: TestProject, a: int, b: int) -> dict[str, Any]:
    outcome = project.run("--json", "diff", "people", str(a), str(b))
    found: dict[str, Any] = outcome.json
    assert outcome.code == 0, found
    return found


def test_versions_are_told_apart_by_the_key_that_they_were_captured_with(project: TestProject) -> None:
    contract(project, ID, NAME)
    assert [captured(project, PEOPLE), captured(project, EDITED)] == ["accepted", "accepted"]
    contract(project, {**ID, "primaryKey": False}, {**NAME, "primaryKey": True, "required": True})
    assert captured(project, EDITED) == "blocked"

    found = diff(project, 1, 2)

    assert (found["inserts"], found["updates"], found["deletes"]) == (1, 1, 1)
    assert [(s["change"], s["id"]) for s in found["samples"]] == [("delete", "2"), ("insert", "3"), ("update", "1")]


def test_a_difference_is_turned_around_with_its_versions(project: TestProject) -> None:
    contract(project, ID, NAME)
    assert [captured(project, PEOPLE), captured(project, EDITED)] == ["accepted", "accepted"]

    there, back, none = diff(project, 1, 2), diff(project, 2, 1), diff(project, 2, 2)

    (update,) = (s for s in there["samples"] if s["change"] == "update")
    (reverse,) = (s for s in back["samples"] if s["change"] == "update")
    assert (
        (update["before"], update["after"])
        == (reverse["after"], reverse["before"])
        == ({"name": '"Ada"'}, {"name": '"Ada L."'})
    )
    assert (back["inserts"], back["deletes"]) == (there["deletes"], there["inserts"])
    assert (none["inserts"], none["updates"], none["deletes"], none["samples"]) == (0, 0, 0, [])


def test_versions_on_both_sides_of_another_kind_of_column_are_refused_by_its_name(project: TestProject) -> None:
    contract(project, ID, {"name": "since", "logicalType": "string"})
    assert captured(project, pa.table({"id": [1], "since": ["2024"]})) == "accepted"
    contract(project, ID)
    assert captured(project, pa.table({"id": [1]})) == "accepted"
    contract(project, ID, {"name": "since", "logicalType": "integer"})
    assert captured(project, pa.table({"id": [1], "since": [2024]})) == "accepted"

    outcome = project.run("--json", "diff", "people", "1", "3")

    assert outcome.code == 2
    assert "column since was string and is int64" in outcome.json["error"]["what"]
    assert diff(project, 2, 3)["updates"] == 1


@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 1)])
def test_a_version_that_never_was_is_an_error_that_names_it(project: TestProject, a: int, b: int) -> None:
    contract(project, ID, NAME)
    assert captured(project, PEOPLE) == "accepted"

    outcome = project.run("--json", "diff", "people", str(a), str(b))

    assert outcome.code == 1
    error = outcome.json["error"]
    assert "Version 2 of people@1 is not in the ledger" in error["what"]
    assert "tidegate versions people" in error["next"]
