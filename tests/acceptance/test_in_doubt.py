"""`on_unknown: hold`: what nobody knows the outcome of is not sent again unasked, and a person decides about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.projects import TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
PEOPLE = {1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0)}


@pytest.fixture(autouse=True)
def one_record_a_call(project: TestProject, receiver: Receiver) -> None:
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    project.sync(SYNC, on_unknown="hold")
    project.people(PEOPLE)


def losing(receiver: Receiver, *ids: str) -> None:
    """Take these records and answer as one that does not know whether it did."""

    def answer(body: dict[str, Any]) -> Answer | None:
        if any(record["id"] in ids for record in body["records"]):
            receiver._apply(body["records"])
            return 500, {}, b""
        return None

    receiver.answer = answer


def calls(receiver: Receiver, id: str) -> int:
    return sum(any(record["id"] == id for record in one.records) for one in receiver.journal)


def listed(project: TestProject) -> dict[str, str]:
    report = project.run("--json", "quarantine", "list", SYNC).json
    assert report["in_doubt"] == sum(record["standing"] == "in_doubt" for record in report["records"])
    return {record["id"]: record["standing"] for record in report["records"]}


@pytest.fixture
def doubtful(project: TestProject, receiver: Receiver) -> None:
    """Nobody knows of record 2 whether the destination has it."""
    losing(receiver, "2")
    report = project.given.report()
    assert (report["status"], report["unknown"], report["delivered"]["inserts"]) == ("partial", 1, 2)
    losing(receiver)


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
def test_a_record_in_doubt_is_sent_once_and_not_again_by_later_runs(project: TestProject, receiver: Receiver) -> None:
    report = project.report()

    assert (report["status"], report["exit"]) == ("unchanged", 0)
    assert "1 records that are set aside" in report["reason"]
    assert calls(receiver, "2") == 1
    assert listed(project) == {"2": "in_doubt"}


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
def test_a_new_value_does_not_settle_a_doubt(project: TestProject, receiver: Receiver) -> None:
    project.people({**PEOPLE, 1: ("Ada L", 1.0), 2: ("Bob", 2.0)})

    report = project.report()

    assert report["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}
    assert report["plan"]["withheld"] == 1
    assert calls(receiver, "2") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
def test_the_list_names_the_run_and_the_reason(project: TestProject) -> None:
    (record,) = project.run("--json", "quarantine", "list", SYNC).json["records"]

    assert (record["code"], record["attempts"]) == ("http_500", 0)
    assert record["since"] == project.run("--json", "runs", SYNC).json[-1]["run"]
    text = project.run("quarantine", "list", SYNC).out
    assert "1 record in doubt: nobody knows whether the destination has them" in text
    assert "look whether the destination has it" in project.run("quarantine", "show", SYNC, "--key", "2").out


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
@pytest.mark.parametrize("decision", [("quarantine", "release", SYNC), ("retry", SYNC)])
def test_a_released_record_is_sent_again_once(
    project: TestProject, receiver: Receiver, decision: tuple[str, ...]
) -> None:
    assert project.run(*decision).code == 0
    if decision[0] == "quarantine":
        assert project.report()["status"] == "succeeded"

    assert calls(receiver, "2") == 2
    assert project.report()["status"] == "unchanged"
    assert listed(project) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
def test_a_released_record_that_is_lost_again_is_in_doubt_again(project: TestProject, receiver: Receiver) -> None:
    losing(receiver, "2")
    project.run("quarantine", "release", SYNC)
    assert project.report()["unknown"] == 1

    project.report()

    assert listed(project) == {"2": "in_doubt"}
    assert calls(receiver, "2") == 2


@pytest.mark.slow
@pytest.mark.usefixtures("doubtful")
def test_a_dropped_record_is_left_alone_until_its_values_change(project: TestProject, receiver: Receiver) -> None:
    assert project.run("--json", "quarantine", "drop", SYNC).json["records"] == 1

    assert project.report()["status"] == "unchanged"
    assert (listed(project), calls(receiver, "2")) == ({}, 1)

    project.people({**PEOPLE, 2: ("Bob", 2.0)})
    assert project.report()["status"] == "succeeded"
    assert receiver.records["2"]["name"] == "Bob"


@pytest.mark.usefixtures("doubtful")
def test_without_hold_the_next_run_sends_again(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, on_unknown="resend")

    assert project.report()["status"] == "succeeded"
    assert calls(receiver, "2") == 2


@pytest.mark.slow
def test_a_window_that_a_crash_left_open_is_in_doubt_and_not_sent_again(
    project: TestProject, receiver: Receiver
) -> None:
    """P2."""
    died = project.run_process("run", SYNC, env={"TIDEGATE_TEST_FAILPOINTS": "window.before_receipt=kill"})
    assert died.code == -9
    before = len(receiver.journal)

    assert project.run("run", SYNC).code in {0, 5}

    assert len(receiver.journal) == before
    assert listed(project) == dict.fromkeys(("1", "2", "3"), "in_doubt")


@pytest.mark.slow
def test_a_removal_in_doubt_waits_as_well(project: TestProject, receiver: Receiver) -> None:
    assert project.report()["status"] == "succeeded"
    project.people({1: PEOPLE[1], 3: PEOPLE[3]})
    losing(receiver, "2")
    assert project.report()["unknown"] == 1
    losing(receiver)

    assert project.report()["status"] == "unchanged"
    assert calls(receiver, "2") == 2
    assert listed(project) == {"2": "in_doubt"}


@pytest.mark.slow
def test_the_removal_of_somebody_without_consent_is_sent_until_it_is_known(
    project: TestProject, receiver: Receiver
) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    source = {"connection": "lake", "table": "register.parquet"}
    contract = "contracts/register-v1.odcs.yaml"
    project.write(
        "datasets/register.yaml", {"name": "register", "kind": "consent", "contract": contract, "source": source}
    )
    project.sync(SYNC, on_unknown="hold", consent={"purpose": "email", "subject": "id"})
    decide(project, *map(granted, "123"))
    assert project.report()["status"] == "succeeded"
    decide(project, *map(granted, "13"), withdrawn("2"))
    losing(receiver, "2")
    assert project.report()["unknown"] == 1
    losing(receiver)

    assert project.report()["status"] == "succeeded"
    assert calls(receiver, "2") == 3
