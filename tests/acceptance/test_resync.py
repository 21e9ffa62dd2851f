"""What a destination lost, or somebody else changed there, is sent again: by the one plan, from what is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.test_rollback import FIRST, SECOND, SYNC
from tests.projects import TestProject
from tests.receiver import Receiver

WANTED = {str(n): {"name": name, "score": score} for n, (name, score) in SECOND.items()}


@pytest.fixture
def moved(project: TestProject, receiver: Receiver) -> None:
    """Version 1 and then version 2 were delivered."""
    project.people(FIRST)
    assert project.given.report()["status"] == "succeeded"
    project.people(SECOND)
    assert project.given.report()["version"] == 2
    assert receiver.records == WANTED


def resynced(project: TestProject, *more: str) -> dict[str, Any]:
    outcome = project.run("--json", "resync", SYNC, "--yes", *more)
    assert isinstance(outcome.json, list), outcome.out
    (report,) = outcome.json
    return {**report, "exit": outcome.code}


def sent(receiver: Receiver, since: int) -> dict[str, str]:
    return {r["id"]: r["op"] for one in receiver.journal[since:] for r in one.records}


@pytest.mark.usefixtures("moved")
def test_a_preview_says_what_it_takes_and_changes_nothing(project: TestProject, receiver: Receiver) -> None:
    calls, events = len(receiver.journal), project.run("--json", "ledger", "tail", "--limit", "500").out

    report = project.run("--json", "resync", SYNC).json

    assert (report["scope"], report["again"], report["orphans"], report["version"]) == ("all", 4, 1, 2)
    assert (report["plan"]["inserts"], report["plan"]["updates"], report["plan"]["deletes"]) == (0, 3, 1)
    assert (report["plan"]["comparison"], report["plan"]["reason"]) == ("full", "resync")
    assert {sample["reason"] for sample in report["samples"]} == {"sent again", "gone"}
    assert (report["calls"], report["blocked"]) == (2, False)
    assert (len(receiver.journal), project.run("--json", "ledger", "tail", "--limit", "500").out) == (calls, events)
    assert project.report()["status"] == "unchanged"


@pytest.mark.usefixtures("moved")
def test_a_destination_that_was_changed_behind_our_back_is_made_right(project: TestProject, receiver: Receiver) -> None:
    """Values that were overwritten, a record that was deleted, and one that we had deleted and a backup brought back."""
    receiver.records.clear()
    receiver.records.update({"1": {"name": "somebody else's", "score": 1.5}, "2": {"name": "Bo", "score": None}})

    report = resynced(project)

    assert (report["status"], report["exit"], receiver.records) == ("succeeded", 0, WANTED)
    assert report["delivered"] == {"inserts": 0, "updates": 3, "deletes": 1}
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


@pytest.mark.usefixtures("moved")
def test_a_resync_leaves_alone_what_the_sync_never_delivered(project: TestProject, receiver: Receiver) -> None:
    receiver.records["77"] = {"name": "of another tool"}

    resynced(project)

    assert receiver.records == {**WANTED, "77": {"name": "of another tool"}}


def test_a_record_that_was_never_taken_is_not_removed(project: TestProject, receiver: Receiver) -> None:
    """A sync deletes only what it delivered: what was refused was not."""
    project.people({1: ("Ada", 1.0)})
    project.report()
    receiver.answer = lambda _body: (200, {}, b'{"results": [{"id": "2", "status": "rejected", "code": "bad"}]}')
    project.people({1: ("Ada", 1.0), 2: ("Bo", 2.0)})
    assert project.report()["rejected"] == 1
    receiver.answer = lambda _body: None
    project.people({1: ("Ada", 1.0)})
    project.report()
    before = len(receiver.journal)

    resynced(project)

    assert sent(receiver, before) == {"1": "upsert"}


@pytest.mark.usefixtures("moved")
def test_only_the_named_keys_are_sent_again(project: TestProject, receiver: Receiver) -> None:
    """One of them was removed before, and is removed once more."""
    keys = project.folder / "keys.txt"
    keys.write_text("3\n2\n\n", encoding="utf-8")
    before = len(receiver.journal)

    report = resynced(project, "--keys", str(keys))

    assert sent(receiver, before) == {"3": "upsert", "2": "delete"}
    assert report["plan"]["comparison"] == "incremental"


@pytest.mark.usefixtures("moved")
def test_only_rows_that_meet_an_expression_are_sent_again(project: TestProject, receiver: Receiver) -> None:
    before = len(receiver.journal)

    resynced(project, "--where", "score > 2 OR name LIKE 'AD%' -- and so on")

    assert sent(receiver, before) == {"1": "upsert", "4": "upsert"}


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    "expression",
    [
        "1=1) OR (1=1",
        "1=1) UNION SELECT (1",
        "id IN (SELECT id FROM people)",
        "EXISTS (SELECT 1)",
        "nobody = 1",
        "read_csv('/etc/hostname') IS NULL",
        "getenv('HOME') = 'x'",
        "count(*) > 1",
        "true; DROP TABLE people",
        "name = ",
        "CAST(name AS INTEGER) = 1",
        "",
    ],
)
def test_an_expression_that_is_none_is_refused_and_nothing_is_marked(
    project: TestProject, receiver: Receiver, expression: str
) -> None:
    calls = len(receiver.journal)

    outcome = project.run("resync", SYNC, "--yes", "--where", expression)

    assert (outcome.code, "Traceback" in outcome.err) == (2, False)
    assert "Ada" not in outcome.err
    assert project.given.report()["status"] == "unchanged"
    assert len(receiver.journal) == calls


def test_what_was_refused_is_sent_again(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, rejects={"max_attempts": 1})
    project.people({2: ("Bo", 2.0)})
    project.report()
    receiver.answer = lambda _body: (200, {}, b'{"results": [{"id": "1", "status": "rejected", "code": "bad"}]}')
    project.people({1: ("Ada", 1.0), 2: ("Bo", 2.0)})
    assert project.report()["rejected"] == 1
    receiver.answer = lambda _body: None
    assert project.report()["status"] == "unchanged"
    before = len(receiver.journal)
    assert project.run("--json", "resync", SYNC, "--rejected").json["again"] == 1

    assert resynced(project, "--rejected")["status"] == "succeeded"

    assert sent(receiver, before) == {"1": "upsert"}


def test_what_was_sent_since_a_moment_is_sent_again(project: TestProject, receiver: Receiver) -> None:
    """A destination that was restored from a backup of that moment lacks the updates and the removals since."""
    project.people({**FIRST, 9: ("Zoe", 9.0)})
    project.report()
    backup = {key: dict(fields) for key, fields in receiver.records.items()}
    moment = datetime.now(UTC).isoformat()
    project.people({**SECOND, 9: ("Zoe", 9.0)})
    project.report()
    after = {key: dict(fields) for key, fields in receiver.records.items()}
    receiver.records.clear()
    receiver.records.update(backup)
    before = len(receiver.journal)

    resynced(project, "--since", moment)

    assert receiver.records == after
    assert "9" not in sent(receiver, before)


def test_today_s_consent_stands_above_a_resync(project: TestProject, receiver: Receiver) -> None:
    """Who was removed because they took consent back is removed again where a backup brought them back."""
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"})
    decided = project.folder / "list.csv"
    decided.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 4)))
    project.run("consent", "import", str(decided))
    project.people(FIRST)
    project.report()
    backup = {key: dict(fields) for key, fields in receiver.records.items()}
    project.run("consent", "withdraw", "--subject", "2", "--purpose", "email")
    project.report()
    receiver.records.update(backup)
    project.run("consent", "withdraw", "--subject", "3", "--purpose", "email")

    report = resynced(project)

    assert (report["status"], set(receiver.records)) == ("succeeded", {"1"})


def test_a_sync_that_never_deletes_leaves_what_is_gone(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, mode="upsert")
    project.people(FIRST)
    project.given.report()
    project.people(SECOND)
    project.given.report()
    before = len(receiver.journal)

    resynced(project)

    assert set(sent(receiver, before)) == {"1", "3", "4"}
    assert project.report()["status"] == "unchanged"
    (status,) = project.run("--json", "status").json
    assert (status["held"], status["owed"]) == (4, 0)


@pytest.mark.usefixtures("moved")
def test_gates_and_approvals_count_and_asking_again_voids_nothing(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, gates={"updates": {"max": 2, "on_fail": "review"}})
    calls = len(receiver.journal)
    report = resynced(project)
    assert (report["status"], report["exit"], len(receiver.journal)) == ("held", 4, calls)
    assert resynced(project)["plan"]["digest"] == report["plan"]["digest"]

    assert project.run("approve", report["run"]).code == 0
    again = resynced(project)

    assert (again["status"], again["delivered"]["updates"]) == ("succeeded", 3)


@pytest.mark.usefixtures("moved")
def test_a_plan_that_is_sent_again_has_keys_of_its_own(project: TestProject, receiver: Receiver) -> None:
    resynced(project)
    resynced(project)

    keys = [one.key for one in receiver.journal]
    assert len(keys) == len(set(keys))
    assert receiver.duplicate_effects == 0


def test_a_pinned_sync_gets_its_version_again(project: TestProject, receiver: Receiver) -> None:
    project.people(FIRST)
    project.given.report()
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people(SECOND)
    project.given.report()
    project.run("rollback", SYNC, "--to", "1", "--yes")
    receiver.records.clear()

    assert resynced(project)["version"] == 1
    assert receiver.records == held


@pytest.mark.parametrize(
    ("point", "more"),
    [
        ("fold.before_commit=kill", "window.after_intent=kill@2"),
        ("fold.after_commit=kill", "fold.before_commit=kill"),
        ("plan.after_commit=kill", "window.before_receipt=kill"),
    ],
)
@pytest.mark.crash
def test_a_resync_that_dies_is_finished_by_the_next_run(
    project: TestProject, receiver: Receiver, point: str, more: str
) -> None:
    many = {n: (f"Person {n}", float(n)) for n in range(1, 21)}
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.people({**many, 99: ("Gone", 1.0)})
    project.given.report()
    project.people(many)
    project.given.report()
    held = {key: dict(fields) for key, fields in receiver.records.items()}
    receiver.records.clear()
    receiver.records["99"] = {"name": "Gone"}

    for dying in (point, more):
        project.run_process("resync", SYNC, "--yes", env={"TIDEGATE_TEST_FAILPOINTS": dying})
    (report,) = project.run("--json", "resync", SYNC, "--yes").json

    assert report["status"] in {"succeeded", "unchanged"}
    assert receiver.records == held
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


def test_a_destination_that_another_tool_filled_is_adopted(project: TestProject, receiver: Receiver) -> None:
    """Nothing is sent, then only what differs from what was adopted is."""
    project.people(SECOND)
    project.given.run("capture", "people")
    receiver.records.update({key: dict(fields) for key, fields in WANTED.items()})
    shown = project.run("resync", SYNC, "--adopt")
    assert "NOTHING WOULD BE SENT" in shown.out

    report = resynced(project, "--adopt", "--reason", "another tool filled it")
    assert report["plan"]["reason"] == "first run; adopted: another tool filled it"

    assert (report["status"], report["exit"], receiver.journal) == ("succeeded", 0, [])
    assert "3 records are recorded as delivered, and nothing was sent" in report["reason"]
    assert project.report()["status"] == "unchanged"
    project.people({**SECOND, 1: ("Ada", 1.5)})
    assert project.report()["delivered"] == {"inserts": 0, "updates": 1, "deletes": 0}


def test_an_adoption_leaves_removals_owed(project: TestProject, receiver: Receiver, moved: None) -> None:
    del moved
    project.people({1: ("Ada", 9.0)})
    project.run("capture", "people")
    receiver.records["1"] = {"name": "Ada", "score": 9}
    calls = len(receiver.journal)

    report = resynced(project, "--adopt")

    assert (report["status"], len(receiver.journal)) == ("succeeded", calls)
    assert project.report()["delivered"] == {"inserts": 0, "updates": 0, "deletes": 2}


def test_an_adoption_waits_for_an_approval_of_its_own(project: TestProject, receiver: Receiver) -> None:
    """An approval to send is none to adopt, and the other way round."""
    project.sync(SYNC, gates={"inserts": {"max": 1, "on_fail": "review"}})
    project.people(SECOND)
    receiver.records.update({key: dict(fields) for key, fields in WANTED.items()})
    sending = project.report()
    assert sending["status"] == "held"
    adopting = resynced(project, "--adopt")
    assert (adopting["status"], "--adopt --yes" in adopting["next"]) == ("held", True)
    assert project.run("approve", adopting["run"]).code == 0

    assert project.report()["status"] == "held"
    assert receiver.journal == []
    assert project.run("approve", resynced(project, "--adopt")["run"]).code == 2
    assert project.report()["status"] == "unchanged"
    assert receiver.journal == []


@pytest.mark.parametrize("point", ["plan.after_commit", "fold.before_commit", "fold.after_commit"])
@pytest.mark.crash
def test_an_adoption_that_dies_is_finished_by_the_next_run_and_sends_nothing(
    project: TestProject, receiver: Receiver, point: str
) -> None:
    project.people(SECOND)
    project.given.run("capture", "people")
    receiver.records.update({key: dict(fields) for key, fields in WANTED.items()})

    project.run_process("resync", SYNC, "--adopt", "--yes", env={"TIDEGATE_TEST_FAILPOINTS": f"{point}=kill"})

    assert project.report()["status"] in {"succeeded", "unchanged"}
    assert receiver.journal == []
    assert [run["status"] for run in project.run("--json", "runs", SYNC).json][-1] == "succeeded"


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "There is no sync"),
        ((SYNC, "--reconcile"), "cannot be read back"),
        ((SYNC, "--rejected", "--adopt"), "choose one of --rejected, --adopt"),
        ((SYNC, "--since", "soon"), "is no moment"),
        ((SYNC, "--keys", "nowhere.txt"), "cannot be read"),
    ],
)
def test_what_cannot_be_sent_again_is_refused_and_changes_nothing(
    project: TestProject, arguments: tuple[str, ...], said: str
) -> None:
    outcome = project.run("resync", *arguments, "--yes")

    assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert project.given.report()["status"] == "unchanged"


@pytest.mark.usefixtures("moved")
def test_keys_that_nobody_knows_are_told_by_their_place(project: TestProject) -> None:
    keys = project.folder / "keys.txt"
    keys.write_text("1\nada@example.org\n", encoding="utf-8")

    outcome = project.run("resync", SYNC, "--yes", "--keys", str(keys))

    assert (outcome.code, "number 2" in outcome.err, "ada@" in outcome.err) == (2, True, False)
    assert project.given.report()["status"] == "unchanged"
