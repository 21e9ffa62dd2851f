"""A version that a gate holds waits for a person: nothing is planned from it, and a decision is about just what was read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import CONTRACT, Outcome, TestProject
from tests.receiver import Receiver

As = Callable[[str], None]
Rows = dict[int, tuple[str | None, float | None]]
GOOD: Rows = {n: (f"p{n}", float(n)) for n in range(1, 6)}
BAD: Rows = {**GOOD, 1: (None, 1.0), 9: ("p9", 9.0)}
NULLS = {"metric": "nullValues", "mustBe": 0, "name": "names are known"}
REVIEW = {"customProperties": [{"property": "tidegate.review", "value": True}]}


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> As:
    """Who runs the commands that follow."""

    def act(actor: str) -> None:
        monkeypatch.setenv("TIDEGATE_ACTOR", actor)

    act("scheduler")
    return act


@pytest.fixture(autouse=True)
def reviewed(project: TestProject) -> None:
    """The column ``name`` may not be null, unless a person says so."""
    rules(project, {**NULLS, **REVIEW})


def rules(project: TestProject, *written: dict[str, Any], version: str = "1.0.0") -> None:
    contract = copy.deepcopy(CONTRACT)
    contract["version"] = version
    contract["schema"][0]["properties"][1]["quality"] = list(written)
    project.write("contracts/people-v1.odcs.yaml", contract)


def environment(project: TestProject, **keys: Any) -> None:
    path = project.folder / "tidegate.yaml"
    content = yaml.safe_load(path.read_text())
    content["environments"]["development"] |= keys
    project.write("tidegate.yaml", content)


def held(project: TestProject) -> dict[str, Any]:
    """The report of the run that is held, after one that brought five good rows."""
    project.people(GOOD)
    assert project.given.report()["status"] == "succeeded"
    project.people(BAD)
    report = project.given.report()
    assert (report["status"], report["exit"], report["requests"]) == ("held", 4, 0), report
    return report


def waiting(project: TestProject) -> str:
    """What `tidegate approvals` names."""
    (found,) = project.run("--json", "approvals").json
    return str(found["candidate"])


def events(project: TestProject, kind: str = "dataset.") -> list[str]:
    told = project.run("--json", "ledger", "tail", "--limit", "1000").json
    return [event["type"] for event in told if event["type"].startswith(kind)]


def snapshots(project: TestProject) -> set[Path]:
    return set((project.folder / ".tidegate/segments/datasets/people@1/versions").glob("*-snapshot-*.parquet"))


def test_a_held_version_sends_nothing_and_the_accepted_one_stays_current(
    project: TestProject, receiver: Receiver
) -> None:
    report = held(project)
    assert "names are known" in report["reason"]
    assert report["version"] == 1
    assert set(receiver.records) == {"1", "2", "3", "4", "5"}
    listed = project.run("--json", "versions", "people").json
    assert [(v["version"], v["status"], v["rows"]) for v in listed] == [(1, "accepted", 5), (2, "held", 6)]
    (status,) = project.run("--json", "status").json
    assert status["held_version"] == waiting(project) == listed[1]["candidate"]
    assert "waits for approval" in project.run("status").out


@pytest.mark.slow
def test_a_preview_says_that_a_run_would_wait_and_what_it_would_send_then(project: TestProject) -> None:
    held(project)
    told = project.run("--json", "plan", "people_to_hook")
    assert (told.code, told.json["held"], told.json["blocked"]) == (4, True, False)
    assert (told.json["plan"]["inserts"], told.json["plan"]["updates"]) == (1, 1)
    assert project.run("approve", waiting(project)).code == 0
    told = project.run("--json", "plan", "people_to_hook")
    assert (told.code, told.json["held"], told.json["candidate"]) == (0, False, False)


@pytest.mark.slow
def test_an_approved_version_is_accepted_as_it_was_read_and_the_next_run_sends_it(
    project: TestProject, receiver: Receiver
) -> None:
    report = held(project)
    project.people({**BAD, 7: ("later", 7.0)})
    decided = project.run("--json", "approve", report["run"], "--comment", "they asked to be unnamed")
    assert decided.code == 0, decided
    assert decided.json["decision"] == "approved"
    (_one, two) = project.run("--json", "versions", "people").json
    assert (two["version"], two["status"], two["rows"]) == (2, "accepted", 6), (
        "what was kept, and not what is there now"
    )
    assert (two["inserts"], two["updates"], two["deletes"]) == (1, 1, 0)

    sent = project.report()
    assert sent["status"] == "held", "what the source holds by now is another candidate"
    assert (sent["version"], sent["delivered"]) == (2, {"inserts": 1, "updates": 1, "deletes": 0})
    project.people(BAD)
    assert project.report()["status"] == "unchanged"
    assert receiver.records["1"]["name"] is None
    assert project.report()["status"] == "unchanged", "what was approved is not asked about again"
    assert events(project)[-1] == "dataset.capture_unchanged"


def test_a_capture_is_held_and_its_version_is_named_to_decide_about_it(project: TestProject, acting: As) -> None:
    project.people(BAD)
    captured = project.run("--json", "capture", "people")
    assert (captured.code, captured.json["status"], captured.json["version"]) == (4, "held", None)
    candidate = captured.json["candidate"]
    assert candidate == waiting(project)
    assert candidate in project.run("approvals").out
    assert project.run("approve", candidate).code == 0
    (version,) = project.run("--json", "versions", "people").json
    assert (version["version"], version["status"], version["inserts"]) == (1, "accepted", 6)
    assert project.run("approve", candidate).code == 2, "it waits no more"
    assert project.run("approvals").out.startswith("No plan and no version waits")


def test_the_same_content_is_held_again_without_a_second_event_and_kept_once(
    project: TestProject, receiver: Receiver
) -> None:
    first = held(project)
    before, kept = events(project), snapshots(project)
    again = project.report()
    assert (again["status"], again["reason"]) == (first["status"], first["reason"])
    turned = dict(reversed(BAD.items()))
    project.people(turned)
    assert project.run("capture", "people").code == 4, "the same rows in another order"
    assert (events(project), snapshots(project)) == (before, kept)
    assert project.run("approve", again["run"]).code == 0


def test_other_content_replaces_the_held_version_and_voids_its_id(project: TestProject, receiver: Receiver) -> None:
    first = held(project)
    replaced = waiting(project)
    project.people({**BAD, 8: (None, 8.0)})
    second = project.report()
    assert second["status"] == "held"
    assert waiting(project) != replaced
    assert len(snapshots(project)) == 2, "the accepted one and the one that waits"
    for old in (replaced, first["run"]):
        refused = project.run("approve", old)
        assert (refused.code, "waits for a decision" in refused.err) == (2, True)
    project.people(GOOD)
    assert project.report()["status"] == "unchanged"
    assert len(snapshots(project)) == 1
    assert project.run("approve", second["run"]).code == 2
    assert project.run("--json", "approvals").json == []


@pytest.mark.slow
def test_a_rejected_version_is_dropped_and_the_same_content_is_blocked_with_that_reason(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    report = held(project)
    acting("ada")
    assert project.run("reject", report["run"], "--comment", "a broken join").code == 0
    assert len(snapshots(project)) == 1
    for _ in range(2):
        blocked = project.report()
        assert (blocked["status"], blocked["exit"]) == ("blocked", 3)
        assert "ada rejected this as version 2: a broken join" in blocked["reason"]
    assert events(project)[-2:] == ["dataset.version_rejected", "dataset.capture_blocked"]
    project.people({**BAD, 8: (None, 8.0)})
    assert project.report()["status"] == "held", "nobody spoke about these rows"
    project.people(BAD)
    assert project.report()["status"] == "blocked", "and what was said stays said"


def test_a_block_by_the_same_content_for_the_same_reason_is_recorded_once(project: TestProject) -> None:
    rules(project, NULLS)
    project.people(BAD)
    for _ in range(2):
        assert project.report()["status"] == "blocked"
    assert events(project) == ["dataset.capture_blocked"]
    rules(project, NULLS, {**NULLS, "name": "names are there"})
    assert project.report()["status"] == "blocked"
    assert events(project) == ["dataset.capture_blocked"] * 2, "another rule found fault as well"


@pytest.mark.slow
def test_an_approval_of_a_version_needs_another_pair_of_eyes_and_an_approver(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    environment(project, approvers=["ada", "bo"], approval={"four_eyes": True})
    acting("ada")
    report = held(project)
    for actor, command, why in (
        ("ada@laptop", "approve", "who asked for it may not approve it"),
        ("eve", "approve", "only those whom `approvers` names may decide"),
        ("eve", "reject", "only those whom `approvers` names may decide"),
    ):
        acting(actor)
        refused: Outcome = project.run(command, report["run"])
        assert (refused.code, why in refused.err) == (2, True)
    assert events(project)[-3:] == ["dataset.decision_refused"] * 3
    acting("bo")
    assert project.run("approve", report["run"]).code == 0
    assert project.report()["status"] == "succeeded"


def test_a_plan_approval_that_is_refused_stands_in_the_ledger(project: TestProject, acting: As) -> None:
    environment(project, require_approval=True)
    project.people(GOOD)
    run = project.report()["run"]
    assert project.run("approve", run).code == 2
    (told,) = [e for e in project.run("--json", "ledger", "tail").json if e["type"] == "run.decision_refused"]
    assert (told["actor"], told["stream"]) == ("scheduler", f"run:{run}")


def test_an_approval_is_void_once_the_contract_is_another(project: TestProject) -> None:
    report = held(project)
    rules(project, {**NULLS, **REVIEW}, version="1.1.0")
    refused = project.run("approve", report["run"])
    assert (refused.code, "contract of people@1 is not the one" in refused.err) == (2, True)
    assert project.report()["status"] == "held"


def test_a_held_version_that_was_damaged_is_not_accepted(project: TestProject) -> None:
    report = held(project)
    (kept,) = [path for path in snapshots(project) if path.name.startswith("00000002")]
    kept.write_bytes(kept.read_bytes()[:-9])
    assert project.run("approve", report["run"]).code == 1
    assert [v["status"] for v in project.run("--json", "versions", "people").json] == ["accepted", "held"]


def test_review_of_a_rule_that_stops_nothing_is_refused_by_name(project: TestProject) -> None:
    rules(project, {**NULLS, **REVIEW, "severity": "warning"})
    told = project.run("validate")
    assert (told.code, "`tidegate.review` says it does" in told.out + told.err) == (2, True)
    rules(project, {**NULLS, "customProperties": [{"property": "tidegate.revue", "value": True}]})
    told = project.run("validate")
    assert (told.code, "did you mean `tidegate.review`" in told.out + told.err) == (2, True)
