"""A person ends a major of a contract on a day: everybody who uses it is told, and where plans need an approval it ends."""

from __future__ import annotations

import copy

import pytest
import yaml

from tests.acceptance.test_contract_status import environment
from tests.projects import CONTRACT, Outcome, TestProject
from tests.receiver import Receiver

AHEAD, PAST = "2999-01-31", "2020-01-31"


@pytest.fixture(autouse=True)
def two_majors(project: TestProject) -> None:
    project.write("contracts/people-v2.odcs.yaml", {**copy.deepcopy(CONTRACT), "version": "2.0.0"})
    source = {"connection": "lake", "table": "people.parquet"}
    project.write(
        "datasets/people-v2.yaml",
        {"name": "people", "owner": "growth", "contract": "contracts/people-v2.odcs.yaml", "source": source},
    )
    first = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    project.write("datasets/people.yaml", {**first, "owner": "growth"})


def deprecate(project: TestProject, until: str = AHEAD, *more: str) -> Outcome:
    return project.run("--json", "contract", "deprecate", "people@1", "--until", until, "--use", "people@2", *more)


def said(project: TestProject, *command: str) -> str:
    told = project.run(*command)
    assert told.code == 0, told
    return " ".join((told.out + told.err).split())


def test_whoever_uses_it_is_told_until_when_and_what_to_use(project: TestProject, receiver: Receiver) -> None:
    report = deprecate(project, AHEAD, "--reason", "names are split").json
    assert (report["dataset"], report["until"], report["use"]) == ("people@1", AHEAD, "people@2")
    (sync,) = report["concerned"]
    assert (sync["sync"], sync["destination"], sync["owner"]) == ("people_to_hook", "hook", "growth")

    notice = f"people@1 is deprecated and ends on {AHEAD}: use people@2"
    for command in (("plan", "people_to_hook"), ("capture", "people@1"), ("run", "people_to_hook"), ("status",)):
        assert notice in said(project, *command), command
    assert f"datasets/people.yaml: {notice}" in said(project, "validate")
    assert project.run("--json", "capture", "people@2").json["checks"][-1]["check"] != "contract.deprecated"
    assert len(receiver.records) == 3
    assert notice in project.report()["notice"]


def test_after_the_day_it_warns_here_and_is_refused_where_plans_need_an_approval(
    project: TestProject, receiver: Receiver
) -> None:
    project.report()
    deprecate(project, PAST)
    over = f"people@1 ended on {PAST}: use people@2"
    assert over in said(project, "capture", "people@1")

    environment(project, require_approval=True)
    for command in (("capture", "people@1"), ("plan", "people_to_hook"), ("validate",)):
        refused = project.run(*command)
        assert refused.code == 2, command
        assert over in " ".join((refused.out + refused.err).split())
    sent = receiver.requests
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, sent)
    assert over in report["reason"]
    assert project.run("capture", "people@2").code == 0


def test_what_was_ended_is_taken_back(project: TestProject) -> None:
    environment(project, require_approval=True)
    deprecate(project, PAST)
    assert project.run("capture", "people@1").code == 2

    told = project.run("--json", "contract", "reinstate", "people@1", "--reason", "the move takes longer")

    assert (told.code, told.json["notice"]) == (0, "")
    assert project.run("capture", "people@1").code == 0
    assert "people@2" not in said(project, "status")
    assert project.run("contract", "reinstate", "people@1").code == 2


def test_a_later_day_replaces_an_earlier_one(project: TestProject) -> None:
    deprecate(project, PAST)
    deprecate(project, AHEAD)

    assert AHEAD in said(project, "capture", "people@1")


@pytest.mark.parametrize(
    ("dataset", "use", "words"),
    [
        ("people", "people@2", "say `people@1` or `people@2`"),
        ("people@1", "people@1", "cannot take its own place"),
        ("people@1", "people@3", "There is no dataset `people@3`"),
        ("people@7", "people@2", "There is no dataset `people@7`"),
    ],
)
def test_only_majors_of_the_project_are_ended_and_named(
    project: TestProject, dataset: str, use: str, words: str
) -> None:
    refused = project.run("contract", "deprecate", dataset, "--until", AHEAD, "--use", use)

    assert refused.code == 2
    assert words in " ".join(refused.err.split())
    assert project.run("--json", "ledger", "tail").json == []
