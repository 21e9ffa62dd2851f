"""Some records are put back to an earlier version and kept there, while all others follow the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_rollback import FIRST, SECOND, SYNC
from tests.projects import TestProject
from tests.receiver import Receiver


@pytest.fixture
def moved(project: TestProject, receiver: Receiver) -> dict[str, dict[str, Any]]:
    """Version 1 and then version 2 were delivered; what the destination held of version 1."""
    project.people(FIRST)
    project.given.report()
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people(SECOND)
    assert project.given.report()["version"] == 2
    return held


def listed(project: TestProject, *keys: str) -> Path:
    file = project.folder / "keys.txt"
    file.write_text("\n".join(keys), encoding="utf-8")
    return file


def put_back(project: TestProject, *keys: str, to: int = 1) -> dict[str, Any]:
    arguments = ("rollback", SYNC, "--to", str(to), "--only-keys", str(listed(project, *keys)), "--yes")
    outcome = project.run("--json", *arguments)
    assert isinstance(outcome.json, list), outcome.out
    return {**outcome.json[0], "exit": outcome.code}


def test_a_preview_counts_only_these_and_changes_nothing(
    project: TestProject, receiver: Receiver, moved: dict[str, Any]
) -> None:
    before = dict(receiver.records)

    report = project.run(
        "--json", "rollback", SYNC, "--to", "1", "--only-keys", str(listed(project, "1", "2", "4"))
    ).json

    assert (report["plan"]["inserts"], report["plan"]["updates"], report["plan"]["deletes"]) == (1, 1, 1)
    assert "older version" in report["plan"]["reason"]
    assert receiver.records == before
    assert project.report()["status"] == "unchanged"


def test_these_are_as_they_were_and_stay_so_while_others_go_on(
    project: TestProject, receiver: Receiver, moved: dict[str, Any]
) -> None:
    """One that changed, one that was removed since, and one that came since."""
    report = put_back(project, "1", "2", "4")

    assert (report["status"], report["exit"], report["version"]) == ("succeeded", 0, 2)
    assert receiver.records == {"1": moved["1"], "2": moved["2"], "3": {"name": None, "score": None}}
    assert project.report()["status"] == "unchanged"

    project.people({1: ("newer", 9.0), 3: ("Cy", 3.0), 4: ("newer", 9.0), 5: ("Eve", 5.0)})
    assert project.report()["version"] == 3
    assert receiver.records == {
        "1": moved["1"],
        "2": moved["2"],
        "3": {"name": "Cy", "score": 3},
        "5": {"name": "Eve", "score": 5},
    }
    (status,) = project.run("--json", "status").json
    assert (status["pinned_version"], status["kept_rows"]) == (None, 3)
    assert "3 rows kept at an older version" in project.run("status").out


def test_they_are_let_go_with_the_pin(project: TestProject, receiver: Receiver, moved: dict[str, Any]) -> None:
    latest = {key: dict(fields) for key, fields in receiver.records.items()}
    put_back(project.given, "1", "2", "4")

    forward = project.run("--json", "unpin", SYNC).json
    assert (forward["plan"]["inserts"], forward["plan"]["updates"], forward["plan"]["deletes"]) == (1, 1, 1)
    assert project.run("unpin", SYNC, "--yes").code == 0

    assert project.report()["status"] == "succeeded"
    assert receiver.records == latest


def test_more_of_them_are_kept_beside_those_before(
    project: TestProject, receiver: Receiver, moved: dict[str, Any]
) -> None:
    project.people({1: ("third", 3.0), 3: ("third", 3.0), 4: ("third", 3.0)})
    project.report()
    put_back(project, "1")
    put_back(project, "3", to=2)

    assert receiver.records == {
        "1": moved["1"],
        "3": {"name": None, "score": None},
        "4": {"name": "third", "score": 3},
    }


def test_a_resync_sends_them_as_they_are_kept(project: TestProject, receiver: Receiver, moved: dict[str, Any]) -> None:
    put_back(project.given, "1", "2", "4")
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    receiver.records.clear()

    (report,) = project.run("--json", "resync", SYNC, "--yes").json

    assert (report["status"], receiver.records) == ("succeeded", held)


def test_consent_stands_above_them(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, consent={"purpose": "email", "subject": "id"})
    decided = project.folder / "list.csv"
    decided.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 5)))
    project.given.run("consent", "import", str(decided))
    project.people(FIRST)
    project.given.report()
    project.people(SECOND)
    project.given.report()
    project.given.run("consent", "withdraw", "--subject", "2", "--purpose", "email")

    report = put_back(project, "1", "2")

    assert (report["status"], set(receiver.records)) == ("succeeded", {"1", "3", "4"})
    project.run("consent", "withdraw", "--subject", "1", "--purpose", "email")
    project.report()
    assert set(receiver.records) == {"3", "4"}


def test_who_was_forgotten_is_kept_nowhere(project: TestProject, receiver: Receiver, moved: dict[str, Any]) -> None:
    put_back(project.given, "1", "2", "4")

    assert project.run("forget", "2", "--reason", "asked").code == 0

    assert "2" not in receiver.records
    (status,) = project.run("--json", "status").json
    assert status["kept_rows"] == 2
    assert project.report()["status"] in {"succeeded", "unchanged"}
    assert "2" not in receiver.records
    assert receiver.records["1"] == moved["1"]
    assert project.run("ledger", "verify").code == 0


def test_a_version_that_is_withdrawn_keeps_none_of_them(
    project: TestProject, receiver: Receiver, moved: dict[str, Any]
) -> None:
    project.people({1: ("third", 3.0)})
    project.report()
    put_back(project, "1", to=2)
    assert receiver.records["1"]["name"] == "ADA"

    project.run("dataset", "withdraw", "people@2", "--reason", "bad", "--yes")

    assert receiver.records["1"] == moved["1"]


@pytest.mark.parametrize(
    ("keys", "to", "said"),
    [(("1", "ada@example.org"), 1, "number 2"), ((), 1, "names no key"), (("1",), 9, "There is no version 9")],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    project: TestProject, moved: dict[str, Any], keys: tuple[str, ...], to: int, said: str
) -> None:
    del moved
    arguments = ("rollback", SYNC, "--to", str(to), "--only-keys", str(listed(project, *keys)), "--yes")

    outcome = project.run(*arguments)

    assert (outcome.code, said in outcome.err, "ada@" in outcome.err) == (2, True, False)
    assert project.report()["status"] == "unchanged"


def test_a_sync_that_is_pinned_whole_keeps_none_apart(project: TestProject, moved: dict[str, Any]) -> None:
    del moved
    project.run("rollback", SYNC, "--to", "1", "--yes")

    outcome = project.run("rollback", SYNC, "--to", "2", "--only-keys", str(listed(project, "1")), "--yes")

    assert (outcome.code, "pinned to version 1 as a whole" in outcome.err) == (2, True)
