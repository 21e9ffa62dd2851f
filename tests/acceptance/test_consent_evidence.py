"""What was sent about somebody and on which decisions can be told afterwards, and a whole run be proven."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import ibis
import pytest
from ibis.expr.types import Table

from engine.service.samples import MASK
from tests.projects import CONTRACT, TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
PEOPLE: dict[int, tuple[str | None, float | None]] = {n: (f"Person {n}", float(n)) for n in range(1, 5)}


@pytest.fixture(autouse=True)
def with_people(project: TestProject) -> None:
    """Everybody is asked for mail, and three of four agree."""
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"})
    project.people(PEOPLE)
    for subject in (1, 2, 3):
        decide(project.given, "grant", subject, "--receipt", f"form-{subject}")


def decide(project: TestProject, verb: str, subject: int, *more: str) -> None:
    assert project.run("consent", verb, "--subject", str(subject), "--purpose", "email", *more).code == 0


def told(project: TestProject, subject: str) -> dict[str, Any]:
    ended = project.run("--json", "consent", "explain", "--subject", subject)
    assert ended.code == 0, ended
    found: dict[str, Any] = ended.json
    return found


def proof(project: TestProject, *more: str, code: int = 0) -> dict[str, Any]:
    ended = project.run("--json", "consent", "report", SYNC, *more)
    assert ended.code == code, ended
    found: dict[str, Any] = ended.json
    return found


def numbers(report: dict[str, Any]) -> dict[str, int]:
    names = ("upserts", "proven", "unproven", "forgotten", "removals", "withheld")
    return {name: report[name] for name in names if report[name]}


def test_every_delivery_about_a_subject_is_told_with_the_decision_that_allowed_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    decide(project, "withdraw", 2, "--receipt", "letter-2")
    held = told(project, "2")["now"]
    project.report()

    story = told(project, "2")

    assert [(d["op"], d["reason"], d["outcome"], d["key"]) for d in story["deliveries"]] == [
        ("upsert", "new", "delivered", "2"),
        ("delete", "consent", "delivered", "2"),
    ]
    assert [[basis["receipt"] for basis in d["basis"]] for d in story["deliveries"]] == [["form-2"], ["form-2"]]
    assert [(now["consents"], now["keys"], now["next"]) for now in held] == [(False, ["2"], "deleted by the next run")]
    (now,) = story["now"]
    assert (now["consents"], now["rows"], now["keys"], now["next"]) == (False, 1, [], "withheld")
    assert [(p["why"], p["receipt"]) for p in now["purposes"]] == [("withdrawn", "letter-2")]
    assert set(receiver.records) == {"1", "3"}


def test_the_same_is_told_in_words(project: TestProject) -> None:
    project.given.report()
    decide(project.given, "withdraw", 2)

    lines = project.run("consent", "explain", "--subject", "2").out.splitlines()

    assert "people_to_hook -> contacts of hook  upsert of 2 (new): delivered" in lines[0]
    assert lines[1].startswith("    allowed by email: receipt form-2, of 20")
    assert lines[2] == "people_to_hook now  does not consent to email; deleted by the next run"
    assert lines[3] == "    1 row of the dataset, 1 held (2)"
    assert lines[4].startswith("    email withdrawn: of 20")


def test_what_did_not_arrive_is_told_as_what_became_of_it(project: TestProject, receiver: Receiver) -> None:
    def answer(body: dict[str, Any]) -> Answer | None:
        results = [{"id": r["id"], "status": "rejected", "code": "bad", "message": "no"} for r in body["records"]]
        return (200, {}, json.dumps({"results": results}).encode()) if results[0]["id"] == "2" else None

    project.destination("hook", receiver.url, batch={"records": 1})
    receiver.answer = answer
    project.report()

    assert [d["outcome"] for d in told(project, "2")["deliveries"]] == ["rejected"]
    assert [d["outcome"] for d in told(project, "1")["deliveries"]] == ["delivered"]


def test_of_somebody_unknown_only_what_holds_now_is_told(project: TestProject) -> None:
    project.given.report()

    story = told(project, "99")

    assert story["deliveries"] == []
    assert [(now["rows"], now["consents"], now["next"]) for now in story["now"]] == [(0, False, "withheld")]


def test_keys_above_internal_are_masked(project: TestProject, receiver: Receiver) -> None:
    contract = json.loads(json.dumps(CONTRACT))
    contract["schema"][0]["properties"][0]["classification"] = "confidential"
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.destination("hook", receiver.url, clearance="confidential")
    project.report()

    story = told(project, "1")

    assert [d["key"] for d in story["deliveries"]] == [MASK]
    assert [now["keys"] for now in story["now"]] == [[MASK]]


def test_a_run_is_proven_from_stored_facts_and_alike_whenever_it_is_asked(
    project: TestProject, receiver: Receiver
) -> None:
    run = project.given.report()["run"]
    first = proof(project)
    decide(project.given, "withdraw", 2)
    later = project.report()["run"]

    assert numbers(first) == {"upserts": 3, "proven": 3}
    assert (first["run"], first["asks"], first["keys"]) == (run, "email", [])
    assert proof(project, "--run", run) == first, "what was decided since is another run's matter"
    assert (proof(project)["run"], numbers(proof(project))) == (later, {"removals": 1})
    assert set(receiver.records) == {"1", "3"}


def test_what_consent_took_out_of_a_window_is_counted_and_not_among_what_was_delivered(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    project.people({n: (f"Person {n}", float(n)) for n in range(1, 10)})
    for subject in range(4, 10):
        decide(project, "grant", subject)

    def answer(_body: dict[str, Any]) -> None:
        if len(receiver.journal) == 1:
            decide(project, "withdraw", 9)

    receiver.answer = answer
    project.report()

    assert numbers(proof(project)) == {"upserts": 8, "proven": 8, "withheld": 1}
    assert [d["outcome"] for d in told(project, "9")["deliveries"]] == ["withheld"]


def test_an_upsert_that_left_without_consent_is_named_and_the_exit_code_says_so(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planner and the gate are both made to err; the report reads the register for itself."""
    monkeypatch.setattr("engine.core.consent_proof.consenting", _whoever_was_ever_mentioned)
    monkeypatch.setattr("engine.steps.consent.granted", _everybody)
    decide(project, "withdraw", 3)
    project.report()
    monkeypatch.undo()
    assert "3" in receiver.records

    report = proof(project, code=1)

    assert (numbers(report), report["keys"]) == ({"upserts": 3, "proven": 2, "unproven": 1}, ["3"])
    shown = project.run("consent", "report", SYNC)
    assert "unproven: 3" in shown.out


