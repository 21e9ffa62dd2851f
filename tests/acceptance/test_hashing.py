"""Only what the project allows leaves, in the form that is asked for; what is hashed is readable nowhere behind the source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from engine.bootstrap import open_app
from engine.core.classification import USUAL
from engine.delivery.stop import StopRequest
from engine.service.runs import run_syncs
from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
EMAIL = {"from": "name", "hash": "sha256", "normalise": "email"}
PEOPLE = {1: ("Ada@Example.com ", 1.0), 2: ("bo@example.com", 2.0), 3: (None, 3.0)}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def classified(project: TestProject, classification: str | None, **clearance: Any) -> None:
    """Classify the column that holds addresses, and write the project's own rules."""
    contract = {**CONTRACT, "schema": [dict(CONTRACT["schema"][0])]}
    columns = [dict(column) for column in contract["schema"][0]["properties"]]
    columns[1]["classification"] = classification
    if classification is None:
        del columns[1]["classification"]
    contract["schema"][0]["properties"] = columns
    project.write("contracts/people-v1.odcs.yaml", contract)
    main = yaml.safe_load((project.folder / "tidegate.yaml").read_text())
    project.write("tidegate.yaml", {**main, "clearance": clearance})


def stored(project: TestProject) -> Iterator[str]:
    """Every text in every segment of the sync, and every event."""
    for path in (project.folder / ".tidegate/segments/syncs").rglob("*.parquet"):
        for column in pq.read_table(path).columns:
            yield from (str(value) for value in column.to_pylist() if value is not None)
    yield project.run("--json", "ledger", "tail", "--limit", "1000").out


def test_only_the_hash_of_a_field_leaves_and_is_kept(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, fields={"email": EMAIL})
    project.people(PEOPLE)

    assert project.report()["status"] == "succeeded"

    assert {id: record["email"] for id, record in receiver.records.items()} == {
        "1": sha256("ada@example.com"),
        "2": sha256("bo@example.com"),
        "3": None,
    }
    assert not [text for text in stored(project) if "example.com" in text.lower()]


def test_a_hashed_key_is_the_record_and_another_spelling_is_no_change(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, match={"email_hash": EMAIL}, fields={"score": "score"})
    project.people(PEOPLE)
    report = project.report()
    assert (report["delivered"]["inserts"], report["plan"]["withheld"]) == (2, 1)
    assert set(receiver.records) == {sha256("ada@example.com"), sha256("bo@example.com")}

    project.people({**PEOPLE, 1: ("ADA@example.com", 1.0)})

    assert project.report()["status"] == "unchanged"
    assert not [text for text in stored(project) if "example.com" in text.lower()]


def test_hashing_a_key_that_was_sent_plain_removes_the_plain_record(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, match={"email": "name"}, fields={"score": "score"})
    project.people({2: PEOPLE[2]})
    project.report()
    assert set(receiver.records) == {"bo@example.com"}

    project.sync(SYNC, match={"email": EMAIL}, fields={"score": "score"})

    assert project.report()["delivered"] == {"inserts": 1, "updates": 0, "deletes": 1}
    assert set(receiver.records) == {sha256("bo@example.com")}


def test_what_has_not_the_form_is_told_and_leaves_as_nothing(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, fields={"phone": {"from": "name", "hash": "sha256", "normalise": "phone"}, "score": "score"})
    project.people({1: ("650 555 1212", 1.0), 2: ("+1 650 555 1212", 2.0), 3: (None, 3.0)})

    planned = project.run("--json", "plan", SYNC).json
    (told,) = [check for check in planned["checks"] if check["check"] == "mapping.forms"]
    assert (told["verdict"], told["metrics"]) == ("warn", {"phone": 1})
    assert "650" not in told["message"]

    assert project.report()["status"] == "succeeded"
    assert [receiver.records[id]["phone"] for id in "123"] == [None, sha256("+16505551212"), None]


