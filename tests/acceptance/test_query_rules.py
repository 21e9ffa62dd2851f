"""A query of a contract decides about a whole run as its severity says, also one that cannot be evaluated."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

UNNAMED = "SELECT count(*) FROM ${table} WHERE ${column} IS NULL"


def rule(project: TestProject, query: str, **more: Any) -> None:
    contract = copy.deepcopy(CONTRACT)
    written = {"type": "sql", "name": "everybody has a name", "query": query, "mustBe": 0, **more}
    contract["schema"][0]["properties"][1]["quality"] = [written]
    project.write("contracts/people-v1.odcs.yaml", contract)


def test_a_query_that_is_not_met_blocks_and_says_what_it_counted(project: TestProject, receiver: Receiver) -> None:
    rule(project, UNNAMED)
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    assert "quality rule `everybody has a name`: the query gave 1, and it must be 0" in report["reason"]
    project.people({1: ("Ada", 1.5)})
    assert project.report()["status"] == "succeeded"


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_a_query_of_less_severity_stops_nothing(project: TestProject, receiver: Receiver, severity: str) -> None:
    rule(project, UNNAMED, severity=severity)
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 3


def test_a_query_that_fails_on_the_data_is_not_met_and_its_error_shows_no_value(
    project: TestProject, receiver: Receiver
) -> None:
    rule(project, "SELECT sum(${column}::INT) FROM ${table}")
    outcome = project.run("--json", "run", "people_to_hook")
    assert outcome.code == 3
    assert "could not be evaluated (ConversionException)" in outcome.out
    assert "Ada" not in outcome.out + outcome.err
    assert receiver.requests == 0


def test_a_number_that_is_a_value_of_a_row_is_not_told(project: TestProject) -> None:
    rule(project, "SELECT max(score) FROM people", mustBe=7)
    reason = project.report()["reason"]
    assert "the query gave a number, and it must be 7" in reason
    assert "1.5" not in reason


def test_a_query_beyond_its_time_is_not_met(project: TestProject, receiver: Receiver) -> None:
    path = project.folder / "datasets/people.yaml"
    project.write("datasets/people.yaml", {**yaml.safe_load(path.read_text()), "gates": {"queries": {"timeout": "1s"}}})
    project.people({n: (f"p{n}", float(n)) for n in range(1, 2_000)})
    rule(
        project,
        "SELECT count(*) FROM people a, people b, people c, people d WHERE levenshtein(a.name || b.name, c.name || d.name) = 99",
    )
    report = project.report()
    assert (report["status"], receiver.requests) == ("blocked", 0)
    assert "the query took longer than 1 s" in report["reason"]


def test_a_query_for_another_table_is_refused_with_file_and_line(project: TestProject, receiver: Receiver) -> None:
    rule(project, "SELECT count(*) FROM read_csv('/etc/passwd')")
    told = project.run("run", "people_to_hook")
    assert (told.code, receiver.requests) == (2, 0)
    assert "contracts/people-v1.odcs.yaml:21: the query of the quality rule `everybody has a name` reads" in told.err
