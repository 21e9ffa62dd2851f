"""The ledger keeps the contract of each version, and what breaks it without a new major is refused before a read."""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tests.projects import CONTRACT, Outcome, TestProject
from tests.receiver import Receiver

NAME = CONTRACT["schema"][0]["properties"][1]
CITY = {"name": "city", "logicalType": "string", "classification": "internal"}


def contract(project: TestProject, version: str = "1.0.0", *columns: dict[str, Any], **more: Any) -> None:
    """The contract of the test project; ``columns`` are added, or stand for those of the same name."""
    data = {**copy.deepcopy(CONTRACT), "version": version, **more}
    replaced = {column["name"]: column for column in (*data["schema"][0]["properties"], *columns)}
    data["schema"][0]["properties"] = list(replaced.values())
    project.write("contracts/people-v1.odcs.yaml", data)


def without(project: TestProject, name: str, version: str) -> None:
    data = {**copy.deepcopy(CONTRACT), "version": version}
    columns = data["schema"][0]["properties"]
    data["schema"][0]["properties"] = [column for column in columns if column["name"] != name]
    project.write("contracts/people-v1.odcs.yaml", data)


def events(project: TestProject) -> list[dict[str, Any]]:
    """All of the ledger, with what each event says."""
    with sqlite3.connect(project.folder / ".tidegate" / "ledger.db") as ledger:
        rows = ledger.execute("SELECT type, data FROM event ORDER BY seq").fetchall()
    return [{"type": kind, "data": json.loads(data)} for kind, data in rows]


def recorded(project: TestProject) -> list[tuple[str, int]]:
    """The contracts in the ledger, each with the version of the dataset from which it holds."""
    return [
        (event["data"]["contract"], event["data"]["version"])
        for event in events(project)
        if event["type"] == "dataset.contract_recorded"
    ]


def capture(project: TestProject) -> Outcome:
    return project.run("--json", "capture", "people")


def test_a_contract_is_recorded_once_with_the_version_that_it_came_with(project: TestProject) -> None:
    for _ in range(2):
        assert capture(project).code == 0
    project.people({1: ("Ada", 9.9)})
    assert capture(project).code == 0

    assert recorded(project) == [("1.0.0", 1)]


def test_texts_for_people_are_neither_recorded_nor_a_change(project: TestProject) -> None:
    contract(project, description={"purpose": "kept by ada@example.com"}, team={"name": "ada@example.com"})
    capture(project)
    contract(project)
    capture(project)

    assert recorded(project) == [("1.0.0", 1)]
    assert "ada@example.com" not in str(events(project))


def test_a_breaking_change_in_the_same_major_is_refused_before_anything_is_read(
    project: TestProject, receiver: Receiver
) -> None:
    assert project.given.report()["status"] == "succeeded"
    before, sent = events(project), receiver.requests
    without(project, "score", "1.1.0")
    project.sync("people_to_hook", fields={"name": "name"})
    shutil.rmtree(project.folder / "data")

    for command in (("capture", "people"), ("plan", "people_to_hook")):
        refused = project.run(*command)
        assert refused.code == 2, refused
        words = " ".join(refused.err.split())
        assert "The contract 1.1.0 of people@1 breaks the contract 1.0.0 of version 1" in words
        assert "column score is gone: a sync that maps it" in words
        assert "raise the major number" in words
    assert events(project) == before
    assert receiver.requests == sent


def test_validate_says_the_same_where_a_ledger_is_at_hand(project: TestProject) -> None:
    capture(project.given)
    before = events(project)
    without(project, "score", "1.1.0")
    project.sync("people_to_hook", fields={"name": "name"})

    refused = project.run("validate")
    assert refused.code == 2
    words = " ".join(refused.out.split())
    assert "contracts/people-v1.odcs.yaml:5: the contract 1.1.0 of people@1 breaks the contract 1.0.0" in words
    assert "raise the major number" in words
    assert events(project) == before

    shutil.rmtree(project.folder / ".tidegate")
    assert project.run("validate").code == 0
    assert not (project.folder / ".tidegate").exists()


def test_validate_warns_of_a_number_that_grew_by_too_little(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.0", {**NAME, "logicalTypeOptions": {"maxLength": 9}})

    told = project.run("--json", "validate")

    assert told.code == 0
    (warning,) = told.json["warnings"]
    assert warning.startswith("contracts/people-v1.odcs.yaml: the contract's version went from 1.0.0 to 1.0.0")


def test_validate_is_silent_about_a_ledger_that_it_cannot_read(project: TestProject) -> None:
    capture(project.given)
    without(project, "score", "1.1.0")
    project.sync("people_to_hook", fields={"name": "name"})
    with sqlite3.connect(project.folder / ".tidegate" / "ledger.db") as ledger:
        ledger.execute("UPDATE alembic_version SET version_num = '9999'")

    assert project.run("validate").code == 0


def test_a_run_under_a_broken_contract_is_blocked_and_still_sends_what_people_are_owed(
    project: TestProject, receiver: Receiver
) -> None:
    asked = {"purpose": "news", "subject": "id"}
    project.sync("people_to_hook", consent=asked)
    for subject in ("1", "2"):
        project.run("consent", "grant", "--subject", subject, "--purpose", "news")
    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"1", "2"}

    without(project, "score", "1.1.0")
    project.sync("people_to_hook", consent=asked, fields={"name": "name"})
    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 4: ("Di", 4.0)})
    project.run("consent", "withdraw", "--subject", "2", "--purpose", "news")
    report = project.report()

    assert (report["status"], report["exit"]) == ("blocked", 3)
    assert "breaks the contract 1.0.0" in report["reason"]
    assert set(receiver.records) == {"1"}
    assert [event["data"]["version"] for event in events(project) if event["type"] == "dataset.version_accepted"] == [1]


