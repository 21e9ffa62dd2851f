"""What looks back or takes away does so with the ledger in PostgreSQL as with one in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.acceptance.test_erasure import CANARY, SYNC, forgotten, holding, told
from tests.acceptance.test_garbage import age, collected
from tests.acceptance.test_retention import captured, kept, rule
from tests.projects import TestProject
from tests.receiver import Receiver

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver, postgres_database: str) -> TestProject:
    made = TestProject(tmp_path, receiver.url, ledger=postgres_database)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    assert made.run("db", "upgrade").code == 0
    return made


def verified(project: TestProject) -> bool:
    """Whether the ledger verifies, its read models are folded again, and it verifies again."""
    return [project.run("ledger", act).code for act in ("verify", "rebuild", "verify")] == [0, 0, 0]


def test_who_is_forgotten_is_removed_everywhere_and_stays_away(project: TestProject, receiver: Receiver) -> None:
    told(project)
    assert holding(project, CANARY)

    report = forgotten(project, "2")

    assert (report["status"], report["exit"], report["owed"]) == ("complete", 0, 0), report
    assert [dataset["rows_left"] for dataset in report["datasets"]] == [0]
    assert holding(project, CANARY) == []
    assert "2" not in receiver.records
    assert verified(project)
    assert [project.report(sync)["status"] for sync in (SYNC, "other")] == ["unchanged", "unchanged"]
    assert holding(project, CANARY) == []


def test_old_versions_go_but_for_what_is_held_and_files_without_a_name_go_with_them(project: TestProject) -> None:
    rule(project, versions=2)
    captured(project, 1)
    assert project.run("dataset", "hold", "people@1", "--reason", "case 17").code == 0
    captured(project, 2, 3, 4, 5)
    assert kept(project) == [1, 4, 5]

    assert project.run("dataset", "release", "people@1", "--reason", "closed").code == 0
    captured(project, 6)

    assert kept(project) == [5, 6]
    age(project)
    assert collected(project)["folders"] == []
    assert verified(project)


def test_a_destination_goes_back_stays_there_and_is_told_of_at_a_moment(
    project: TestProject, receiver: Receiver, tmp_path: Path
) -> None:
    assert project.report()["delivered"]["inserts"] == 3
    first, moment = dict(receiver.records), datetime.now(UTC).isoformat()
    project.people({1: ("ADA", 1.5), 4: ("Dee", 4.0)})
    project.report()

    (back,) = project.run("--json", "rollback", SYNC, "--to", "1", "--yes").json
    pinned = project.report()
    then = project.run("state", SYNC, "--at", moment, "--out", str(tmp_path / "then.parquet"))

    assert (back["status"], receiver.records) == ("succeeded", first)
    assert pinned["status"] == "unchanged"
    assert then.code == 0, then
    assert set(pq.read_table(tmp_path / "then.parquet")["id"].to_pylist()) == set(first)
    assert project.run("unpin", SYNC, "--yes").code == 0
    project.report()
    assert set(receiver.records) == {"1", "4"}


def test_a_paused_sync_sends_nothing_until_it_is_resumed(project: TestProject, receiver: Receiver) -> None:
    assert project.run("pause", SYNC, "--reason", "they migrate").code == 0
    assert project.report()["status"] == "paused"
    assert receiver.records == {}

    assert project.run("resume", SYNC).code == 0

    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"1", "2", "3"}


def test_a_destination_that_was_changed_behind_our_back_is_made_right(project: TestProject, receiver: Receiver) -> None:
    project.report()
    wanted = dict(receiver.records)
    del receiver.records["2"]
    receiver.records["1"] = {"name": "somebody else"}

    assert project.run("resync", SYNC, "--yes").code == 0

    assert receiver.records == wanted


def test_metrics_and_alerts_say_what_they_say_of_a_ledger_in_a_file(project: TestProject) -> None:
    project.report()
    project.run("pause", SYNC)
    project.run("resume", SYNC)
    project.people({})
    assert project.report()["status"] == "blocked"

    assert project.run("--json", "alerts", "check").json["opened"] == ["dataset.refused:people@1"]
    told = {(s["name"], *s["labels"].values()): s["value"] for s in project.run("--json", "metrics").json}

    assert told["tidegate_alerts_open", "ticket"] == 1
    assert told["tidegate_dataset_refused", "people@1"] == told["tidegate_sync_behind", SYNC] == 1
    assert told["tidegate_sync_delivered_version", SYNC] == told["tidegate_dataset_version", "people@1"] == 1
    assert told["tidegate_sync_paused", SYNC] == 0
    assert told["tidegate_sync_lag_seconds", SYNC] >= 0
    assert told["tidegate_ledger_bytes",] > 100_000
    assert verified(project)
