"""What becomes of a record whose subject takes consent back is what the sync says: deleted, unsubscribed, or left as it is."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from engine.core.state import live
from engine.segments.compute import Compute
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
PEOPLE: dict[int, tuple[str | None, float | None]] = {1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0)}
FIELDS = {str(n): {"name": name, "score": score} for n, (name, score) in PEOPLE.items()}


@pytest.fixture(autouse=True)
def with_people(project: TestProject) -> None:
    project.people(PEOPLE)


def asking(project: TestProject, on_withdrawal: str, **more: Any) -> None:
    consent = {"purpose": "email", "subject": "id", "on_withdrawal": on_withdrawal}
    project.sync(SYNC, **{"consent": consent, **more})


def decide(project: TestProject, verb: str, *subjects: int) -> None:
    for subject in subjects:
        assert project.run("consent", verb, "--subject", str(subject), "--purpose", "email").code == 0


def delivered(project: TestProject, on_withdrawal: str, **more: Any) -> None:
    """Everybody consents and is held."""
    decide(project.given, "grant", *PEOPLE)
    asking(project, on_withdrawal, **more)
    assert sum(project.given.report()["delivered"].values()) == len(PEOPLE)


@pytest.mark.parametrize("mode", ["upsert", "mirror", "update"])
def test_an_unsubscribe_keeps_the_record_and_nothing_is_written_to_it_while_nobody_consents(
    project: TestProject, receiver: Receiver, mode: str
) -> None:
    delivered(project, "unsubscribe", mode=mode)
    decide(project, "withdraw", 2)

    planned = project.run("--json", "plan", SYNC).json
    assert (planned["plan"]["updates"], planned["plan"]["deletes"], planned["samples"][0]["reason"]) == (
        1,
        0,
        "consent",
    )
    assert project.report()["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}
    told = receiver.journal[-1].records
    assert told == [{"op": "unsubscribe", "id": "2", "key": {"external_id": 2}}]
    assert receiver.records == {**FIELDS, "2": {**FIELDS["2"], "unsubscribed": True}}

    project.people({**PEOPLE, 2: ("Bo II", 2.0), 3: ("Cy II", 3.0)})
    report = project.report()
    assert (report["delivered"]["updates"], report["plan"]["withheld"]) == (1, 1)
    assert receiver.records["2"] == {**FIELDS["2"], "unsubscribed": True}
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


def test_consent_that_comes_back_writes_the_whole_record_again_even_when_nothing_changed(
    project: TestProject, receiver: Receiver
) -> None:
    delivered(project, "unsubscribe")
    decide(project.given, "withdraw", 2)
    project.given.report()
    decide(project, "grant", 2)

    planned = project.run("--json", "plan", SYNC).json
    assert [(s["id"], s["reason"]) for s in planned["samples"]] == [("2", "consent given again")]
    assert project.report()["delivered"]["updates"] == 1
    assert json.loads(json.dumps(receiver.journal[-1].records[0]["changed"])) == ["name", "score"]
    assert receiver.records == FIELDS
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


def test_the_record_of_somebody_unsubscribed_whose_row_is_gone_is_deleted_in_a_mirror(
    project: TestProject, receiver: Receiver
) -> None:
    delivered(project, "unsubscribe")
    decide(project.given, "withdraw", 2)
    project.given.report()
    project.people({1: PEOPLE[1], 3: PEOPLE[3]})

    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {"1", "3"}


def test_an_unsubscribe_that_fails_is_owed_and_never_set_aside(project: TestProject, receiver: Receiver) -> None:
    delivered(project, "unsubscribe", rejects={"max_attempts": 2})
    decide(project, "withdraw", 2)
    rejected = {"results": [{"id": "2", "status": "rejected", "code": "x", "message": "told to"}]}
    receiver.answer = lambda _body: (200, {}, json.dumps(rejected).encode())
    for _ in range(3):
        assert (project.report()["status"], project.report()["plan"]["updates"]) == ("partial", 1)

    receiver.answer = lambda _body: None
    assert project.report()["status"] == "succeeded"
    assert receiver.records["2"]["unsubscribed"] is True
    project.checked(receiver)


def test_a_record_whose_fate_is_unknown_is_unsubscribed_again(project: TestProject, receiver: Receiver) -> None:
    delivered(project, "unsubscribe")
    decide(project.given, "withdraw", 2)
    receiver.answer = lambda _body: (200, {}, b"{")
    assert project.report()["unknown"] == 1
    receiver.answer = lambda _body: None

    assert project.report()["status"] == "succeeded"
    assert receiver.records["2"]["unsubscribed"] is True
    assert project.report()["status"] == "unchanged"


def test_what_is_ignored_stays_as_it_is_and_a_warning_says_so(project: TestProject, receiver: Receiver) -> None:
    delivered(project, "ignore")
    warnings = project.run("--json", "validate").json["warnings"]
    assert any("`on_withdrawal: ignore`" in one and "stays there" in one for one in warnings)
    before = receiver.requests
    decide(project.given, "withdraw", 2)
    project.people({**PEOPLE, 2: ("Bo II", 2.0)})

    checks = {c["check"]: c for c in project.run("--json", "plan", SYNC).json["checks"]}
    assert (checks["consent.ignored"]["verdict"], checks["consent.ignored"]["metrics"]) == ("warn", {"left": 1})
    report = project.report()
    assert (report["status"], report["plan"]["withheld"], receiver.requests) == ("unchanged", 1, before)
    assert receiver.records == FIELDS
    shown = project.run("--json", "show", SYNC, "--key", "2").json
    assert (shown["holds"], shown["verdict"]) == (True, "unconsented")

    decide(project, "grant", 2)
    assert project.report()["delivered"]["updates"] == 1
    assert receiver.records["2"]["name"] == "Bo II"
    project.checked(receiver)


@pytest.mark.parametrize("mode", ["mirror", "upsert"])
def test_a_resync_leaves_what_is_ignored_as_it_is_and_owes_nothing(
    project: TestProject, receiver: Receiver, mode: str
) -> None:
    """Also what it is asked for by its key: nothing would ever be sent about it."""
    delivered(project, "ignore", mode=mode)
    decide(project.given, "withdraw", 2)
    project.given.report()
    before = len(receiver.journal)

    assert project.run("resync", SYNC, "--yes").code == 0
    assert {r["id"] for one in receiver.journal[before:] for r in one.records} == {"1", "3"}
    keys = project.folder / "keys.txt"
    keys.write_text("2\n", encoding="utf-8")
    assert project.run("resync", SYNC, "--keys", str(keys), "--yes").code == 0

    shown = project.run("--json", "show", SYNC, "--key", "2").json
    assert (shown["holds"], shown["owed"], shown["unknown"]) == (True, False, False)
    assert receiver.records == FIELDS
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


def test_another_answer_to_withdrawals_is_caught_up_with(project: TestProject, receiver: Receiver) -> None:
    """Ignored, then unsubscribed, then deleted: each change of the file is applied to those who withdrew before it."""
    delivered(project, "ignore")
    decide(project.given, "withdraw", 2)
    assert project.report()["status"] == "unchanged"

    asking(project, "unsubscribe")
    assert project.report()["delivered"]["updates"] == 1
    assert receiver.records["2"] == {**FIELDS["2"], "unsubscribed": True}

    asking(project, "delete")
    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {"1", "3"}


def test_a_withdrawal_during_a_run_withholds_and_the_next_run_unsubscribes_what_was_in_flight(
    project: TestProject, receiver: Receiver
) -> None:
    """I2."""
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    delivered(project, "unsubscribe")
    project.people({n: (f"{name} II", score) for n, (name, score) in PEOPLE.items()})

    def answer(_body: dict[str, Any]) -> None:
        if len(receiver.journal) == len(PEOPLE) + 1:
            decide(project, "withdraw", 3)

    receiver.answer = answer
    project.report()
    receiver.answer = lambda _body: None

    assert project.report()["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}
    assert receiver.records["3"]["unsubscribed"] is True
    project.checked(receiver)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "insert"}, "mode insert could never write it again"),
        ({"destination": "table"}, "needs unsubscribe, which a sql destination cannot do"),
    ],
)
def test_an_unsubscribe_that_cannot_be_done_is_refused_by_name(
    project: TestProject, change: dict[str, str], said: str
) -> None:
    url = f"sqlite:///{project.folder / 'crm.db'}"
    project.write("destinations/table.yaml", {"name": "table", "type": "sql", "config": {"url": url}})
    asking(project, "unsubscribe", **change)

    ended = project.run("validate")

    assert (ended.code, said in " ".join((ended.out + ended.err).split())) == (2, True), ended


def test_a_state_that_an_older_version_wrote_is_read(project: TestProject, receiver: Receiver) -> None:
    """I27: it kept one receipt, and knew of nobody who unsubscribed."""
    delivered(project, "unsubscribe")
    old = pa.table(
        {
            **{name: pa.array(["1"]) for name in ("id", "pk", "key", "subject")},
            **{name: pa.array([name == "acked"]) for name in ("acked", "unknown", "owed", "gone")},
            "attempts": pa.array([0], pa.int64()),
            "tried": pa.array([None], pa.string()),
            "receipt": pa.array(["r-1"]),
            "f:name": pa.array(['"Ada"']),
        }
    )
    pq.write_table(old, project.folder / "old.parquet")
    with Compute("256MB", 1, project.folder / "spill").session() as session:
        (row,) = session.fetch(live([session.table(project.folder / "old.parquet")]))

    assert (json.loads(row["basis"]), row["inert"]) == ([{"receipt": "r-1"}], False)


REVIEWED = {"deletes": {"max": 0, "on_fail": "review"}}


@pytest.mark.parametrize("on_withdrawal", ["delete", "unsubscribe"])
@pytest.mark.parametrize("on_fail", ["review", "block"])
def test_a_plan_that_has_to_wait_keeps_nobody_who_took_consent_back(
    project: TestProject, receiver: Receiver, on_withdrawal: str, on_fail: str
) -> None:
    gates = {"deletes": {"max": 0, "on_fail": on_fail}}
    delivered(project, on_withdrawal, mode="mirror", gates=gates)
    project.people({1: PEOPLE[1], 2: PEOPLE[2], 4: ("Di", 4.0)})
    decide(project.given, "withdraw", 2)

    report = project.report()
    assert report["status"] == {"review": "held", "block": "blocked"}[on_fail]
    assert (report["plan"]["deletes"], report["requests"]) == (1, 0)
    op = receiver.journal[-1].records[0]["op"]
    assert (op, len(receiver.journal[-1].records)) == (on_withdrawal, 1)
    assert set(receiver.records) == {"1", "3"} | ({"2"} if on_withdrawal == "unsubscribe" else set())
    removal = project.run("--json", "runs", SYNC).json[1]
    assert (removal["status"], removal["plan"]["inserts"]) == ("succeeded", 0)

    again, requests = project.report(), receiver.requests
    assert (again["status"], again["plan"]["digest"]) == (report["status"], report["plan"]["digest"])
    assert receiver.requests == requests, "what was removed is not removed again"
    if on_fail == "review":
        assert project.run("approve", again["run"]).code == 0
        assert project.report()["status"] == "succeeded"
        assert "3" not in receiver.records
    project.checked(receiver)


def test_who_took_consent_back_is_removed_although_every_plan_needs_approval(
    project: TestProject, receiver: Receiver
) -> None:
    delivered(project, "delete")
    path = project.folder / "tidegate.yaml"
    content = yaml.safe_load(path.read_text())
    content["environments"]["development"]["require_approval"] = True
    project.write("tidegate.yaml", content)
    decide(project.given, "withdraw", 2)
    project.people({**PEOPLE, 1: ("Eva", 1.0)})

    assert project.report()["status"] == "held"
    assert receiver.records == {id: FIELDS[id] for id in ("1", "3")}
    project.people(PEOPLE)
    assert project.report()["status"] == "unchanged"


def test_a_removal_that_fails_does_not_keep_the_rest_from_being_approved(
    project: TestProject, receiver: Receiver
) -> None:
    delivered(project, "delete", mode="mirror", gates=REVIEWED)
    decide(project.given, "withdraw", 2)
    project.people({1: PEOPLE[1], 2: PEOPLE[2]})
    receiver.answer = lambda _: (503, {}, b"")
    report = project.report()
    assert (report["status"], set(receiver.records)) == ("held", {"1", "2", "3"})
    assert report["plan"]["deletes"] == 2, "what failed is owed"

    assert project.run("approve", report["run"]).code == 0
    receiver.answer = lambda _: None
    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"1"}
    project.checked(receiver)


def test_decisions_that_are_in_doubt_remove_nobody_ahead_of_the_plan(project: TestProject, receiver: Receiver) -> None:
    delivered(project, "delete", gates={"consent": {"max_drop": 0.1}})
    decide(project, "withdraw", 1, 2, 3)
    report = project.report()
    assert report["status"] in {"held", "blocked"}
    assert set(receiver.records) == {"1", "2", "3"}
    assert len(project.run("--json", "runs", SYNC).json) == 2, "no run was begun for removals"
