"""Nobody without a decision that allows it is sent, and who takes it back is removed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = {1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0), 4: ("Di", 4.0)}
REGISTER: dict[str, Any] = {
    **CONTRACT,
    "id": "register",
    "schema": [
        {
            "name": "register",
            "properties": [
                {"name": "receipt", "logicalType": "integer", "primaryKey": True, "required": True},
                {"name": "subject", "logicalType": "string", "required": True},
                {"name": "purpose", "logicalType": "string", "required": True},
                {"name": "status", "logicalType": "string", "required": True},
                {"name": "collected_at", "logicalType": "timestamp", "required": True},
                {"name": "expires_at", "logicalType": "timestamp"},
            ],
        }
    ],
}
Decision = tuple[str, str, str, timedelta, timedelta | None]


@pytest.fixture(autouse=True)
def with_a_register(project: TestProject) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    project.write(
        "datasets/register.yaml",
        {
            "name": "register",
            "kind": "consent",
            "contract": "contracts/register-v1.odcs.yaml",
            "source": {"connection": "lake", "table": "register.parquet"},
        },
    )
    project.sync("people_to_hook", consent={"purpose": "email", "subject": "id", "on_withdrawal": "delete"})
    project.people(PEOPLE)


def decide(project: TestProject, *decisions: Decision) -> None:
    """Replace the register; times are relative to now."""
    moment = pa.timestamp("us", "UTC")
    table = pa.table(
        {
            "receipt": pa.array(range(len(decisions)), pa.int64()),
            "subject": pa.array([d[0] for d in decisions], pa.string()),
            "purpose": pa.array([d[1] for d in decisions], pa.string()),
            "status": pa.array([d[2] for d in decisions], pa.string()),
            "collected_at": pa.array([NOW + d[3] for d in decisions], moment),
            "expires_at": pa.array([None if d[4] is None else NOW + d[4] for d in decisions], moment),
        }
    )
    project.data(table, "register.parquet")


def granted(subject: str, purpose: str = "email", ago: int = 10, expires: timedelta | None = None) -> Decision:
    return (subject, purpose, "granted", timedelta(days=-ago), expires)


def withdrawn(subject: str, ago: int = 1) -> Decision:
    return (subject, "email", "withdrawn", timedelta(days=-ago), None)


def test_only_those_who_agreed_to_this_purpose_are_sent(project: TestProject, receiver: Receiver) -> None:
    decide(project, granted("1"), granted("2", purpose="sms"), withdrawn("3"))
    report = project.report()
    assert (report["status"], report["delivered"]["inserts"], report["plan"]["withheld"]) == ("succeeded", 1, 3)
    assert set(receiver.records) == {"1"}


@pytest.mark.slow
def test_a_withdrawal_removes_the_record_although_the_customers_row_did_not_change(
    project: TestProject, receiver: Receiver
) -> None:
    decide(project, granted("1"), granted("2"))
    project.given.report()
    decide(project, granted("1"), granted("2"), withdrawn("2"))
    report = project.report()
    assert report["delivered"] == {"inserts": 0, "updates": 0, "deletes": 1}
    assert set(receiver.records) == {"1"}


@pytest.mark.slow
def test_a_withdrawal_removes_also_where_the_sync_never_deletes(project: TestProject, receiver: Receiver) -> None:
    project.sync(
        "people_to_hook", mode="upsert", consent={"purpose": "email", "subject": "id", "on_withdrawal": "delete"}
    )
    decide(project, granted("1"), granted("2"))
    project.given.report()
    decide(project, granted("1"), withdrawn("2"))
    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {"1"}


@pytest.mark.slow
def test_consent_given_again_brings_the_record_back_with_its_newest_values(
    project: TestProject, receiver: Receiver
) -> None:
    decide(project, granted("1"), granted("2"))
    project.given.report()
    decide(project, granted("1"), granted("2"), withdrawn("2"))
    project.report()
    project.people({**PEOPLE, 2: ("Bo II", 2.0)})
    decide(project, granted("1"), granted("2"), withdrawn("2", ago=2), granted("2", ago=0))
    assert project.report()["delivered"]["inserts"] == 1
    assert receiver.records["2"]["name"] == "Bo II"


def test_of_two_decisions_at_one_moment_the_one_that_grants_nothing_counts(
    project: TestProject, receiver: Receiver
) -> None:
    decide(project, granted("1", ago=5), withdrawn("1", ago=5), granted("2"))
    project.report()
    assert set(receiver.records) == {"2"}


def test_consent_that_lapsed_is_none_and_one_that_lapses_later_is_one(project: TestProject, receiver: Receiver) -> None:
    decide(project, granted("1", expires=timedelta(days=-1)), granted("2", expires=timedelta(days=1)))
    project.report()
    assert set(receiver.records) == {"2"}


@pytest.mark.slow
def test_consent_that_lapses_between_two_runs_removes_the_record_while_no_data_changed(
    project: TestProject, receiver: Receiver
) -> None:
    decide(project, granted("2"))
    began = datetime.now(UTC)
    project.report()
    soon = datetime.now(UTC) - NOW + 3 * (datetime.now(UTC) - began)
    decide(project, granted("1", expires=soon), granted("2"))
    project.report()
    assert set(receiver.records) == {"1", "2"}, "it lapses later than three such runs take"
    while datetime.now(UTC) <= NOW + soon:
        time.sleep(0.01)
    report = project.report()
    assert (report["status"], report["delivered"]["deletes"]) == ("succeeded", 1)
    assert set(receiver.records) == {"2"}


@pytest.mark.parametrize("status", ["GRANTED", "yes", "", "denied", "unknown"])
def test_a_status_that_is_not_the_word_granted_grants_nothing(
    project: TestProject, receiver: Receiver, status: str
) -> None:
    decide(project, ("1", "email", status, timedelta(days=-1), None), granted("2"))
    project.report()
    assert set(receiver.records) == {"2"}


def test_an_empty_register_is_an_alarm_and_removes_nobody(project: TestProject, receiver: Receiver) -> None:
    decide(project, granted("1"), granted("2"))
    project.given.report()
    decide(project)
    report = project.report()
    assert (report["status"], report["requests"]) == ("blocked", 0)
    assert "register" in report["reason"]
    assert set(receiver.records) == {"1", "2"}


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "unreadable"])
def test_a_register_that_is_no_use_keeps_nobody_who_took_consent_back_here(
    project: TestProject, receiver: Receiver, is_refused: bool
) -> None:
    """Whom the register granted stays, as far as it was read last; a decision that was taken here counts all the same."""
    decide(project, granted("1"), granted("2"))
    project.given.report()
    assert project.run("consent", "withdraw", "--subject", "2", "--purpose", "email").code == 0
    if is_refused:
        decide(project)
    else:
        (project.folder / "data" / "register.parquet").write_bytes(b"not parquet")

    assert project.report()["status"] == ("blocked" if is_refused else "failed")

    assert set(receiver.records) == {"1"}
    assert [record["op"] for record in receiver.journal[-1].records] == ["delete"]


def test_a_register_that_cannot_be_read_sends_nothing(project: TestProject, receiver: Receiver) -> None:
    (project.folder / "data" / "register.parquet").write_bytes(b"not parquet")
    outcome = project.run("run", "people_to_hook")
    assert outcome.code != 0
    assert receiver.requests == 0


@pytest.mark.slow
def test_the_removal_of_somebody_who_moved_and_withdrew_is_tried_for_ever(
    project: TestProject, receiver: Receiver
) -> None:
    consent = {"purpose": "email", "subject": "id", "on_withdrawal": "delete"}
    project.sync("people_to_hook", match={"external_id": "name"}, consent=consent, rejects={"max_attempts": 2})
    project.people({1: ("Ada", 1.0), 2: ("Bo", 2.0)})
    decide(project, granted("1"), granted("2"))
    assert project.report()["status"] == "succeeded"

    project.people({1: ("Eva", 1.0), 2: ("Bo", 2.0)})
    decide(project, withdrawn("1"), granted("2"))
    rejected = {"results": [{"id": "Ada", "status": "rejected", "code": "x", "message": "told to"}]}
    receiver.answer = lambda _body: (200, {}, json.dumps(rejected).encode())
    for _ in range(4):
        report = project.report()
        assert (report["status"], report["plan"]["deletes"]) == ("partial", 1)

    receiver.answer = lambda _body: None
    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"Bo"}


def test_a_withdrawal_without_a_moment_counts_and_a_grant_without_one_does_not_outlive_it(
    project: TestProject, receiver: Receiver
) -> None:
    columns = REGISTER["schema"][0]["properties"]
    optional = [{**c, "required": False} if c["name"] == "collected_at" else c for c in columns]
    project.write(
        "contracts/register-v1.odcs.yaml", {**REGISTER, "schema": [{"name": "register", "properties": optional}]}
    )
    undated = (1, "1", "withdrawn"), (2, "2", "granted"), (3, "3", "granted")
    dated = (4, "1", "granted"), (5, "3", "withdrawn")
    table = pa.table(
        {
            "receipt": pa.array([d[0] for d in (*undated, *dated)], pa.int64()),
            "subject": [d[1] for d in (*undated, *dated)],
            "purpose": ["email"] * 5,
            "status": [d[2] for d in (*undated, *dated)],
            "collected_at": pa.array([None] * 3 + [NOW - timedelta(days=3)] * 2, pa.timestamp("us", "UTC")),
            "expires_at": pa.array([None] * 5, pa.timestamp("us", "UTC")),
        }
    )
    project.data(table, "register.parquet")

    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"2"}
