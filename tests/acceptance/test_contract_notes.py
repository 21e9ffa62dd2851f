"""Release notes of contracts are what the ledger says of them: when, what changed, of what kind and why."""

from __future__ import annotations

import copy

import pyarrow as pa

from tests.acceptance.test_contract_versions import CITY, NAME, capture, contract
from tests.projects import CONTRACT, TestProject


def told(project: TestProject, *name: str) -> list[tuple[str, str, str, int, str]]:
    report = project.run("--json", "contract", "notes", *(name or ("people",))).json
    return [(n["dataset"], n["contract"], n["kind"], n["version"], n["before"]) for n in report["notes"]]


def test_every_contract_of_every_major_is_told_newest_first(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.1", {**NAME, "logicalTypeOptions": {"maxLength": 9}})
    capture(project)
    contract(project, "1.0.2", {**NAME, "logicalTypeOptions": {"maxLength": 9}})
    project.people({1: ("Ada", 9.5)})
    capture(project)
    second = {**copy.deepcopy(CONTRACT), "version": "2.0.0"}
    second["schema"][0]["properties"].append({**CITY, "required": False})
    project.write("contracts/people-v2.odcs.yaml", second)
    source = {"connection": "lake", "table": "people.parquet"}
    project.write(
        "datasets/people-v2.yaml", {"name": "people", "contract": "contracts/people-v2.odcs.yaml", "source": source}
    )
    project.data(pa.table({"id": [1], "name": ["Ada"], "score": [9.5], "city": ["U"]}))
    assert project.run("capture", "people@2").code == 0

    assert told(project) == [
        ("people@2", "2.0.0", "breaking", 1, "1.0.2"),
        ("people@1", "1.0.2", "unchanged", 2, "1.0.1"),
        ("people@1", "1.0.1", "compatible", 1, "1.0.0"),
        ("people@1", "1.0.0", "first", 1, ""),
    ]
    assert [line[0] for line in told(project, "people@2")] == ["people@2"]

    project.run("contract", "deprecate", "people@1", "--until", "2999-01-31", "--use", "people@2")
    text = project.run("contract", "notes", "people").out
    assert text.startswith("# Contracts of people\n\npeople@1 is deprecated and ends on 2999-01-31: use people@2.\n")
    assert "## people@2: 2.0.0" in text
    assert "Breaking, since 1.0.2:\n\n- breaking: `maxLength` of name is gone: values may arrive" in text
    assert "- additive: column city is new: syncs may use it" in text
    assert "Nothing changed since 1.0.1 that is acted upon." in text


def test_they_tell_of_a_version_that_was_withdrawn(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.1", {**NAME, "logicalTypeOptions": {"maxLength": 9}})
    project.people({1: ("Ada", 9.5)})
    capture(project)
    project.run("dataset", "withdraw", "people@2", "--reason", "too strict", "--yes")

    notes = project.run("--json", "contract", "notes", "people").json["notes"]

    assert [(note["version"], note["withdrawn"]) for note in notes] == [(2, True), (1, False)]
    assert "From version 2, which was withdrawn, on" in project.run("contract", "notes", "people").out


def test_a_dataset_without_contracts_and_one_that_is_not_there_are_told_apart(project: TestProject) -> None:
    assert "No contract was recorded yet" in project.run("contract", "notes", "people").out
    assert project.run("contract", "notes", "persons").code == 2
