"""A range of versions is sent again in its newest state, or brought to a destination step by step."""

from __future__ import annotations

from typing import Any

import pytest

from engine import failpoints
from tests.acceptance.test_rollback import SYNC
from tests.projects import TestProject
from tests.receiver import Receiver

pytestmark = pytest.mark.slow
Rows = dict[int, tuple[str | None, float | None]]
VERSIONS: list[Rows] = [
    {1: ("Ada", 1.0), 2: ("Bo", 1.0), 9: ("Zoe", 1.0)},
    {1: ("Ada", 2.0), 2: ("Bo", 1.0), 9: ("Zoe", 1.0)},
    {1: ("Ada", 3.0), 2: ("Bo", 3.0), 9: ("Zoe", 1.0)},
    {1: ("Ada", 3.0), 4: ("Dee", 4.0), 9: ("Zoe", 1.0)},
]


def held(rows: Rows) -> dict[str, dict[str, Any]]:
    return {str(n): {"name": name, "score": score} for n, (name, score) in rows.items()}


@pytest.fixture
def captured(project: TestProject) -> None:
    for rows in VERSIONS:
        project.people(rows)
        assert project.given.run("capture", "people").code == 0


@pytest.fixture
def delivered(project: TestProject) -> None:
    for rows in VERSIONS:
        project.people(rows)
        assert project.given.report()["status"] == "succeeded"


def backfilled(project: TestProject, *more: str, sync: str = SYNC) -> list[dict[str, Any]]:
    outcome = project.run("--json", "backfill", sync, "--yes", *more)
    assert isinstance(outcome.json, list), outcome
    return [{**report, "exit": outcome.code} for report in outcome.json]


def states(receiver: Receiver) -> list[dict[str, Any]]:
    """What the destination held after each request, as far as it changed."""
    records: dict[str, Any] = {}
    seen = []
    for entry in receiver.journal:
        for record in entry.records:
            if record["op"] == "delete":
                records.pop(record["id"], None)
            else:
                records[record["id"]] = record["fields"]
        seen.append(dict(records))
    return seen


@pytest.mark.usefixtures("captured")
def test_a_new_sync_is_brought_through_every_version_and_then_follows_the_newest(
    project: TestProject, receiver: Receiver
) -> None:
    shown = project.run("--json", "backfill", SYNC, "--from", "1", "--every-step").json
    assert [step["version"] for step in shown["steps"]] == [1, 2, 3, 4]
    assert [step["inserts"] for step in shown["steps"]] == [3, 0, 0, 1]
    assert (shown["first"]["plan"]["inserts"], receiver.journal) == (3, [])

    reports = backfilled(project, "--from", "1", "--every-step")

    assert [(report["version"], report["status"]) for report in reports] == [(n, "succeeded") for n in (1, 2, 3, 4)]
    reached = states(receiver)
    assert all(held(rows) in reached for rows in VERSIONS)
    assert reached[-1] == held(VERSIONS[-1])
    (status,) = project.run("--json", "status").json
    assert (status["pinned_version"], status["delivered_version"]) == (None, 4)
    assert project.report()["status"] == "unchanged"


@pytest.mark.usefixtures("delivered")
def test_a_sync_that_is_further_is_put_back_first_and_a_part_may_be_taken(
    project: TestProject, receiver: Receiver
) -> None:
    before = len(receiver.journal)

    reports = backfilled(project, "--from", "2", "--to", "3", "--every-step")

    assert [report["version"] for report in reports] == [2, 3]
    assert receiver.records == held(VERSIONS[2])
    assert held(VERSIONS[1]) in states(receiver)[before:]
    assert project.report()["version"] == 4
    assert receiver.records == held(VERSIONS[3])


@pytest.mark.usefixtures("captured")
def test_a_step_that_a_gate_holds_is_waited_for_and_the_same_command_goes_on_from_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync(SYNC, gates={"updates": {"max": 1, "on_fail": "review"}})

    reports = backfilled(project, "--from", "1", "--every-step")
    assert [(report["version"], report["status"]) for report in reports] == [
        (1, "succeeded"),
        (2, "succeeded"),
        (3, "held"),
    ]
    assert (reports[-1]["exit"], receiver.records) == (4, held(VERSIONS[1]))
    assert project.report()["status"] == "held", "a schedule goes no further either"

    assert project.run("approve", reports[-1]["run"]).code == 0
    rest = backfilled(project, "--from", "1", "--every-step")
    assert [(report["version"], report["status"]) for report in rest] == [(3, "succeeded"), (4, "succeeded")]
    assert receiver.records == held(VERSIONS[3])


