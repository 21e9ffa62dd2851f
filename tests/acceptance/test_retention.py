"""Old versions go as the dataset's file says; what anything needs stays, and who asks for what is gone is told."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.acceptance.test_erasure import holding
from tests.acceptance.test_garbage import age, asleep, collected, stored
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
FOLDER = "datasets/people@1/versions/"


def rule(project: TestProject, **retain: int) -> None:
    people = {"connection": "lake", "table": "people.parquet"}
    dataset = {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": people}
    project.write("datasets/people.yaml", {**dataset, **({"retain": retain} if retain else {})})


def source(project: TestProject, version: int) -> None:
    """What the source holds as a version: somebody new each time, and everybody with another score."""
    project.people({n: (f"Person {n}", float(version)) for n in range(1, version + 1)})


def captured(project: TestProject, *numbers: int) -> None:
    for number in numbers:
        source(project, number)
        ended = project.run("capture", "people")
        assert ended.code == 0, ended


def statuses(project: TestProject) -> dict[int, str]:
    return {v["version"]: v["status"] for v in project.run("--json", "versions", "people").json}


def kept(project: TestProject) -> list[int]:
    return [version for version, status in statuses(project).items() if status == "accepted"]


def done(project: TestProject, *arguments: str) -> Any:
    ended = project.run("--json", *arguments)
    assert ended.code == 0, ended
    return ended.json


def test_only_the_newest_versions_stay_and_the_others_leave_their_digests(project: TestProject) -> None:
    rule(project, versions=2)
    captured(project, 1, 2, 3, 4, 5)

    assert kept(project) == [4, 5]
    assert not any(FOLDER + f"0000000{n}" in path for path in stored(project) for n in (1, 2, 3))
    age(project)
    assert collected(project)["folders"] == []
    dropping = [e for e in done(project, "ledger", "tail") if e["type"] == "dataset.versions_dropped"]
    assert len(dropping) == 3
    assert project.run("ledger", "verify").code == 0
    assert done(project, "diff", "people", "4", "5")["inserts"] == 1


@pytest.mark.parametrize(
    "command",
    [
        ("diff", "people", "1", "5"),
        ("rollback", SYNC, "--to", "1"),
        ("rollback", SYNC, "--to", "1", "--yes"),
        ("dataset", "hold", "people@1", "--reason", "case 17"),
        ("dataset", "withdraw", "people@1", "--reason", "bad"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_who_asks_for_a_version_that_is_gone_is_told_so(project: TestProject, command: tuple[str, ...]) -> None:
    rule(project, versions=1)
    captured(project.given, 1, 2, 3)

    ended = project.run(*command)

    assert ended.code == 2, ended
    assert "is not kept any more" in ended.err
    assert "newest 1 versions" in ended.err


def test_without_a_rule_every_version_can_be_read_and_most_are_stored_as_changes(project: TestProject) -> None:
    big = {n: (f"Person {n} of a long name", float(n)) for n in range(1, 3_000)}
    for number in range(1, 5):
        project.people({**big, number: ("Another", None)})
        assert project.run("capture", "people").code == 0

    listed = done(project, "versions", "people")
    assert [v["snapshot_kept"] for v in listed] == [True, False, False, True]
    found = done(project, "diff", "people", "2", "3")
    assert (found["inserts"], found["updates"], found["deletes"]) == (0, 2, 0)


def test_what_a_sync_is_pinned_to_stays_and_so_does_what_it_delivered(project: TestProject, receiver: Receiver) -> None:
    rule(project, versions=1)
    source(project, 1)
    assert project.report()["status"] == "succeeded"
    done(project, "rollback", SYNC, "--to", "1", "--yes")

    captured(project, 2, 3, 4)

    assert kept(project) == [1, 4]
    assert project.report()["status"] == "unchanged"
    done(project, "unpin", SYNC, "--yes")
    report = project.report()
    assert report["status"] == "succeeded"
    assert report["plan"]["reason"] == "the changes since version 1 are not kept any more"
    assert receiver.records["3"]["score"] == 4
    captured(project, 5)
    assert kept(project) == [4, 5]


def test_rows_that_are_kept_at_a_version_keep_it(project: TestProject, receiver: Receiver) -> None:
    rule(project, versions=1)
    source(project, 2)
    assert project.report()["status"] == "succeeded"
    (project.folder / "keys.txt").write_text("2\n", encoding="utf-8")
    done(project, "rollback", SYNC, "--to", "1", "--only-keys", str(project.folder / "keys.txt"), "--yes")

    for number in (3, 4):
        source(project, number)
        assert project.report()["status"] == "succeeded"

    assert kept(project) == [1, 3]
    assert (receiver.records["1"]["score"], receiver.records["2"]["score"]) == (4, 2)


def test_a_legal_hold_keeps_a_version_until_it_is_released(project: TestProject) -> None:
    rule(project, versions=1)
    captured(project.given, 1)
    done(project, "dataset", "hold", "people@1", "--reason", "case 17")
    captured(project, 2, 3)

    assert kept(project) == [1, 3]
    assert done(project, "versions", "people")[0]["legal_hold"] == "case 17"
    assert project.run("dataset", "hold", "people@1", "--reason", "again").code == 2
    assert done(project, "diff", "people", "1", "3")["inserts"] == 2

    done(project, "dataset", "release", "people@1", "--reason", "closed")
    report = collected(project)
    assert kept(project) == [3]
    assert [(one["dataset"], one["versions"]) for one in report["dropped"]] == [("people@1", [1])]
    assert project.run("dataset", "release", "people@1", "--reason", "again").code == 2


def test_what_a_plan_waits_with_stays(project: TestProject, receiver: Receiver) -> None:
    rule(project, versions=1)
    project.sync(SYNC, gates={"inserts": {"max": 1, "on_fail": "review"}})
    source(project, 3)
    held = project.report()
    assert held["status"] == "held"
    captured(project, 4)

    assert kept(project) == [1, 2]
    del receiver


def test_a_dry_run_drops_nothing(project: TestProject) -> None:
    captured(project.given, 1, 2, 3)
    rule(project, versions=1)
    before = stored(project)

    report = collected(project, "--dry-run")

    assert [one["versions"] for one in report["dropped"]] == [[1, 2]]
    assert stored(project) == before
    assert kept(project) == [1, 2, 3]


@pytest.mark.crash
def test_nothing_is_dropped_while_a_run_has_not_said_what_it_reads(project: TestProject) -> None:
    captured(project.given, 1, 2)
    rule(project, versions=1)
    with asleep(project, "plan.before_commit", "run", SYNC):
        (left,) = collected(project)["dropped"]

    assert (left["versions"], SYNC in left["left"]) == ([], True)
    assert collected(project)["dropped"][0]["versions"] == [1]


@pytest.mark.crash
@pytest.mark.parametrize("point", ["retain.before_commit", "retain.after_commit"])
def test_a_kill_while_versions_are_dropped_is_made_good(project: TestProject, point: str) -> None:
    captured(project.given, 1, 2, 3)
    rule(project, versions=1)

    died = project.run_process("gc", env={VARIABLE: f"{point}=kill"})
    assert died.code == -signal.SIGKILL, died
    age(project)
    collected(project)

    assert kept(project) == [3]
    assert [path for path in stored(project) if path.startswith(FOLDER + "00000001")] == []
    assert project.run("ledger", "verify").code == 0
    assert project.report()["status"] == "succeeded"


@pytest.mark.crash
def test_a_version_that_is_pinned_at_the_last_moment_is_not_dropped(project: TestProject, receiver: Receiver) -> None:
    captured(project.given, 1, 2, 3)
    rule(project, versions=1)
    with asleep(project, "retain.before_commit", "gc"):
        done(project, "rollback", SYNC, "--to", "1", "--yes")

    assert kept(project) == [1, 3]
    assert len(receiver.records) == 1


def test_somebody_is_forgotten_in_every_version_that_is_left(project: TestProject) -> None:
    rule(project, versions=2)
    captured(project, 2, 3)
    done(project, "dataset", "hold", "people@1", "--reason", "case 17")
    captured(project, 4, 5)
    assert kept(project) == [1, 3, 4]

    ended = project.run("forget", "2", "--reason", "request 17")

    assert ended.code == 0, ended
    assert holding(project, "Person 2") == []
    found = done(project, "diff", "people", "1", "4")
    assert (found["inserts"], found["updates"], found["deletes"]) == (3, 1, 0)
    assert project.run("ledger", "verify").code == 0


def test_read_models_that_are_folded_again_say_the_same(project: TestProject) -> None:
    rule(project, versions=2)
    captured(project, 1, 2, 3, 4)
    before = done(project, "versions", "people")

    assert project.run("ledger", "rebuild").code == 0
    assert done(project, "versions", "people") == before
