"""What old runs left goes as the sync's file says; what a destination may hold is found afterwards, and who asks is told."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.acceptance.test_erasure import forgotten, holding
from tests.acceptance.test_garbage import age, asleep, collected, stored
from tests.acceptance.test_looking_back import chapters, held_at, now
from tests.acceptance.test_quarantine import refusing
from tests.acceptance.test_resync import resynced, sent
from tests.acceptance.test_retention import done
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
NOT_KEPT = "is not kept any more"


@pytest.fixture(autouse=True)
def attic(project: TestProject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The checker replays every plan, also those that are not kept any more."""
    project.attic = tmp_path_factory.mktemp("attic")


def rule(project: TestProject, runs: int | None, **more: Any) -> None:
    project.sync(SYNC, **({"retain": {"runs": runs}} if runs else {}), **more)


def ran(project: TestProject, *numbers: int) -> None:
    """A run for each number: somebody of that number is there, whoever was there before is gone, and 1 has another score."""
    for number in numbers:
        project.people({1: ("Ada", float(number)), number: ("Somebody", float(number))})
        report = project.report()
        assert report["status"] == "succeeded", report


def kinds(project: TestProject) -> dict[str, int]:
    """How many files there are of each kind that belongs to the sync."""
    paths = [path.split("/")[2] for path in stored(project) if path.startswith(f"syncs/{SYNC}/")]
    return {kind: paths.count(kind) for kind in sorted(set(paths))}


def dropping(project: TestProject) -> list[dict[str, Any]]:
    return [e for e in done(project, "ledger", "tail", "--limit", "500") if e["type"] == "sync.plans_dropped"]


def test_what_old_runs_left_goes_and_leaves_its_digests(project: TestProject) -> None:
    rule(project, 2)

    ran(project, 2, 3, 4, 5, 6)

    found = kinds(project)
    assert (found["plans"], found["sent"]) == (2, 1)
    assert found["state"] <= 4
    assert len(dropping(project)) == 3
    age(project)
    assert collected(project)["folders"] == []
    assert project.run("ledger", "verify").code == 0
    listed = done(project, "runs", SYNC)
    assert [run["plan"]["deletes"] for run in listed] == [1, 1, 1, 1, 0]
    assert project.run("ledger", "rebuild").code == 0
    assert done(project, "runs", SYNC) == listed
    assert project.report()["status"] == "unchanged"


def test_without_a_rule_every_plan_and_every_state_is_kept(project: TestProject) -> None:
    ran(project, 2, 3, 4)

    assert (kinds(project)["plans"], dropping(project)) == (3, [])


def test_what_was_ever_delivered_is_still_found_and_removed(project: TestProject, receiver: Receiver) -> None:
    """2, 3 and 4 were removed long ago, a backup of the destination brings them back, and 9 is another tool's."""
    rule(project, 1)
    ran(project, 2, 3, 4, 5)
    receiver.records |= {key: {"name": "brought back"} for key in ("2", "3", "4", "9")}

    report = resynced(project)

    assert report["status"] == "succeeded"
    assert set(receiver.records) == {"1", "5", "9"}
    ran(project, 6, 7)
    receiver.records |= {"2": {"name": "again"}, "5": {"name": "brought back"}}
    resynced(project)
    assert set(receiver.records) == {"1", "7", "9"}


def test_what_was_sent_since_a_moment_is_told_from_dropped_plans_too(project: TestProject, receiver: Receiver) -> None:
    rule(project, 1)
    ran(project, 2)
    then = now()
    ran(project, 3, 4, 5)
    calls = len(receiver.journal)

    resynced(project, "--since", then)

    assert sent(receiver, calls) == {"1": "upsert", "2": "delete", "3": "delete", "4": "delete", "5": "upsert"}


def test_a_key_that_only_a_dropped_plan_had_can_be_named(project: TestProject, receiver: Receiver) -> None:
    rule(project, 1)
    ran(project, 2, 3, 4)
    receiver.records["2"] = {"name": "brought back"}
    (project.folder / "keys.txt").write_text("2\n", encoding="utf-8")

    resynced(project, "--keys", str(project.folder / "keys.txt"))

    assert set(receiver.records) == {"1", "4"}


