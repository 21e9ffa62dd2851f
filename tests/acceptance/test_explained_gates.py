"""`tidegate gates` says of every check what it asks, what it found last and when, and shows rows that failed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
RULES = [
    {"metric": "nullValues", "mustBe": 0, "severity": "warning", "name": "names are known"},
    {"metric": "duplicateValues", "mustBe": 0, "severity": "warning", "name": "names differ"},
    {"type": "sql", "query": "SELECT count(*) FROM ${table}", "mustBe": 4, "name": "four", "severity": "warning"},
]
PEOPLE: dict[int, tuple[str | None, float | None]] = {
    1: ("canary-ada", 1.0),
    2: ("canary-bo", 2.0),
    3: (None, 3.0),
    4: ("canary-bo", 4.0),
}


@pytest.fixture(autouse=True)
def demanding(project: TestProject, receiver: Receiver) -> None:
    """Names are confidential, watched and judged; scores are watched for new values."""
    contract = copy.deepcopy(CONTRACT)
    contract["schema"][0]["properties"][1] |= {"classification": "confidential", "quality": RULES}
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.destination("hook", receiver.url, clearance="confidential")
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    gates = {
        "rows": {"min": 2},
        "identifiers": {"max_rekeyed": 0.1, "on_fail": "review"},
        "values": {"columns": ["score"], "on_fail": "warn"},
    }
    project.write("datasets/people.yaml", {**dataset, "identifiers": ["name"], "gates": gates})
    project.people(PEOPLE)


def explained(project: TestProject, name: str = SYNC, *options: str) -> dict[str, list[dict[str, Any]]]:
    """Reports by check."""
    ended = project.run("--json", "gates", name, *options)
    assert ended.code == 0, ended
    told: dict[str, list[dict[str, Any]]] = {}
    for gate in ended.json["gates"]:
        told.setdefault(gate["check"], []).append(gate)
    return told


def test_a_query_is_explained_like_every_other_rule(project: TestProject) -> None:
    (told,) = explained(project)["contract.queries"]
    assert (told["rule"], told["verdict"]) == ("`four`: its query must be 4 (warning)", "never ran")
    assert project.given.report()["status"] == "succeeded"
    (told,) = explained(project)["contract.queries"]
    assert (told["verdict"], told["metrics"]) == ("pass", {"value": 4.0})


def test_before_the_first_run_every_check_is_listed_as_never_run(project: TestProject) -> None:
    told = explained(project)

    assert {gate["verdict"] for gates in told.values() for gate in gates} == {"never ran"}
    assert {"volume.rows", "contract.primary_key", "identity.rekeyed", "values.new", "delta.deletes", "place"} <= set(
        told
    )
    assert "volume.history" not in told, "what nobody asked for does not apply"
    assert [gate["where"] for gate in (*told["values.new"], *told["delta.deletes"])] == ["candidate", "plan"]
    assert told["delta.deletes"][0]["rule"] == "deletes: at most 25, or 2 % of the records held if that is more"
    assert f"Next: tidegate run {SYNC}" in project.run("gates", SYNC).out


def test_after_a_run_each_rule_has_its_verdict_its_numbers_and_its_time(project: TestProject) -> None:
    assert project.given.report()["status"] == "succeeded"

    told = explained(project)
    nulls, repeats = told["contract.quality"]

    assert (told["volume.rows"][0]["verdict"], told["volume.rows"][0]["metrics"]) == ("pass", {"rows": 4.0})
    assert (nulls["verdict"], nulls["metrics"]["count"]) == ("warn", 1)
    assert "names differ" in repeats["rule"]
    assert told["delta.deletes"][0]["verdict"] == told["contract.key_type"][0]["verdict"] == "pass"
    assert all(gate["at"] for gates in told.values() for gate in gates)
    assert set(explained(project, "people")) < set(told), "of a dataset only what is judged on its candidates"


def test_failing_rows_are_shown_by_key_and_offending_column_and_masked_above_internal(project: TestProject) -> None:
    assert project.given.report()["status"] == "succeeded"
    told = explained(project, SYNC, "--samples", "5")
    nulls, repeats = told["contract.quality"]

    assert nulls["failing"] == [{"key": {"id": "3"}, "values": {"name": None}}]
    assert repeats["failing"] == [{"key": {"id": id}, "values": {"name": "•••"}} for id in ("2", "4")]
    shown = project.run("gates", SYNC, "--samples", "5")
    assert "canary" not in shown.out + shown.err


def test_the_rows_of_a_version_that_waits_are_shown_until_it_is_decided(project: TestProject) -> None:
    assert project.given.report()["status"] == "succeeded"
    project.people({**PEOPLE, 1: ("canary-cy", 9.5)})
    assert project.report()["status"] == "held"

    told = explained(project, "people", "--samples", "5")

    assert (told["identity.rekeyed"][0]["verdict"], told["values.new"][0]["verdict"]) == ("hold", "warn")
    assert told["identity.rekeyed"][0]["failing"] == [{"key": {"id": "1"}, "values": {"name": "•••"}}]
    assert told["values.new"][0]["failing"] == [{"key": {"id": "1"}, "values": {"score": "9.5"}}]
    assert "Next: tidegate approvals" in project.run("gates", SYNC).out


def kept_of_refused(project: TestProject) -> list[Path]:
    return sorted((project.folder / ".tidegate/segments/datasets/people@1/versions").glob("*-failing-*.parquet"))


def refused(project: TestProject) -> None:
    """A version stands, and a candidate of three rows that comes after it is refused for being too few."""
    assert project.given.report()["status"] == "succeeded"
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    project.write("datasets/people.yaml", {**dataset, "gates": {**dataset["gates"], "rows": {"min": 4}}})
    project.people({1: ("canary-cy", 9.5), 3: (None, 3.0), 5: (None, 3.0)})
    assert project.report()["status"] == "blocked"


def test_of_a_candidate_that_was_refused_failing_rows_are_kept_and_masked_like_those_of_a_version(
    project: TestProject,
) -> None:
    refused(project)

    told = explained(project, SYNC, "--samples", "5")

    assert told["volume.rows"][0]["verdict"] == "block"
    assert "fewer than the minimum of 4" in told["volume.rows"][0]["message"]
    nulls, repeats = told["contract.quality"]
    assert nulls["failing"] == [{"key": {"id": id}, "values": {"name": None}} for id in ("3", "5")]
    assert (repeats["verdict"], repeats["failing"]) == ("pass", [])
    assert told["identity.rekeyed"][0]["failing"] == [{"key": {"id": "1"}, "values": {"name": "•••"}}]
    assert told["values.new"][0]["failing"] == [{"key": {"id": "1"}, "values": {"score": "9.5"}}]
    shown = project.run("gates", SYNC, "--samples", "5")
    assert "canary" not in shown.out + shown.err
    assert "Next: mend what blocks" in shown.out


def test_what_is_kept_of_a_refused_candidate_is_one_small_file_until_the_next_capture(project: TestProject) -> None:
    refused(project)
    (kept,) = kept_of_refused(project)
    assert project.report()["status"] == "blocked"
    assert kept_of_refused(project) == [kept], "refused for the same again"
    project.people(dict.fromkeys(range(6, 9), (None, 1.0)))
    assert project.report()["status"] == "blocked"
    (other,) = kept_of_refused(project)
    assert other != kept

    project.people({**PEOPLE, **dict.fromkeys(range(6, 9), ("canary-new", 1.0))})
    assert project.report()["status"] == "succeeded"

    assert kept_of_refused(project) == []
    assert project.run("ledger", "verify").code == project.run("ledger", "rebuild").code == 0


def test_no_more_rows_of_a_refused_candidate_are_kept_than_a_person_looks_at(project: TestProject) -> None:
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    project.write("datasets/people.yaml", {**dataset, "gates": {**dataset["gates"], "rows": {"max": 4}}})
    project.people(dict.fromkeys(range(1000), (None, 1.0)))
    assert project.report()["status"] == "blocked"

    nulls, _ = explained(project, SYNC, "--samples", "50")["contract.quality"]

    assert [row["key"]["id"] for row in nulls["failing"]] == [str(n) for n in range(20)]
    (kept,) = kept_of_refused(project)
    assert pq.read_table(kept).num_rows == 20


def test_the_records_that_a_plan_is_held_for_are_shown(project: TestProject) -> None:
    project.sync(SYNC, gates={"deletes": {"max": 0}})
    assert project.report()["status"] == "succeeded"
    project.people({n: PEOPLE[n] for n in (1, 2)})
    assert project.report()["status"] == "held"

    (deletes,) = explained(project, SYNC, "--samples", "5")["delta.deletes"]

    assert (deletes["verdict"], deletes["metrics"]["deletes"]) == ("hold", 2)
    assert [row["key"]["id"] for row in deletes["failing"]] == ["3", "4"]


def test_a_name_of_neither_is_answered_with_the_nearest(project: TestProject) -> None:
    ended = project.run("gates", "people_to_hoop")

    assert (ended.code, f"did you mean `{SYNC}`?" in ended.err) == (2, True)