def test_what_breaks_nothing_is_accepted_with_a_warning_when_its_number_is_too_small(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.0", {**NAME, "logicalTypeOptions": {"maxLength": 9}})

    told = capture(project)

    assert (told.code, told.json["status"]) == (0, "unchanged")
    (check,) = told.json["checks"]
    assert (check["check"], check["verdict"]) == ("contract.version", "warn")
    assert "asks for a higher patch number: `maxLength` of name is new" in check["message"]
    assert recorded(project) == [("1.0.0", 1), ("1.0.0", 1)]
    assert capture(project).json["checks"] == []


def test_a_number_that_grew_enough_is_told_nothing(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.1", {**NAME, "logicalTypeOptions": {"maxLength": 9}})

    assert capture(project).json["checks"] == []
    assert recorded(project) == [("1.0.0", 1), ("1.0.1", 1)]


def test_a_promise_that_was_made_since_the_last_version_may_not_be_taken_back_either(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.0.1", {**NAME, "logicalTypeOptions": {"maxLength": 9}})
    assert capture(project).json["status"] == "unchanged"

    contract(project, "1.1.0")

    assert capture(project).code == 2


def test_a_version_that_is_withdrawn_takes_its_contract_with_it(project: TestProject) -> None:
    capture(project.given)
    contract(project, "1.1.0", CITY)
    project.data(people_with_city())
    assert capture(project).json["version"] == 2
    contract(project, "1.1.1")
    assert capture(project).code == 2

    project.run("dataset", "withdraw", "people@2", "--reason", "the cities are wrong", "--yes")
    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})

    assert capture(project).json["version"] == 3
    assert recorded(project) == [("1.0.0", 1), ("1.1.0", 2), ("1.1.1", 3)]


def people_with_city() -> pa.Table:
    return pa.table({"id": [1, 2, 3], "name": ["Ada", "Bo", None], "score": [1.5, None, 0.1], "city": ["U", "V", "W"]})


def test_a_sync_that_is_rolled_back_to_an_older_contract_changes_nothing_about_the_newest(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    contract(project, "1.0.1", {**NAME, "logicalTypeOptions": {"maxLength": 9}})
    project.people({1: ("Ada", 2.5)})
    assert project.report()["version"] == 2

    project.run("rollback", "people_to_hook", "--to", "1", "--yes")
    assert set(receiver.records) == {"1", "2", "3"}
    contract(project, "1.0.2")

    assert capture(project).code == 2


@pytest.mark.parametrize("status", ["unchanged", "accepted"])
def test_a_ledger_without_contracts_gets_todays_and_refuses_nothing(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """As an earlier release left it."""
    with monkeypatch.context() as earlier:
        earlier.setattr("engine.steps.contract.Contracts.record", lambda *_: ())
        capture(project)
    without(project, "score", "1.0.0")
    if status == "accepted":
        project.people({1: ("Ada", 1.5)})
    project.sync("people_to_hook", fields={"name": "name"})

    told = capture(project)

    assert told.code == 0, told
    assert recorded(project) == [("1.0.0", told.json["version"])]


def test_a_held_version_is_approved_only_under_the_contract_that_it_was_held_under(project: TestProject) -> None:
    review = {"property": "tidegate.review", "value": True}
    nulls = {"metric": "nullValues", "mustBe": 0, "name": "names are known", "customProperties": [review]}
    project.people({1: ("Ada", 1.5)})
    contract(project, "1.0.0", {**NAME, "quality": [nulls]})
    capture(project)
    project.people({1: ("Ada", 1.5), 3: (None, 0.1)})
    held = capture(project).json
    assert held["status"] == "held"

    contract(project, "1.0.0", {**NAME, "quality": [nulls], "logicalTypeOptions": {"maxLength": 9}})
    refused = project.run("approve", held["candidate"])
    assert refused.code == 2
    assert "is not the one any more" in " ".join(refused.err.split())

    contract(project, "1.0.0", {**NAME, "quality": [nulls]})
    assert project.run("approve", held["candidate"]).code == 0
    assert recorded(project) == [("1.0.0", 1)]


def test_the_first_version_that_a_person_approves_brings_its_contract(project: TestProject) -> None:
    review = {"property": "tidegate.review", "value": True}
    nulls = {"metric": "nullValues", "mustBe": 0, "name": "names are known", "customProperties": [review]}
    contract(project, "1.0.0", {**NAME, "quality": [nulls]})
    held = capture(project).json
    assert recorded(project) == []

    assert project.run("approve", held["candidate"]).code == 0

    assert recorded(project) == [("1.0.0", 1)]


def test_a_word_for_sensitivity_that_the_project_gave_up_does_not_break(project: TestProject) -> None:
    classes(project, "open", "private")
    contract(project, "1.0.0", *classified("private"))
    capture(project)

    classes(project, "open", "secret")
    contract(project, "1.0.0", *classified("secret"))

    assert capture(project).code == 0


def classified(word: str) -> list[dict[str, Any]]:
    return [{**column, "classification": word} for column in CONTRACT["schema"][0]["properties"]]


def classes(project: TestProject, *order: str) -> None:
    content = yaml.safe_load((project.folder / "tidegate.yaml").read_text())
    project.write("tidegate.yaml", {**content, "clearance": {"order": list(order)}})
    project.destination("hook", "http://127.0.0.1:9/batch", clearance=order[-1])
