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
    refused = project.report()
    assert (refused["status"], refused["exit"], receiver.requests) == ("blocked", 3, sent)
    assert "contracts/people-v1.odcs.yaml:6: the contract is a mere" in refused["reason"]
    assert project.run("capture", "people").code == 2


def test_the_environment_may_say_otherwise_in_both_directions(project: TestProject, receiver: Receiver) -> None:
    contract(project, status="draft")
    environment(project, draft_contracts="refuse")
    assert project.report()["status"] == "blocked"
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
    for command in (("capture", "people"), ("plan", "people_to_hook"), ("validate",)):
        refused = project.run(*command)
        assert (refused.code, receiver.requests) == (2, 0)
        assert "contracts/people-v1.odcs.yaml:6: the contract is retired" in " ".join(
            (refused.err + refused.out).split()
        )
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    assert "the contract is retired" in report["reason"]


@pytest.mark.parametrize("status", ["retired", "draft"])
def test_a_contract_that_may_not_be_used_stops_what_reads_under_it_and_nothing_else(
    project: TestProject, receiver: Receiver, status: str
) -> None:
    environment(project, require_approval=True, draft_contracts="refuse")
    project.write("contracts/others-v1.odcs.yaml", CONTRACT)
    source = {"connection": "lake", "table": "people.parquet"}
    project.write(
        "datasets/others.yaml", {"name": "others", "contract": "contracts/others-v1.odcs.yaml", "source": source}
    )
    project.sync("others_to_hook", dataset="others@1", object="others")
    contract(project, status=status)

    told = project.run("consent", "withdraw", "--subject", "1", "--purpose", "news")
    assert told.code == 0, told
    assert project.run("status").code == 0
    assert project.run("capture", "others").code == 0
    assert project.run("capture", "people").code == 2
    reports = {report["sync"]: report["status"] for report in project.run("--json", "run", "--all").json}
    assert reports == {"people_to_hook": "blocked", "others_to_hook": "held"}


def test_what_people_are_owed_is_sent_under_a_retired_contract_as_well(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", consent={"purpose": "news", "subject": "id"})
    for subject in ("1", "2"):
        project.run("consent", "grant", "--subject", subject, "--purpose", "news")
    project.report()
    assert set(receiver.records) == {"1", "2"}
    contract(project, status="retired")
    project.run("consent", "withdraw", "--subject", "2", "--purpose", "news")

    assert project.report()["status"] == "blocked"
    assert set(receiver.records) == {"1"}


def test_a_contract_past_its_end_of_life_blocks_its_dataset(project: TestProject, receiver: Receiver) -> None:
    contract(project, slaProperties=[{"property": "endOfLife", "value": "2020-01-01"}])
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    assert "the contract's life ended on 2020-01-01" in report["reason"]
