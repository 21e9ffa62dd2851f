"""Under which contracts data may leave, by their status and in which environment."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver


def contract(project: TestProject, **more: Any) -> None:
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, **more})


def environment(project: TestProject, **more: Any) -> None:
    content = yaml.safe_load((project.folder / "tidegate.yaml").read_text())
    content["environments"]["development"].update(more)
    project.write("tidegate.yaml", content)


@pytest.mark.parametrize("status", ["draft", "proposed"])
def test_an_unfinished_contract_warns_here_and_is_refused_where_plans_need_an_approval(
    project: TestProject, receiver: Receiver, status: str
) -> None:
    contract(project, status=status)
    told = project.run("validate")
    assert (told.code, f"status `{status}`" in told.out + told.err) == (0, True)
    assert project.report()["status"] == "succeeded"

    environment(project, require_approval=True)
    sent = receiver.requests
    refused = project.run("run", "people_to_hook")
    assert (refused.code, receiver.requests) == (2, sent)
    assert "contracts/people-v1.odcs.yaml:6: the contract is a mere" in refused.err


def test_the_environment_may_say_otherwise_in_both_directions(project: TestProject, receiver: Receiver) -> None:
    contract(project, status="draft")
    environment(project, draft_contracts="refuse")
    assert project.run("run", "people_to_hook").code == 2
    environment(project, draft_contracts="warn", require_approval=True)
    assert project.report()["status"] == "held"
    assert receiver.requests == 0


def test_a_deprecated_contract_warns_with_the_end_of_its_support(project: TestProject, receiver: Receiver) -> None:
    levels = [{"property": "endOfSupport", "value": "2999-05-12"}]
    contract(project, status="deprecated", slaProperties=levels)
    told = project.run("validate")
    assert "the contract is deprecated: supported until 2999-05-12" in told.out + told.err
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 3


def test_a_retired_contract_is_refused_everywhere(project: TestProject, receiver: Receiver) -> None:
    contract(project, status="retired")
    refused = project.run("run", "people_to_hook")
    assert (refused.code, receiver.requests) == (2, 0)
    assert "the contract is retired" in refused.err


def test_a_contract_past_its_end_of_life_blocks_its_dataset(project: TestProject, receiver: Receiver) -> None:
    contract(project, slaProperties=[{"property": "endOfLife", "value": "2020-01-01"}])
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    assert "the contract's life ended on 2020-01-01" in report["reason"]
