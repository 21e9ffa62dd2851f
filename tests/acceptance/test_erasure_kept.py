"""Forgetting reaches what is no accepted version, and says what it cannot do."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from destinations.base import Op
from destinations.webhook import Webhook
from tests.acceptance.test_erasure import CANARY, SYNC, forgotten, holding
from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver


def ruled(project: TestProject, action: str) -> None:
    """A row without a score is set aside (``quarantine``), or its whole version waits for a person (``review``)."""
    contract = copy.deepcopy(CONTRACT)
    asked = {"property": f"tidegate.{action}", "value": True}
    rule: dict[str, Any] = {
        "metric": "nullValues",
        "mustBe": 0,
        "name": "scores are known",
        "customProperties": [asked],
    }
    contract["schema"][0]["properties"][2]["quality"] = [rule]
    if action == "quarantine":
        contract["schema"][0]["customProperties"] = [{"property": "tidegate.quarantineMaxRatio", "value": 0.5}]
    project.write("contracts/people-v1.odcs.yaml", contract)


def set_aside(project: TestProject) -> set[str]:
    """The keys in every quarantine segment that is kept."""
    folder = project.folder / ".tidegate/segments/datasets/people@1/versions"
    return {row["pk"] for path in folder.glob("*-quarantine-*.parquet") for row in pq.read_table(path).to_pylist()}


def test_a_destination_that_cannot_delete_is_named_and_stays_owed_and_nothing_more_is_sent(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.sync(SYNC, mode="upsert")
    project.people({1: ("Ada", 1.5), 2: (CANARY, 0.5)})
    project.report()
    sends_only = frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT})
    monkeypatch.setattr(Webhook, "spec", replace(Webhook.spec, operations=sends_only))
    before = len(receiver.journal)

    report = forgotten(project, "2")
    project.people({1: ("Ada", 2.5), 2: (CANARY, 2.5)})
    later = project.report()

    assert (report["status"], report["exit"], report["owed"]) == ("open", 5, 1)
    assert "cannot delete: do it there by hand" in report["syncs"][0]["why"]
    assert later["status"] in {"succeeded", "partial"}, later
    assert [record["id"] for one in receiver.journal[before:] for record in one.records] == ["1"]
    assert project.run("--json", "erasures", "list").json[0]["owed"] == 1
    assert holding(project, CANARY) == []


def test_rows_that_were_set_aside_are_taken_out_too(project: TestProject) -> None:
    ruled(project, "quarantine")
    project.people({1: ("Ada", 1.5), 2: (CANARY, None), 3: ("Cy", None), 4: ("Di", 1.0), 5: ("Ed", 1.0)})
    project.report()
    assert set_aside(project) == {"2", "3"}

    report = forgotten(project, "2")

    assert report["status"] == "complete", report
    assert set_aside(project) == {"3"}
    assert holding(project, CANARY) == []
    assert project.report()["status"] == "unchanged"


def test_what_is_kept_of_a_refused_candidate_is_kept_without_them(project: TestProject) -> None:
    contract = copy.deepcopy(CONTRACT)
    contract["schema"][0]["properties"][2]["quality"] = [{"metric": "nullValues", "mustBe": 0, "severity": "error"}]
    project.write("contracts/people-v1.odcs.yaml", contract)
    dataset = yaml.safe_load((project.folder / "datasets/people.yaml").read_text())
    project.write("datasets/people.yaml", {**dataset, "subject": "name"})
    project.people({1: ("Ada", 1.5), 2: (CANARY, None), 3: ("Cy", None)})
    assert project.report()["status"] == "blocked"
    folder = project.folder / ".tidegate/segments/datasets/people@1/versions"

    def kept() -> list[int]:
        (path,) = folder.glob("*-failing-*.parquet")
        return [row["id"] for row in pq.read_table(path).to_pylist()]

    assert kept() == [2, 3]

    report = forgotten(project, CANARY)

    assert report["status"] == "complete", report
    assert kept() == [3]
    assert holding(project, CANARY) == []
    (rule,) = [g for g in project.run("--json", "gates", "people", "--samples", "5").json["gates"] if g["failing"]]
    assert [row["key"]["id"] for row in rule["failing"]] == ["3"]
    assert project.run("ledger", "verify").code == 0


def test_a_first_version_that_waits_holds_them_no_more(project: TestProject) -> None:
    ruled(project, "review")
    project.people({1: ("Ada", 1.5), 2: (CANARY, None)})
    assert project.report()["status"] == "held"

    report = forgotten(project, "2")

    assert report["status"] == "complete", report
    assert holding(project, CANARY) == []


def test_a_version_that_waits_is_accepted_without_who_was_forgotten_meanwhile(
    project: TestProject, receiver: Receiver
) -> None:
    ruled(project, "review")
    project.people({1: ("Ada", 1.5)})
    project.report()
    project.people({1: ("Ada", 1.5), 2: (CANARY, 0.5), 3: ("Cy", None)})
    held = project.report()
    assert held["status"] == "held", held
    assert holding(project, CANARY)

    report = forgotten(project, "2")
    kept = holding(project, CANARY)
    decided = project.run("approve", held["run"])
    project.report()

    assert report["status"] == "complete", report
    assert kept == []
    assert decided.code == 0, decided
    assert set(receiver.records) == {"1", "3"}


def test_a_quarantine_that_still_names_somebody_is_found_by_the_proof(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewriting forgets what is set aside; the proof does not believe it."""
    ruled(project, "quarantine")
    project.people({1: ("Ada", 1.5), 2: (CANARY, None), 4: ("Di", 1.0), 5: ("Ed", 1.0)})
    project.report()
    mine = "engine.steps.erase_versions._mine"
    monkeypatch.setattr(
        mine, lambda kept, people, rows: people.about(rows, [c for c in kept.columns if c in rows.columns])
    )

    report = forgotten(project, "2")

    assert set_aside(project) == {"2"}
    assert (report["status"], report["datasets"][0]["rows_left"]) == ("open", 1), report


@pytest.mark.slow
def test_a_version_that_was_withdrawn_meanwhile_keeps_nobody_at_the_destination(
    project: TestProject, receiver: Receiver
) -> None:
    """The way back to the version before waits for an approval, and the removal does not."""
    project.people({1: ("Ada", 1.5), 2: (CANARY, 1.0)})
    project.report()
    project.people({1: ("Ada", 2.5), 2: (CANARY, 1.0)})
    project.report()
    settings = yaml.safe_load((project.folder / "tidegate.yaml").read_text(encoding="utf-8"))
    settings["environments"]["development"]["require_approval"] = True
    project.write("tidegate.yaml", settings)
    assert project.run("dataset", "withdraw", "people@2", "--reason", "bad", "--yes").code == 4

    assert forgotten(project, "2")["status"] == "complete"
    assert receiver.records == {"1": {"name": "Ada", "score": 2.5}}
