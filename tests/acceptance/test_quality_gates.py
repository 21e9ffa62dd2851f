"""The quality rules of a contract decide about a whole run: what blocks is not sent, what warns is."""

from __future__ import annotations

import copy
from typing import Any

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver


def rules(project: TestProject, *written: dict[str, Any]) -> None:
    """Give the column ``name`` of the contract these rules."""
    contract = copy.deepcopy(CONTRACT)
    contract["schema"][0]["properties"][1]["quality"] = list(written)
    project.write("contracts/people-v1.odcs.yaml", contract)


NULLS = {"metric": "nullValues", "unit": "percent", "mustBeLessOrEqualTo": 30, "name": "names are known"}


def test_a_rule_that_is_not_met_blocks_the_run_and_is_told_in_its_reason(
    project: TestProject, receiver: Receiver
) -> None:
    rules(project, NULLS)
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    expected = "quality rule `names are known`: nullValues of name are 1 of 3 rows, 33.33 %, and must be at most 30 %"
    assert expected in report["reason"]
    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: ("Cy", 0.1)})
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 3


def test_a_rule_of_severity_warning_lets_the_run_go_on(project: TestProject, receiver: Receiver) -> None:
    rules(project, {**NULLS, "severity": "warning"})
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 3


def test_a_quality_text_is_named_by_validate_as_not_enforced(project: TestProject) -> None:
    rules(project, {"type": "text", "description": "looks right"})
    told = project.run("validate")
    assert told.code == 0
    assert "the quality text `looks right` of name is not enforced" in told.out + told.err
