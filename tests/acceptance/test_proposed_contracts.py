"""Where people approve what is sent, a contract that changes waits for them with the version that it comes with."""

from __future__ import annotations

import pytest

from tests.acceptance.test_contract_status import environment
from tests.acceptance.test_contract_versions import NAME, capture, contract, recorded
from tests.projects import TestProject
from tests.receiver import Receiver

SHORT = {**NAME, "logicalTypeOptions": {"maxLength": 9}}
SHORTER = {**NAME, "logicalTypeOptions": {"maxLength": 8}}


@pytest.fixture(autouse=True)
def reviewed(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first version under a first contract, which nobody needs to approve; from then on another person decides."""
    environment(project, require_approval=True)
    monkeypatch.setenv("TIDEGATE_ACTOR", "scheduler")
    assert capture(project.given).json["status"] == "accepted"


def decide(project: TestProject, monkeypatch: pytest.MonkeyPatch, word: str, candidate: str) -> None:
    with monkeypatch.context() as person:
        person.setenv("TIDEGATE_ACTOR", "ada")
        told = project.run(word, candidate)
    assert told.code == 0, told


def test_a_changed_contract_waits_even_when_no_row_changed_and_is_recorded_with_the_approval(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    contract(project, "1.0.1", SHORT)

    held = capture(project)

    assert (held.code, held.json["status"]) == (4, "held")
    assert "the contract changes from 1.0.0 to 1.0.1, compatible: `maxLength` of name is new" in held.json["reason"]
    assert recorded(project) == [("1.0.0", 1)]
    assert capture(project).json["candidate"] == held.json["candidate"]
    decide(project, monkeypatch, "approve", held.json["candidate"])
    assert recorded(project) == [("1.0.0", 1), ("1.0.1", 2)]
    assert capture(project).json["status"] == "unchanged"
    assert receiver.requests == 0


def test_a_refused_contract_stays_refused_and_another_is_asked_about(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract(project, "1.0.1", SHORT)
    decide(project, monkeypatch, "reject", capture(project).json["candidate"])
    assert capture(project).json["status"] == "blocked"

    contract(project, "1.0.1", SHORTER)
    assert capture(project).json["status"] == "held"

    contract(project, "1.0.0")
    assert capture(project).json["status"] == "unchanged"


def test_a_number_alone_is_no_change_that_anybody_is_asked_about(project: TestProject) -> None:
    contract(project, "1.0.1")

    assert capture(project).json["status"] == "unchanged"
    assert recorded(project) == [("1.0.0", 1), ("1.0.1", 1)]


def test_where_nobody_approves_a_changed_contract_is_accepted(project: TestProject) -> None:
    environment(project, require_approval=False)
    contract(project, "1.0.1", SHORT)

    assert capture(project).json["status"] == "unchanged"
    assert recorded(project)[-1] == ("1.0.1", 1)


def test_a_plan_says_that_it_waits(project: TestProject) -> None:
    contract(project, "1.0.1", SHORT)

    told = project.run("--json", "plan", "people_to_hook").json

    assert told["held"]
    assert "contract.change" in [check["check"] for check in told["checks"] if check["verdict"] == "hold"]