def test_a_state_is_told_as_far_back_as_it_is_kept_and_refused_before(project: TestProject, tmp_path: Any) -> None:
    rule(project, 2)
    moments = list[str]()
    held = list[dict[str, Any]]()
    for number in (2, 3, 4, 5, 6):
        ran(project, number)
        moments.append(now())
        held.append(held_at(project, moments[-1], tmp_path))

    assert [held_at(project, moment, tmp_path / "..") for moment in moments[3:]] == held[3:]
    out = tmp_path / "old.parquet"
    refused = project.run("--json", "state", SYNC, "--at", moments[0], "--out", str(out))
    assert (refused.code, out.exists()) == (2, False)
    assert NOT_KEPT in refused.json["error"]["what"]
    assert "newest 2 runs" in refused.json["error"]["what"]
    assert NOT_KEPT in project.run("show", SYNC, "--key", "2", "--at", moments[0]).err


def test_the_story_of_a_record_says_from_when_on_it_is_told_and_when_it_was_sent_last(project: TestProject) -> None:
    rule(project, 1)
    ran(project, 2)
    before = now()
    ran(project, 3, 4)

    assert ("plan", "delete sent: gone; what was planned before is not kept any more") in chapters(project, "2")
    report = done(project, "show", SYNC, "--key", "1")
    assert before < report["kept_since"] < now()
    assert [one["kind"] for one in report["story"]].count("plan") == 2
    assert "plans are kept since" in project.run("show", SYNC, "--key", "1").out
    assert project.run("show", SYNC, "--key", "77").code == 2


def test_consent_is_proven_of_what_is_kept_and_explained_by_the_last_sending_of_what_is_not(
    project: TestProject,
) -> None:
    rule(project, 1, consent={"purpose": "email", "subject": "id"})
    for subject in ("1", "2", "3"):
        done(project, "consent", "grant", "--subject", subject, "--purpose", "email", "--receipt", f"form-{subject}")
    ran(project, 2, 3)
    first = done(project, "runs", SYNC)[-1]["run"]
    ran(project, 1)

    refused = project.run("--json", "consent", "report", SYNC, "--run", first)
    assert (refused.code, NOT_KEPT in refused.json["error"]["what"]) == (2, True)
    assert done(project, "consent", "report", SYNC)["unproven"] == 0
    told = done(project, "consent", "explain", "--subject", "2")["deliveries"]
    assert [(d["op"], d["outcome"], d["basis"][0]["receipt"]) for d in told] == [("delete", "sent", "form-2")]
    told = done(project, "consent", "explain", "--subject", "1")["deliveries"]
    assert [d["outcome"] for d in told] == ["sent", "delivered"]


def test_what_a_destination_said_of_a_record_stays_until_that_is_settled(
    project: TestProject, receiver: Receiver
) -> None:
    rule(project, 1, rejects={"max_attempts": 1, "stop_ratio": 1.0})
    refusing(receiver, "2")
    for score in (1.0, 3.0, 4.0, 5.0):
        project.people({1: ("Ada", score), 2: ("Bo", 2.0)})
        project.report()

    (said,) = done(project, "quarantine", "show", SYNC, "--key", "2")["rejections"]
    assert said["message"] == "the address is invalid"
    assert kinds(project)["plans"] == 2

    refusing(receiver)
    done(project, "quarantine", "release", SYNC)
    project.report()
    assert kinds(project)["plans"] == 1
    assert receiver.records["2"] == {"name": "Bo", "score": 2.0}


def test_plans_made_from_a_version_under_legal_hold_stay_until_it_is_released(project: TestProject) -> None:
    rule(project, 1)
    ran(project, 2)
    done(project, "dataset", "hold", "people@1", "--reason", "case 17")
    ran(project, 3, 4)
    assert kinds(project)["plans"] == 2
    assert "upsert planned: new" in [
        what.split(",")[0].replace("insert", "upsert") for _, what in chapters(project, "2")
    ]

    done(project, "dataset", "release", "people@1", "--reason", "closed")
    report = collected(project)

    assert [(one["sync"], one["runs"]) for one in report["sent"]] == [(SYNC, 1)]
    assert kinds(project)["plans"] == 1