def _everybody(found: Table, _rule: object) -> Table:
    return found.select("subject", basis=ibis.literal("[") + found.basis + ibis.literal("]"))


def _whoever_was_ever_mentioned(register: Table, *_: object) -> Table:
    return register.select("subject").distinct()


def test_people_who_were_forgotten_since_are_counted_and_nothing_of_them_is_told(
    project: TestProject, receiver: Receiver
) -> None:
    first = project.given.report()["run"]
    assert project.run("forget", "2", "--reason", "request 17").code == 0
    project.people({**PEOPLE, 1: ("Person I", 1.0)})
    project.report()

    assert numbers(proof(project, "--run", first)) == {"upserts": 3, "proven": 2, "forgotten": 1}
    assert numbers(proof(project)) == {"upserts": 1, "proven": 1}
    assert told(project, "2")["deliveries"] == []
    assert set(receiver.records) == {"1", "3"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["people_to_hook"], "has delivered anything yet"),
        (["people_to_hook", "--run", "none"], "There is no run none"),
        (["no_such_sync"], "There is no sync"),
    ],
)
def test_what_cannot_be_proven_is_refused_with_the_way_out(
    project: TestProject, arguments: Sequence[str], said: str
) -> None:
    ended = project.run("consent", "report", *arguments)

    assert (ended.code, said in " ".join(ended.err.split())) == (2, True), ended


def test_a_run_of_a_sync_that_asks_nobody_has_nothing_to_prove(project: TestProject) -> None:
    project.sync(SYNC)
    project.report()

    ended = project.run("consent", "report", SYNC)

    assert (ended.code, "sent nothing for which consent was asked" in " ".join(ended.err.split())) == (2, True), ended
