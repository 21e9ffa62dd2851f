"""What a plan must hold to before anything is sent: whole runs, by the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects import TestProject
from tests.receiver import Receiver

HUNDRED: dict[int, tuple[str | None, float | None]] = {n: (f"p{n}", float(n)) for n in range(1, 101)}


def after_hundred(project: TestProject, people: dict[int, tuple[str | None, float | None]]) -> dict[str, Any]:
    """The report of a run over ``people`` when the hundred were delivered before."""
    project.people(HUNDRED)
    assert project.given.report()["status"] == "succeeded"
    project.people(people)
    return project.report()


def decide(project: TestProject, decisions: dict[int, str]) -> None:
    path = project.folder / "decisions.csv"
    rows = "".join(f"{subject},email,{status}\n" for subject, status in decisions.items())
    path.write_text("subject,purpose,status\n" + rows, encoding="utf-8")
    assert project.run("consent", "import", str(path)).code == 0


@pytest.mark.parametrize(("kept", "status"), [(75, "succeeded"), (74, "held")])
def test_without_a_word_25_records_may_go_and_more_waits_for_a_person(
    project: TestProject, receiver: Receiver, kept: int, status: str
) -> None:
    report = after_hundred(project, {n: HUNDRED[n] for n in range(1, kept + 1)})

    assert (report["status"], len(receiver.records)) == (status, kept if status == "succeeded" else 100)
    if status == "held":
        assert "26 deletes are 26.0% of the 100 records held" in report["reason"]
        assert "`gates.deletes` of the sync allows more" in report["reason"]
        assert project.run("approve", report["run"]).code == 0
        assert project.report()["delivered"]["deletes"] == 26


def test_a_key_set_that_is_replaced_waits_for_a_person(project: TestProject, receiver: Receiver) -> None:
    project.sync("people_to_hook", match={"external_id": "name"}, fields={"score": "score"})
    report = after_hundred(project, {n: (f"q{n}" if n <= 26 else name, score) for n, (name, score) in HUNDRED.items()})

    assert (report["status"], report["requests"]) == ("held", 0)
    assert "26 re-keyed records are 26.0% of the 100 records held" in report["reason"]


CHANGES: dict[str, tuple[dict[str, Any], range, str, str]] = {
    "inserts": ({"max_ratio": 0.1, "on_fail": "review"}, range(101, 112), "held", "11 inserts are 11.0%"),
    "updates": ({"max": 10, "on_fail": "block"}, range(1, 12), "blocked", "11 updates are more than 10"),
    "total": ({"max": 10, "on_fail": "warn"}, range(96, 107), "succeeded", ""),
    "budget": ({"requests": 1, "on_fail": "block"}, range(1, 12), "blocked", "at least 2 calls"),
}


@pytest.mark.parametrize(("gate", "case"), CHANGES.items(), ids=CHANGES)
def test_too_much_of_a_change_gets_just_the_declared_action(
    project: TestProject, receiver: Receiver, gate: str, case: tuple[dict[str, Any], range, str, str]
) -> None:
    project.people(HUNDRED)
    assert project.given.report()["status"] == "succeeded", "a first run has no share of what is held"
    project.destination("hook", receiver.url, batch={"records": 10})
    rule, changed, status, words = case
    project.sync("people_to_hook", gates={gate: rule})
    requests = receiver.requests

    project.people({**HUNDRED, **dict.fromkeys(changed, ("changed", 1.0))})
    report = project.report()

    assert report["status"] == status
    assert (receiver.requests > requests) == (status == "succeeded")
    assert words in report["reason"]


def test_a_plan_beyond_what_is_left_of_the_day_is_held_before_its_first_call(
    project: TestProject, receiver: Receiver
) -> None:
    rate = {"requests": 1000, "per": "1s", "daily": {"records": 50}}
    project.destination("hook", receiver.url, rate=rate, batch={"records": 10})
    project.sync("people_to_hook", gates={"budget": {"on_fail": "review"}})
    project.people(HUNDRED)

    report = project.report()

    assert (report["status"], receiver.requests) == ("held", 0)
    assert "only 50 records are left of the day of hook" in report["reason"]


def test_consent_that_falls_since_the_last_delivery_is_held_each_time_until_somebody_approves(
    project: TestProject, receiver: Receiver
) -> None:
    asking = {"purpose": "email", "subject": "id"}
    project.sync("people_to_hook", consent=asking, gates={"consent": {"max_drop": 0.2}})
    people = range(1, 11)
    project.people({n: HUNDRED[n] for n in people})
    decide(project, dict.fromkeys(people, "granted"))
    assert project.report()["status"] == "succeeded"

    decide(project, dict.fromkeys((1, 2, 3), "withdrawn"))
    first, second = project.report(), project.report()

    assert [(r["status"], r["requests"]) for r in (first, second)] == [("held", 0)] * 2
    assert "subjects of 7 of 10 rows consent (70.0%), down from 100.0% before" in second["reason"]
    assert project.run("approve", second["run"]).code == 0
    assert project.report()["delivered"]["deletes"] == 3


def test_the_environment_of_the_destination_stands_among_the_results_of_a_plan(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, environments=["development"])
    project.people({1: ("a", 1.0)})
    shown = project.run("--json", "plan", "people_to_hook").json

    assert {c["check"]: c["verdict"] for c in shown["checks"]}["environment"] == "pass"
