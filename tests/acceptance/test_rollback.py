"""A destination is put back to an earlier version, stays there, and goes on when it is let."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import yaml

from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
FIRST: dict[int, tuple[str | None, float | None]] = {1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)}
SECOND: dict[int, tuple[str | None, float | None]] = {1: ("ADA", 1.5), 3: (None, None), 4: ("Dee", 4.0)}


@pytest.fixture
def moved(project: TestProject, receiver: Receiver) -> dict[str, dict[str, Any]]:
    """Version 1 and then version 2 were delivered; what the destination held of version 1."""
    project.people(FIRST)
    assert project.given.report()["status"] == "succeeded"
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people(SECOND)
    assert project.given.report()["version"] == 2
    assert receiver.records != held
    return held


def rolled_back(project: TestProject, *more: str) -> dict[str, Any]:
    outcome = project.run("--json", "rollback", SYNC, "--to", "1", "--yes", *more)
    (report,) = outcome.json
    return {**report, "exit": outcome.code}


@pytest.mark.slow
def test_a_preview_says_what_it_takes_and_changes_nothing(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    calls, before = len(receiver.journal), dict(receiver.records)

    report = project.run("--json", "rollback", SYNC, "--to", "1").json

    assert (report["delivered"], report["version"]) == (2, 1)
    assert (report["plan"]["inserts"], report["plan"]["updates"], report["plan"]["deletes"]) == (1, 2, 1)
    assert (report["calls"], report["stays"], report["blocked"]) == (2, 0, False)
    assert "receiver" in report["cannot_undo"]
    assert report["plan"]["comparison"] == "incremental"
    assert (len(receiver.journal), receiver.records) == (calls, before)
    (status,) = project.run("--json", "status").json
    assert status["pinned_version"] is None


@pytest.mark.slow
def test_after_a_rollback_the_destination_holds_the_older_version_in_every_field(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    report = rolled_back(project, "--reason", "names in capitals")

    assert (report["status"], report["version"], report["exit"]) == ("succeeded", 1, 0)
    assert report["delivered"] == {"inserts": 1, "updates": 2, "deletes": 1}
    assert receiver.records == moved


@pytest.mark.slow
def test_a_pinned_sync_stays_where_it_is_while_captures_go_on_until_it_is_let_go(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    rolled_back(project)
    project.people({**SECOND, 5: ("Eve", 5.0)})

    report = project.report()

    assert (report["status"], report["version"], receiver.records) == ("unchanged", 1, moved)
    assert [v["version"] for v in project.run("--json", "versions", "people").json] == [1, 2, 3]
    (status,) = project.run("--json", "status").json
    assert (status["pinned_version"], status["latest_version"], status["delivered_version"]) == (1, 3, 1)

    forward = project.run("--json", "unpin", SYNC).json
    assert (forward["version"], forward["plan"]["inserts"]) == (3, 2)
    assert project.report()["version"] == 1

    assert project.run("unpin", SYNC, "--yes").code == 0
    assert project.report()["version"] == 3
    assert set(receiver.records) == {"1", "3", "4", "5"}


@pytest.mark.slow
def test_a_rollback_needs_no_source(project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]) -> None:
    (project.folder / "data" / "people.parquet").write_bytes(b"broken")

    assert rolled_back(project)["status"] == "succeeded"
    assert receiver.records == moved


@pytest.mark.slow
def test_a_pinned_sync_delivers_what_it_owes_although_the_source_is_refused(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    receiver.answer = lambda _body: (200, {}, b'{"results": []}')
    assert rolled_back(project)["status"] == "partial"
    receiver.answer = lambda _body: None
    project.people({})

    assert project.report()["status"] == "succeeded"
    assert receiver.records == moved


@pytest.mark.slow
def test_a_rollback_of_a_rollback_is_where_it_began(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    latest = {key: dict(fields) for key, fields in receiver.records.items()}
    rolled_back(project)

    (report,) = project.run("--json", "rollback", SYNC, "--to", "2", "--yes").json

    assert (report["version"], receiver.records) == (2, latest)


@pytest.mark.slow
def test_consent_stands_above_a_rollback(project: TestProject, receiver: Receiver) -> None:
    """I16."""
    project.sync(SYNC, consent={"purpose": "email", "subject": "id"})
    decided = project.folder / "list.csv"
    decided.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 5)))
    project.given.run("consent", "import", str(decided))
    project.people(FIRST)
    project.given.report()
    project.people(SECOND)
    project.given.report()
    project.given.run("consent", "withdraw", "--subject", "2", "--purpose", "email")

    report = rolled_back(project)

    assert (report["status"], set(receiver.records)) == ("succeeded", {"1", "3"})


@pytest.mark.slow
def test_gates_and_approvals_count_for_a_rollback(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    project.sync(SYNC, gates={"deletes": {"max": 0}})
    before = dict(receiver.records)

    report = rolled_back(project)

    assert (report["status"], report["exit"], receiver.records) == ("held", 4, before)
    assert project.run("approve", report["run"]).code == 0
    assert project.report()["version"] == 1
    assert receiver.records == moved


@pytest.mark.slow
def test_a_sync_that_never_deletes_says_what_stays(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, mode="upsert")
    project.people(FIRST)
    project.given.report()
    project.people(SECOND)
    project.given.report()

    assert project.run("--json", "rollback", SYNC, "--to", "1").json["stays"] == 1
    rolled_back(project)
    assert set(receiver.records) == {"1", "2", "3", "4"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollback", SYNC, "--to", "9", "--yes"), "There is no version 9"),
        (("rollback", "nobody", "--to", "1"), "There is no sync"),
        (("unpin", SYNC, "--yes"), "is not pinned"),
        (("unpin", SYNC), "is not pinned"),
        (("dataset", "withdraw", "people", "--reason", "x"), "names no version"),
        (("dataset", "withdraw", "people@9", "--reason", "x"), "There is no version 9"),
        (("dataset", "withdraw", "people@1", "--reason", "x", "--yes"), "No good version"),
    ],
)
def test_what_cannot_be_undone_is_refused_and_changes_nothing(
    project: TestProject, moved: dict[str, dict[str, Any]], arguments: tuple[str, ...], said: str
) -> None:
    outcome = project.run(*arguments)

    assert (outcome.code, said in outcome.err) == (2, True)
    assert "Nothing was" in outcome.err
    (status,) = project.given.run("--json", "status").json
    assert status["pinned_version"] is None


@pytest.mark.slow
def test_a_version_without_a_mapped_column_is_refused(project: TestProject, receiver: Receiver) -> None:
    contract = (project.folder / "contracts/people-v1.odcs.yaml").read_text(encoding="utf-8")
    without = yaml.safe_load(contract)
    del without["schema"][0]["properties"][2]
    project.write("contracts/people-v1.odcs.yaml", without)
    project.sync(SYNC, fields={"name": "name"})
    project.data(pa.table({"id": [1], "name": ["Ada"]}))
    assert project.report()["status"] == "succeeded"
    (project.folder / "contracts/people-v1.odcs.yaml").write_text(contract, encoding="utf-8")
    project.sync(SYNC)
    project.people(FIRST)
    assert project.report()["version"] == 2
    held = dict(receiver.records)

    report = rolled_back(project)

    assert (report["status"], report["exit"], receiver.records) == ("blocked", 3, held)
    assert "has no score" in report["reason"]


@pytest.mark.slow
def test_a_withdrawn_version_leaves_every_destination_and_is_never_planned_again(
    project: TestProject, receiver: Receiver, moved: dict[str, dict[str, Any]]
) -> None:
    latest = {key: dict(fields) for key, fields in receiver.records.items()}
    (shown,) = project.run("--json", "dataset", "withdraw", "people@2", "--reason", "bad join").json["syncs"]
    assert (shown["version"], shown["plan"]["inserts"]) == (1, 1)
    assert receiver.records == latest

    (report,) = project.run("--json", "dataset", "withdraw", "people@2", "--reason", "bad join", "--yes").json

    assert (report["version"], receiver.records) == (1, moved)
    assert project.report()["status"] == "unchanged"
    assert [v["withdrawn"] for v in project.run("--json", "versions", "people").json] == [None, "bad join"]
    assert project.run("rollback", SYNC, "--to", "2", "--yes").code == 2

    project.people({**SECOND, 6: ("Flo", 6.0)})
    assert project.report()["version"] == 3
    assert set(receiver.records) == {"1", "3", "4", "6"}


@pytest.mark.slow
def test_nothing_more_of_a_withdrawn_version_leaves_a_run_that_was_cut_off(
    project: TestProject, receiver: Receiver
) -> None:
    """The window that was open is unknown, and the next plan settles it."""
    many = {n: (f"Person {n}", float(n)) for n in range(1, 61)}
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.people(many)
    project.report()
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people({n: (f"Bad {n}", float(n)) for n in range(1, 61)})
    dead = project.run_process("run", SYNC, env={"TIDEGATE_TEST_FAILPOINTS": "window.before_receipt=kill@3"})
    assert dead.code != 0
    bad = {r["id"] for one in receiver.journal for r in one.records if r.get("fields", {}).get("name", "")[:3] == "Bad"}
    sent = len(receiver.journal)

    (report,) = project.run("--json", "dataset", "withdraw", "people@2", "--reason", "bad", "--yes").json

    again = [r for one in receiver.journal[sent:] for r in one.records]
    assert bad
    assert not [r for r in again if r["fields"]["name"].startswith("Bad")]
    assert (report["status"], receiver.records) == ("succeeded", held)
    runs = project.run("--json", "runs", SYNC).json
    assert (runs[1]["status"], "withdrawn" in runs[1]["reason"]) == ("cancelled", True)


@pytest.mark.slow
def test_a_rollback_that_dies_is_finished_by_the_next_run(project: TestProject, receiver: Receiver) -> None:
    many = {n: (f"Person {n}", float(n)) for n in range(1, 21)}
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.people(many)
    project.report()
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people({n: (f"Bad {n}", float(n)) for n in range(5, 25)})
    project.report()

    for point in ("plan.after_commit=kill", "window.after_intent=kill@2", "fold.before_commit=kill"):
        project.run_process("rollback", SYNC, "--to", "1", "--yes", env={"TIDEGATE_TEST_FAILPOINTS": point})
    assert project.report()["status"] in {"succeeded", "unchanged"}

    assert receiver.records == held
    assert receiver.duplicate_effects == 0
