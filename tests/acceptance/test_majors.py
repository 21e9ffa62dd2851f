"""Two majors of one dataset live side by side: each has its own file, contract, versions and decisions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def two_majors(project: TestProject) -> Iterator[None]:
    """Beside `people@1`, a major in which `score` is called `points`; a sync reads it under its new name."""
    contract = {**copy.deepcopy(CONTRACT), "version": "2.0.0"}
    contract["schema"][0]["properties"][2]["name"] = "points"
    project.write("contracts/people-v2.odcs.yaml", contract)
    source = {"connection": "lake", "table": "people2.parquet"}
    project.write(
        "datasets/people-v2.yaml",
        {"name": "people", "contract": "contracts/people-v2.odcs.yaml", "source": source},
    )
    newer(project, {1: ("Ada", 1.5), 2: ("Bo", 9.0)})
    with receiving() as others:
        project.destination("others", others.url)
        mapping = {"fields": {"name": "name", "score": "points"}, "destination": "others"}
        project.sync("people_to_others", dataset="people@2", **mapping)
        yield


def newer(project: TestProject, rows: dict[int, tuple[str, float]]) -> None:
    ids, names, points = list(rows), [n for n, _ in rows.values()], [p for _, p in rows.values()]
    project.data(pa.table({"id": ids, "name": names, "points": points}), "people2.parquet")


def moved(project: TestProject) -> None:
    """The sync of the first major reads the second from now on."""
    project.sync("people_to_hook", dataset="people@2", fields={"name": "name", "score": "points"})


def numbers(project: TestProject, dataset: str) -> list[tuple[str, int, str]]:
    listed = project.run("--json", "versions", dataset).json
    return [(version["dataset"], version["version"], version["contract"]) for version in listed]


def test_each_major_has_its_own_versions(project: TestProject) -> None:
    project.run("capture", "people@1")
    project.people({1: ("Ada", 2.5)})
    project.run("capture", "people@1")
    assert numbers(project, "people@2") == []
    project.run("capture", "people@2")

    assert numbers(project, "people@1") == [("people@1", 1, "1.0.0"), ("people@1", 2, "1.0.0")]
    assert numbers(project, "people@2") == numbers(project, "people") == [("people@2", 1, "2.0.0")]
    assert project.run("versions", "people").out.startswith("people@2")
    assert project.run("--json", "diff", "people@1", "1", "2").json["dataset"] == "people@1"
    assert project.run("diff", "people@2", "1", "2").code != 0


def test_a_contract_that_breaks_stops_its_own_major_only(project: TestProject) -> None:
    project.run("run", "--all")
    contract = copy.deepcopy(CONTRACT)
    contract["schema"][0]["properties"][1]["logicalType"] = "integer"
    project.write("contracts/people-v1.odcs.yaml", contract)
    newer(project, {1: ("Ada", 1.5), 2: ("Bo", 9.5)})

    reports = {report["sync"]: report["status"] for report in project.run("--json", "run", "--all").json}

    assert reports == {"people_to_hook": "blocked", "people_to_others": "succeeded"}
    assert project.run("capture", "people@1").code == 2
    assert project.run("capture", "people@2").code == 0


def test_a_version_is_withdrawn_from_the_major_that_is_named_and_no_guess_is_made(project: TestProject) -> None:
    for dataset in ("people@1", "people@2"):
        project.run("capture", dataset)
    project.people({1: ("Ada", 2.5)})
    newer(project, {1: ("Ada", 2.5)})
    for dataset in ("people@1", "people@2"):
        project.run("capture", dataset)

    refused = project.run("dataset", "withdraw", "people@2", "--reason", "bad", "--yes")
    assert refused.code == 2
    assert "`people@1@2` or `people@2@2`" in " ".join(refused.err.split())

    assert project.run("dataset", "withdraw", "people@1@2", "--reason", "bad", "--yes").code in {0, 1, 3}
    bad = {
        dataset: [version["withdrawn"] for version in project.run("--json", "versions", dataset).json]
        for dataset in ("people@1", "people@2")
    }
    assert bad == {"people@1": [None, "bad"], "people@2": [None, None]}


def test_a_sync_that_moves_to_the_next_major_sends_what_differs(project: TestProject, receiver: Receiver) -> None:
    project.report()
    assert set(receiver.records) == {"1", "2", "3"}
    moved(project)
    status = project.run("--json", "status", "people_to_hook").json
    assert (status[0]["dataset"], status[0]["delivered_version"], status[0]["delivered_from"]) == (
        "people@2",
        1,
        "people@1",
    )
    assert "people@1" in project.run("status", "people_to_hook").out

    report = project.report()

    assert report["delivered"] == {"inserts": 0, "updates": 1, "deletes": 1}
    assert report["plan"]["comparison"] == "full"
    assert {key: record["score"] for key, record in receiver.records.items()} == {"1": 1.5, "2": 9.0}
    assert project.run("--json", "status", "people_to_hook").json[0]["delivered_from"] == ""


def test_a_pin_to_a_version_of_one_major_is_no_pin_to_that_number_of_another(
    project: TestProject, receiver: Receiver
) -> None:
    project.report()
    project.people({1: ("Ada", 2.5)})
    project.report()
    project.run("rollback", "people_to_hook", "--to", "1", "--yes")
    before = dict(receiver.records)
    moved(project)

    report = project.report()

    assert (report["status"], report["exit"]) == ("blocked", 3)
    assert "pinned to version 1 of people@1" in report["reason"]
    assert receiver.records == before
    assert project.run("unpin", "people_to_hook", "--yes").code == 0
    assert project.report()["status"] == "succeeded"
    assert set(receiver.records) == {"1", "2"}


def test_rows_that_are_kept_at_a_version_of_one_major_are_not_taken_from_another(
    project: TestProject, receiver: Receiver, tmp_path: Any
) -> None:
    project.report()
    project.people({1: ("Ada", 2.5), 2: ("Bo", None), 3: (None, 0.1)})
    project.report()
    keys = tmp_path / "keys.txt"
    keys.write_text("1\n")
    assert project.run("rollback", "people_to_hook", "--to", "1", "--only-keys", str(keys), "--yes").code == 0
    moved(project)

    report = project.report()

    assert report["status"] == "blocked"
    assert "kept at a version of people@1" in report["reason"]


def test_nothing_more_of_a_plan_leaves_once_its_sync_moved_to_another_major(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    project.people(dict.fromkeys(range(1, 31), ("Old", 0.0)))
    dead = project.run_process(
        "run", "people_to_hook", env={"TIDEGATE_TEST_FAILPOINTS": "window.before_receipt=kill@2"}
    )
    assert dead.code != 0
    sent = len(receiver.journal)
    moved(project)

    assert project.report()["status"] == "succeeded"

    later = [record for one in receiver.journal[sent:] for record in one.records]
    assert not [record for record in later if record.get("fields", {}).get("name") == "Old"]
    assert {key: fields["name"] for key, fields in receiver.records.items()} == {"1": "Ada", "2": "Bo"}
    first = project.run("--json", "runs", "people_to_hook").json[-1]
    assert (first["status"], "reads people@2 now" in first["reason"]) == ("cancelled", True)