def test_somebody_is_forgotten_of_whom_only_the_record_of_what_was_sent_knows(
    project: TestProject, receiver: Receiver
) -> None:
    canary = "canary-4711@example.org"
    people = {"connection": "lake", "table": "people.parquet"}
    dataset = {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": people, "subject": "name"}
    project.write("datasets/people.yaml", {**dataset, "retain": {"versions": 1}})
    rule(project, 1, match={"email": "name"}, fields={"score": "score"})
    project.people({1: ("Ada", 1.0), 2: (canary, 2.0)})
    project.report()
    for score in (2.0, 3.0, 4.0):
        project.people({1: ("Ada", score)})
        project.report()
    (left,) = holding(project, canary)
    assert any(path.endswith(f"/sent/{left}") for path in stored(project))

    report = forgotten(project, canary)

    assert report["status"] == "complete", report
    assert holding(project, canary) == []
    assert project.run("ledger", "verify").code == 0
    project.people({1: ("Ada", 9.0)})
    assert project.report()["status"] == "succeeded"
    assert resynced(project)["status"] == "succeeded"
    assert set(receiver.records) == {"Ada"}
    assert holding(project, canary) == []


def test_a_dry_run_drops_nothing_and_says_what_would_go(project: TestProject) -> None:
    ran(project, 2, 3, 4)
    rule(project, 1)
    before = stored(project)

    (report,) = collected(project, "--dry-run")["sent"]

    assert (report["sync"], report["runs"], stored(project)) == (SYNC, 2, before)
    assert (report["files"], report["bytes"] > 0) == (len(before) - len(_left(project)), True)


def _left(project: TestProject) -> set[str]:
    """What is there after a drop, but for what it wrote."""
    collected(project)
    return {path for path in stored(project) if "/sent/" not in path and not path.startswith("retention/")}


@pytest.mark.crash
@pytest.mark.parametrize("point", ["drop.before_commit", "drop.after_commit"])
def test_a_kill_while_plans_are_dropped_is_made_good(project: TestProject, receiver: Receiver, point: str) -> None:
    ran(project, 2, 3, 4)
    rule(project, 1)

    died = project.run_process("gc", env={VARIABLE: f"{point}=kill"})
    assert died.code == -signal.SIGKILL, died
    receiver.records["2"] = {"name": "brought back"}
    age(project)
    collected(project)
    collected(project, "--older-than", "0")

    assert (kinds(project)["plans"], kinds(project)["sent"]) == (1, 1)
    assert project.run("ledger", "verify").code == 0
    resynced(project)
    assert set(receiver.records) == {"1", "4"}


@pytest.mark.crash
def test_nothing_is_dropped_while_a_run_goes_on(project: TestProject) -> None:
    ran(project, 2, 3)
    rule(project, 1)
    project.people({1: ("Ada", 9.0)})
    with asleep(project, "plan.after_commit", "run", SYNC):
        (left,) = collected(project)["sent"]
        assert (left["runs"], SYNC in left["left"]) == (0, True)

    assert kinds(project)["plans"] == 1, "the run's end drops what is old"
    assert project.report()["status"] == "unchanged"


@pytest.mark.crash
def test_nothing_is_dropped_while_a_run_waits_to_be_resumed(project: TestProject) -> None:
    ran(project, 2, 3)
    project.people({1: ("Ada", 9.0)})
    died = project.run_process("run", SYNC, env={VARIABLE: "window.before_receipt=kill"})
    assert died.code == -signal.SIGKILL, died
    rule(project, 1)

    (left,) = collected(project)["sent"]

    assert (left["runs"], "was interrupted" in left["left"]) == (0, True)
    assert project.report()["status"] == "succeeded"
    assert kinds(project)["plans"] == 1


@pytest.mark.crash
def test_a_legal_hold_of_the_last_moment_keeps_its_plan(project: TestProject) -> None:
    ran(project, 2, 3)
    rule(project, 1)
    with asleep(project, "drop.before_commit", "gc"):
        done(project, "dataset", "hold", "people@1", "--reason", "case 17")

    assert kinds(project)["plans"] == 2