def test_a_row_whose_key_has_not_the_form_is_withheld(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, match={"email": EMAIL}, fields={"score": "score"})
    project.people({1: ("nobody", 1.0), 2: PEOPLE[2]})

    report = project.report()

    assert (report["delivered"]["inserts"], report["plan"]["withheld"]) == (1, 1)
    assert set(receiver.records) == {sha256("bo@example.com")}


def test_a_hash_leaves_for_a_lower_clearance_only_where_the_project_says_so(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync(SYNC, fields={"email": EMAIL})
    project.people(PEOPLE)
    classified(project, "confidential")
    refused = project.run("run", SYNC)
    assert (refused.code, "above the clearance (internal)" in " ".join(refused.err.split())) == (2, True)
    assert receiver.requests == 0

    classified(project, "confidential", hashed={"confidential": "internal"})
    assert project.report()["status"] == "succeeded"

    classified(project, "restricted", hashed={"confidential": "internal"})
    project.people({1: ("new@example.com", 1.0)})
    before = receiver.requests
    assert project.run("run", SYNC).code == 2
    assert receiver.requests == before


def test_a_run_that_finds_a_lower_clearance_than_its_files_had_is_blocked(
    project: TestProject, receiver: Receiver
) -> None:
    """The files are judged when they are read, and the plan judges again what it is about to send."""
    project.people(PEOPLE)
    app = open_app(project.folder, environment=None)
    try:
        sync = app.syncs[SYNC]
        lowered = replace(sync, target=replace(sync.target, clearance=USUAL.order[0]))
        (report,) = run_syncs(replace(app, syncs=MappingProxyType({SYNC: lowered})), [SYNC], StopRequest())
    finally:
        app.close()
    assert (report.status, report.requests) == ("blocked", 0)
    assert "id, name, score is above the clearance (public) of hook" in report.reason
    assert receiver.requests == 0


@pytest.mark.parametrize(
    ("classification", "clearance", "is_shown"),
    [
        ("internal", {}, True),
        ("confidential", {}, False),
        (None, {}, True),
        (None, {"unclassified": "confidential"}, False),
        ("confidential", {"show_up_to": "confidential"}, True),
        ("internal", {"show_up_to": "public"}, False),
        ("internal", {"order": ["internal", "secret"]}, True),
        ("two", {"order": ["one", "two", "three"]}, False),
        ("two", {"order": ["one", "two", "three"], "show_up_to": "two"}, True),
        (None, {"order": ["one", "two", "three"], "show_up_to": "two"}, False),
    ],
)
def test_people_see_values_up_to_the_class_that_the_project_shows(
    project: TestProject, receiver: Receiver, classification: str | None, clearance: dict[str, Any], is_shown: bool
) -> None:
    most = clearance.get("order", ["confidential"])[-1]
    project.destination("hook", receiver.url, clearance=most)
    classified(project, classification, **clearance)
    _speak(project, clearance)
    project.people({1: ("Marked", 1.0)})

    planned = project.run("--json", "plan", SYNC)

    assert planned.code == 0, planned.err
    assert ("Marked" in planned.out) is is_shown


def _speak(project: TestProject, clearance: dict[str, Any]) -> None:
    """Let the other columns of the contract be of the order's first class."""
    path = project.folder / "contracts/people-v1.odcs.yaml"
    contract = yaml.safe_load(path.read_text())
    for column in (contract["schema"][0]["properties"][0], contract["schema"][0]["properties"][2]):
        column["classification"] = clearance.get("order", ["public"])[0]
    project.write("contracts/people-v1.odcs.yaml", contract)


def test_a_hashed_field_is_shown_as_what_it_counts_as(project: TestProject, receiver: Receiver) -> None:
    project.destination("hook", receiver.url, clearance="confidential")
    project.sync(SYNC, fields={"email": EMAIL})
    project.people({2: PEOPLE[2]})
    classified(project, "confidential")
    assert sha256("bo@example.com") not in project.run("--json", "plan", SYNC).out

    classified(project, "confidential", hashed={"confidential": "internal"})

    assert sha256("bo@example.com") in project.run("--json", "plan", SYNC).out