@pytest.mark.usefixtures("captured")
@pytest.mark.parametrize(
    "point", ["plan.after_commit", "window.after_intent", "fold.before_commit", "fold.after_commit"]
)
@pytest.mark.parametrize("hit", [1, 2])
def test_a_backfill_that_dies_goes_on_with_the_step_that_it_was_in(
    project: TestProject, receiver: Receiver, point: str, hit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(failpoints._points.armed, point, failpoints._Armed("raise", "", hit))
        assert project.run("backfill", SYNC, "--from", "1", "--every-step", "--yes").code == 1

    reports = backfilled(project, "--from", "1", "--every-step")

    assert reports[0]["version"] == hit
    reached = states(receiver)
    places = [reached.index(held(rows)) for rows in VERSIONS]
    assert places == sorted(places), "no step is left out, and none is taken twice"
    assert receiver.records == held(VERSIONS[3])


@pytest.mark.usefixtures("delivered")
def test_what_a_range_changed_is_sent_again_as_it_is_wanted_now(project: TestProject, receiver: Receiver) -> None:
    receiver.records["1"] = {"name": "lost", "score": None}
    receiver.records["2"] = {"name": "came back", "score": None}
    receiver.records["9"] = {"name": "not of the range", "score": None}
    before = len(receiver.journal)
    shown = project.run("--json", "backfill", SYNC, "--from", "2", "--to", "4").json
    assert (shown["scope"], shown["again"], shown["orphans"], shown["version"]) == ("versions", 3, 1, 4)

    (report,) = backfilled(project, "--from", "2")

    assert report["status"] == "succeeded"
    sent = {record["id"] for entry in receiver.journal[before:] for record in entry.records}
    assert sent == {"1", "2", "4"}
    assert receiver.records == held(VERSIONS[3]) | {"9": {"name": "not of the range", "score": None}}
    project.run("resync", SYNC, "--yes")


@pytest.mark.usefixtures("delivered")
def test_with_the_first_version_every_row_of_it_came(project: TestProject, receiver: Receiver) -> None:
    receiver.records.clear()

    (report,) = backfilled(project, "--from", "1", "--to", "1")

    assert (report["status"], set(receiver.records)) == ("succeeded", {"1", "9"})
    project.run("resync", SYNC, "--yes")


@pytest.mark.usefixtures("captured")
def test_a_new_sync_gets_the_newest_state(project: TestProject, receiver: Receiver) -> None:
    (report,) = backfilled(project, "--from", "2", "--to", "3")

    assert (report["version"], receiver.records) == (4, held(VERSIONS[3]))


@pytest.mark.usefixtures("captured")
def test_a_version_that_was_withdrawn_is_no_step(project: TestProject, receiver: Receiver) -> None:
    assert project.run("dataset", "withdraw", "people@3", "--reason", "bad", "--yes").code == 0

    reports = backfilled(project, "--from", "1", "--every-step")

    assert [report["version"] for report in reports] == [1, 2, 4]
    assert held(VERSIONS[2]) not in states(receiver)


@pytest.mark.usefixtures("captured")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "3", "--to", "2", "--every-step"), "newer than"),
        (("--from", "1", "--to", "9", "--every-step"), "There is no version 9"),
        (("--from", "9"), "There is no version 9"),
    ],
)
def test_a_range_that_is_none_is_refused(project: TestProject, arguments: tuple[str, ...], said: str) -> None:
    for more in ((), ("--yes",)):
        outcome = project.run("backfill", SYNC, *arguments, *more)
        assert (outcome.code, said in outcome.err) == (2, True)


@pytest.mark.usefixtures("delivered")
def test_a_sync_that_is_pinned_or_paused_is_not_backfilled(project: TestProject, receiver: Receiver) -> None:
    project.run("rollback", SYNC, "--to", "2", "--yes")
    outcome = project.run("backfill", SYNC, "--from", "1", "--every-step", "--yes")
    assert (outcome.code, f"tidegate unpin {SYNC}" in outcome.err) == (2, True)
    project.run("unpin", SYNC, "--yes")
    project.run("pause", SYNC)

    for more in ((), ("--every-step",)):
        outcome = project.run("backfill", SYNC, "--from", "1", "--yes", *more)
        assert (outcome.code, f"tidegate resume {SYNC}" in outcome.err) == (2, True)
    assert receiver.records == held(VERSIONS[1])
