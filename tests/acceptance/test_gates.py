"""What a gate stops, holds or lets pass, and what a person's decision on a held plan allows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import yaml

from tests.projects import TestProject
from tests.receiver import Receiver

FULL = {n: (f"p{n}", float(n)) for n in range(1, 11)}


def gates(project: TestProject, **rules: Any) -> None:
    """Give the dataset gates beside what it says already."""
    path = project.folder / "datasets/people.yaml"
    project.write("datasets/people.yaml", {**yaml.safe_load(path.read_text()), **rules})


def fewer(project: TestProject, kept: int) -> None:
    project.people({n: row for n, row in FULL.items() if n <= kept})


def first_then(project: TestProject, kept: int) -> dict[str, Any]:
    """The report of a run over the first ``kept`` of ten rows that were delivered before."""
    project.people(FULL)
    assert project.given.report()["status"] == "succeeded"
    fewer(project, kept)
    return project.report()


@pytest.mark.parametrize(
    ("rows", "kept", "words"),
    [
        ({"min": 6}, 5, "fewer than the minimum of 6"),
        ({"max": 10, "max_change": 0.3}, 6, "40.0% away from the 10"),
    ],
)
def test_a_row_count_out_of_bounds_blocks_and_the_version_before_stays_current(
    project: TestProject, receiver: Receiver, rows: dict[str, Any], kept: int, words: str
) -> None:
    gates(project, gates={"rows": rows})
    report = first_then(project, kept)
    assert (report["status"], report["exit"], report["version"], report["requests"]) == ("blocked", 3, 1, 0)
    assert words in report["reason"]
    assert len(receiver.records) == 10


def test_a_change_of_just_the_allowed_share_passes(project: TestProject, receiver: Receiver) -> None:
    gates(project, gates={"rows": {"max_change": 0.3}})
    assert first_then(project, 7)["status"] == "succeeded"
    assert len(receiver.records) == 7


@pytest.mark.slow
def test_a_version_is_compared_with_the_last_accepted_one_and_not_with_a_blocked_one(project: TestProject) -> None:
    gates(project, gates={"rows": {"max_change": 0.3}})
    assert first_then(project, 4)["status"] == "blocked"
    fewer(project, 3)
    assert project.report()["status"] == "blocked"
    fewer(project, 8)
    assert project.report()["status"] == "succeeded"


@pytest.mark.slow
def test_an_identifier_that_turns_null_blocks_as_a_broken_join_does(project: TestProject, receiver: Receiver) -> None:
    gates(project, identifiers=["id", "name"], gates={"identifiers": {"max_null_increase": 0.2}})
    project.people(FULL)
    assert project.report()["status"] == "succeeded"
    project.people({n: (name if n > 2 else None, score) for n, (name, score) in FULL.items()})
    assert project.report()["status"] == "succeeded", "two of ten are just allowed"
    project.people({n: (name if n > 5 else None, score) for n, (name, score) in FULL.items()})
    report = project.report()
    assert (report["status"], report["requests"]) == ("blocked", 0)
    assert "identifier name is null in 50.0% of the rows, up from 20.0%" in report["reason"]


def test_two_rows_for_one_destination_key_block_the_plan(project: TestProject, receiver: Receiver) -> None:
    project.sync("people_to_hook", match={"external_id": "name"}, fields={"score": "score"})
    project.people({1: ("same", 1.0), 2: ("same", 2.0), 3: ("other", 3.0)})
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("blocked", 3, 0)
    assert "one destination key" in report["reason"]


def test_a_row_without_a_destination_key_is_withheld_and_the_others_are_sent(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", match={"external_id": "name"}, fields={"score": "score"})
    project.people({1: (None, 1.0), 2: ("b", 2.0)})
    report = project.report()
    assert (report["status"], report["plan"]["withheld"]) == ("succeeded", 1)
    assert set(receiver.records) == {"b"}


class TestDeletes:
    """A plan that would delete much is held, and a person decides."""

    @pytest.fixture(autouse=True)
    def limited(self, project: TestProject) -> None:
        project.sync("people_to_hook", gates={"deletes": {"max_ratio": 0.25, "on_fail": "review"}})

    @pytest.mark.slow
    def test_few_deletes_are_sent(self, project: TestProject, receiver: Receiver) -> None:
        assert first_then(project, 8)["status"] == "succeeded"
        assert len(receiver.records) == 8

    def test_many_are_held_and_nothing_is_sent(self, project: TestProject, receiver: Receiver) -> None:
        report = first_then(project, 5)
        assert (report["status"], report["exit"], report["requests"]) == ("held", 4, 0)
        assert "5 deletes are 50.0% of the 10 records held" in report["reason"]
        assert len(receiver.records) == 10

    @pytest.mark.slow
    def test_an_approved_plan_is_sent_by_the_next_run(self, project: TestProject, receiver: Receiver) -> None:
        held = first_then(project.given, 5)
        decided = project.run("--json", "approve", held["run"], "--comment", "they left")
        assert decided.code == 0, decided
        sent = project.report()
        assert (sent["status"], sent["delivered"]["deletes"]) == ("succeeded", 5)
        assert sent["plan"]["digest"] == held["plan"]["digest"]
        assert len(receiver.records) == 5

    @pytest.mark.slow
    def test_an_approval_is_void_once_the_plan_changes(self, project: TestProject, receiver: Receiver) -> None:
        held = first_then(project.given, 5)
        assert project.run("approve", held["run"], "--comment", "they left").code == 0
        fewer(project, 4)
        again = project.report()
        assert (again["status"], again["requests"]) == ("held", 0)
        assert len(receiver.records) == 10

    @pytest.mark.slow
    def test_an_approval_serves_one_plan_and_not_the_next_one_alike(
        self, project: TestProject, receiver: Receiver
    ) -> None:
        held = first_then(project.given, 5)
        assert project.run("approve", held["run"], "--comment", "they left").code == 0
        assert project.report()["status"] == "succeeded"
        project.people(FULL)
        assert project.report()["delivered"]["inserts"] == 5
        fewer(project, 5)
        assert project.report()["status"] == "held", "the same rows leave again, and nobody has looked at that"

    @pytest.mark.slow
    def test_a_rejected_plan_is_held_again(self, project: TestProject, receiver: Receiver) -> None:
        held = first_then(project.given, 5)
        assert project.run("reject", held["run"], "--comment", "a broken join").code == 0
        assert project.report()["status"] == "held"
        project.people(FULL)
        assert project.report()["status"] == "unchanged"
        assert len(receiver.records) == 10

    @pytest.mark.slow
    def test_a_plan_that_was_sent_waits_for_no_further_decision(self, project: TestProject, receiver: Receiver) -> None:
        held = first_then(project.given, 5)
        assert project.run("approve", held["run"]).code == 0
        assert project.report()["status"] == "succeeded"

        for command in ("reject", "approve"):
            refused = project.run(command, held["run"])
            assert (refused.code, "waits for a decision" in refused.err) == (2, True)
        assert receiver.records

    def test_a_run_that_is_not_held_cannot_be_approved(self, project: TestProject) -> None:
        project.people(FULL)
        done = project.report()
        for run in (done["run"], "20260101T000000-none"):
            refused = project.run("approve", run, "--comment", "why not")
            assert refused.code == 2
            assert "waits for a decision" in refused.err


def test_deletes_over_a_limit_that_blocks_cannot_be_approved(project: TestProject, receiver: Receiver) -> None:
    project.sync("people_to_hook", gates={"deletes": {"max": 2, "on_fail": "block"}})
    report = first_then(project, 5)
    assert (report["status"], report["exit"]) == ("blocked", 3)
    assert project.run("approve", report["run"], "--comment", "why not").code == 2
    assert len(receiver.records) == 10


def test_deletes_over_a_limit_that_warns_are_sent(project: TestProject, receiver: Receiver) -> None:
    project.sync("people_to_hook", gates={"deletes": {"max": 2, "on_fail": "warn"}})
    assert first_then(project, 5)["status"] == "succeeded"
    assert len(receiver.records) == 5


def test_an_environment_that_requires_approval_holds_every_plan_that_sends_something(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.folder / "tidegate.yaml"
    content = yaml.safe_load(path.read_text())
    content["environments"]["development"]["require_approval"] = True
    project.write("tidegate.yaml", content)
    project.people(FULL)
    held = project.report()
    assert (held["status"], held["exit"], receiver.requests) == ("held", 4, 0)
    monkeypatch.setenv("TIDEGATE_ACTOR", "bo")
    assert project.run("approve", held["run"], "--comment", "go").code == 0
    assert project.report()["status"] == "succeeded"
    assert project.report()["status"] == "unchanged", "a plan that sends nothing needs nobody"


def test_an_environment_that_records_sends_nothing_and_plans_the_same_again(
    project: TestProject, receiver: Receiver
) -> None:
    path = project.folder / "tidegate.yaml"
    content = yaml.safe_load(path.read_text())
    content["environments"]["development"]["deliver"] = "record"
    project.write("tidegate.yaml", content)
    project.people(FULL)
    first, second = project.report(), project.report()
    assert receiver.requests == first["requests"] == 0
    assert first["plan"]["inserts"] == second["plan"]["inserts"] == 10
    assert first["plan"]["digest"] == second["plan"]["digest"]
    written = sorted((project.folder / ".tidegate/segments/syncs/people_to_hook/recorded").glob("*.parquet"))
    assert written
    assert pa.parquet.read_table(written[0]).num_rows == 10


def test_a_field_above_the_destinations_clearance_is_refused_before_anything_is_read(
    project: TestProject, receiver: Receiver
) -> None:
    path = project.folder / "contracts/people-v1.odcs.yaml"
    contract = yaml.safe_load(path.read_text())
    contract["schema"][0]["properties"][1]["classification"] = "confidential"
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.people(FULL)
    refused = project.run("run", "people_to_hook")
    assert refused.code in {2, 3}
    assert "clearance" in refused.err + refused.out
    assert receiver.requests == 0


@pytest.mark.slow
def test_a_record_that_is_rejected_again_and_again_is_quarantined_until_its_values_change(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync("people_to_hook", rejects={"max_attempts": 2, "stop_ratio": 0.9})
    project.people({1: ("bad", 1.0), 2: ("good", 2.0)})
    receiver.answer = lambda body: (
        (400, {}, b"no") if any(r["fields"]["name"] == "bad" for r in body["records"]) else None
    )
    assert project.report()["rejected"] == 1
    assert project.report()["rejected"] == 1
    third = project.report()
    assert (third["requests"], third["rejected"]) == (0, 0), "two attempts were enough"
    for report in (third, project.report()):
        assert (report["status"], "1 records that are set aside" in report["reason"]) == ("unchanged", True)
    (status,) = project.run("--json", "status").json
    assert status["owed"] == 1, "what was set aside is not forgotten"
    project.people({1: ("mended", 1.0), 2: ("good", 2.0)})
    assert project.report()["status"] == "succeeded"
    assert receiver.records["1"]["name"] == "mended"
