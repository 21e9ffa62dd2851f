"""What a sync delivered is where it was delivered: a file that names another place or source is not taken for no change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

Edit = Callable[[TestProject, Receiver], None]


def another_object(project: TestProject, _receiver: Receiver) -> None:
    project.sync("people_to_hook", object="persons")


def another_match_field(project: TestProject, _receiver: Receiver) -> None:
    project.sync("people_to_hook", match={"other_id": "id"})


def another_destination(project: TestProject, receiver: Receiver) -> None:
    project.destination("crm", receiver.url)
    project.sync("people_to_hook", destination="crm")


@pytest.mark.slow
@pytest.mark.parametrize("edit", [another_object, another_match_field, another_destination])
def test_a_sync_that_is_pointed_elsewhere_is_blocked_until_it_is_pointed_back(
    project: TestProject, receiver: Receiver, edit: Edit
) -> None:
    assert project.given.report()["status"] == "succeeded"
    before, sent = dict(receiver.records), len(receiver.journal)
    edit(project, receiver)

    for _ in range(2):
        report = project.report()
        assert (report["status"], report["exit"], len(receiver.journal)) == ("blocked", 3, sent)
        assert "another name" in report["reason"]

    project.sync("people_to_hook")
    project.people({1: ("Ada", 1.5), 2: ("Bo", 9.0), 3: (None, 0.1)})
    assert project.report()["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}
    assert receiver.records == {**before, "2": {"name": "Bo", "score": 9.0}}


@pytest.mark.slow
def test_a_sync_that_holds_nothing_may_go_anywhere(project: TestProject, receiver: Receiver) -> None:
    receiver.answer = lambda _body: (401, {}, b"")
    assert project.report()["status"] == "failed"
    receiver.answer = lambda _body: None

    another_object(project, receiver)

    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 3


def contract(version: str) -> dict[str, Any]:
    return {**CONTRACT, "version": version}


def test_another_contract_major_is_compared_with_all_that_was_delivered(
    project: TestProject, receiver: Receiver
) -> None:
    assert project.given.report()["status"] == "succeeded"

    project.write("contracts/people-v1.odcs.yaml", contract("2.0.0"))
    project.sync("people_to_hook", dataset="people@2")
    project.people({1: ("Ada", 1.5), 4: ("Di", 4.0)})
    report = project.report()

    assert report["delivered"] == {"inserts": 1, "updates": 0, "deletes": 2}
    assert set(receiver.records) == {"1", "4"}
    assert project.report()["status"] == "unchanged"
