"""`tidegate metrics`: what the ledger says in the text format of Prometheus (I24, G15)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.projects import TestProject
from tests.receiver import Receiver


def metrics(project: TestProject) -> dict[str, float]:
    """What `tidegate metrics` prints: by name and the values of labels, in the order of the labels' names."""
    outcome = project.run("metrics")
    assert outcome.code == 0, outcome
    families = text_string_to_metric_families(outcome.out)
    return {named(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def named(name: str, labels: dict[str, str]) -> str:
    return " ".join([name.removeprefix("tidegate_"), *(labels[label] or "-" for label in sorted(labels))])


def ledger(project: TestProject) -> list[str]:
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database:
        return list(database.iterdump())


def refusing(receiver: Receiver, id: str) -> None:
    """Let the destination refuse every call with this record in it."""

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes] | None:
        return (422, {}, b"") if any(record["id"] == id for record in body["records"]) else None

    receiver.answer = answer


def test_metrics_agree_with_the_reports_of_runs_and_looking_changes_nothing(
    project: TestProject, receiver: Receiver
) -> None:
    first = project.report()
    project.people({1: ("Ada L.", 1.5), 2: ("Bo", None), 4: ("Di", 2.0)})
    second = project.report()
    project.report()
    before = ledger(project)

    found = metrics(project)

    assert ledger(project) == before
    sync, dataset = "people_to_hook", "people@1"
    for operation in ("insert", "update", "delete"):
        total = first["delivered"][f"{operation}s"] + second["delivered"][f"{operation}s"]
        assert found[f"records_delivered_total {operation} {sync}"] == total > 0
    assert found[f"runs_total succeeded {sync}"] == 2
    assert found[f"runs_total unchanged {sync}"] == 1
    assert found[f"requests_total {sync}"] == first["requests"] + second["requests"]
    assert found[f"sent_bytes_total {sync}"] == first["bytes_sent"] + second["bytes_sent"]
    assert found[f"captures_total {dataset} accepted"] == 2
    assert found[f"dataset_version {dataset}"] == 2
    assert found[f"dataset_rows {dataset}"] == 3
    assert found[f"sync_delivered_version {sync}"] == 2
    assert found[f"sync_info {dataset} hook {sync}"] == 1
    assert (found[f"sync_behind {sync}"], found[f"dataset_refused {dataset}"]) == (0, 0)
    assert found[f"sync_level_timestamp_seconds {sync}"] <= found[f"sync_ended_timestamp_seconds {sync}"]
    assert 0 <= found[f"sync_lag_seconds {sync}"] < 60
    assert project.run("ledger", "verify").code == 0


def test_json_says_the_same_as_the_text(project: TestProject) -> None:
    project.given.run("run", "people_to_hook")

    told = project.run("--json", "metrics").json

    as_text = {name: value for name, value in metrics(project).items() if "ledger" not in name}
    assert {named(s["name"], s["labels"]): s["value"] for s in told if "ledger" not in s["name"]} == as_text


def test_a_project_that_never_ran_has_metrics_too(project: TestProject) -> None:
    found = metrics(project)

    assert found["sync_behind people_to_hook"] == 0
    assert "sync_level_timestamp_seconds people_to_hook" not in found
    assert found["ledger_events"] == 0


def test_what_a_destination_rejects_is_counted_by_code_and_leaves_the_sync_level(
    project: TestProject, receiver: Receiver
) -> None:
    refusing(receiver, "2")
    project.report()

    found = metrics(project)

    assert found["records_undelivered_total rejected people_to_hook"] == 1
    assert found["record_codes_total http_422 people_to_hook"] == 1
    assert found["sync_owed_records people_to_hook"] == 1
    assert found["sync_behind people_to_hook"] == 0


def test_a_refused_version_and_what_a_person_decided_show(project: TestProject, receiver: Receiver) -> None:
    project.report()
    level = metrics(project)["sync_level_timestamp_seconds people_to_hook"]
    project.people({})
    assert project.report()["status"] == "blocked"
    project.run("pause", "people_to_hook")

    found = metrics(project)

    assert found["dataset_refused people@1"] == 1
    assert found["check_findings_total volume.rows people@1 - block"] == 1
    assert found["sync_behind people_to_hook"] == 1
    assert found["sync_level_timestamp_seconds people_to_hook"] == level
    assert found["sync_paused people_to_hook"] == 1


def test_an_erasure_that_a_destination_owes_is_counted(project: TestProject, receiver: Receiver) -> None:
    project.report()
    receiver.answer = lambda _body: (400, {}, b"no")
    project.run("forget", "1", "--reason", "asked")

    found = metrics(project)

    assert found["erasures open"] == 1
    assert found["erasures overdue"] == 0
