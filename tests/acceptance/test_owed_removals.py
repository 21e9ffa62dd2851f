"""What is owed to people leaves where nothing else can: without a source, without a contract, without a plan."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
PEOPLE: dict[int, tuple[str | None, float | None]] = {1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0), 4: ("Di", 4.0)}


@pytest.fixture(autouse=True)
def delivered(project: TestProject) -> None:
    """Four people who consent and are held; names are what lists of ids know them by."""
    project.people(PEOPLE)
    dataset = project.folder / "datasets/people.yaml"
    dataset.write_text(dataset.read_text() + "identifiers: {name: id}\n", encoding="utf-8")
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"}, match={"name": "name"})
    for subject in PEOPLE:
        assert project.given.run("consent", "grant", "--subject", str(subject), "--purpose", "email").code == 0
    assert project.given.report()["delivered"]["inserts"] == len(PEOPLE)


def withdraw(project: TestProject, *subjects: int) -> None:
    for subject in subjects:
        ended = project.run("consent", "withdraw", "--subject", str(subject), "--purpose", "email")
        assert ended.code == 0, ended.err


def suppress(project: TestProject, *names: str) -> None:
    file = project.folder / "list.csv"
    file.write_text("\n".join(["id", *names]) + "\n", encoding="utf-8")
    assert project.run("suppress", "import", str(file), "--kind", "id").code == 0


def no_source(project: TestProject) -> None:
    (project.folder / "data/people.parquet").unlink()


def unreadable_source(project: TestProject) -> None:
    (project.folder / "data/people.parquet").write_bytes(b"PAR1 and no more")


def one_key_twice(project: TestProject) -> None:
    project.people({**PEOPLE, 5: ("Ada", 5.0), 6: ("Eve", 6.0)})


def no_column(project: TestProject) -> None:
    project.data(pa.table({"id": pa.array(list(PEOPLE), pa.int64())}))


def next_major_without_a_version(project: TestProject) -> None:
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, "version": "2.0.0"})
    project.sync(
        SYNC, mode="upsert", dataset="people@2", consent={"purpose": "email", "subject": "id"}, match={"name": "name"}
    )
    no_source(project)


def damaged_version(project: TestProject) -> None:
    for path in (project.folder / ".tidegate/segments").rglob("*-snapshot*.parquet"):
        path.write_bytes(path.read_bytes()[:-4] + b"torn")
    project.people({**PEOPLE, 6: ("Eve", 6.0)})


BROKEN: dict[str, tuple[Callable[[TestProject], None], str]] = {
    "there is no source": (no_source, "failed"),
    "the source cannot be read": (unreadable_source, "failed"),
    "two rows have one destination key": (one_key_twice, "blocked"),
    "the source lacks a column": (no_column, "blocked"),
    "the sync reads a major that was never read": (next_major_without_a_version, "failed"),
    "the version that stands is damaged": (damaged_version, "failed"),
}


@pytest.mark.parametrize(("breaks", "status"), BROKEN.values(), ids=BROKEN)
def test_who_is_owed_a_removal_leaves_although_no_plan_can_be_made(
    project: TestProject, receiver: Receiver, breaks: Callable[[TestProject], None], status: str
) -> None:
    """I2."""
    withdraw(project, 2)
    suppress(project, "Cy")
    breaks(project)

    report = project.report()

    assert (report["status"], report["exit"]) == (status, {"failed": 1, "blocked": 3}[status])
    assert set(receiver.records) == {"Ada", "Di"}
    assert all(record["op"] == "delete" for one in receiver.journal[1:] for record in one.records)
    before = receiver.requests
    assert (project.report()["status"], receiver.requests) == (status, before), "what was removed is not removed again"


def test_consent_is_taken_back_although_no_version_can_be_read(project: TestProject, receiver: Receiver) -> None:
    damaged_version(project)

    withdraw(project, 2)
    told = project.run("--json", "consent", "withdraw", "--subject", "3", "--purpose", "email").json
    project.report()

    assert "does not have the bytes" in told["unseen"]
    assert set(receiver.records) == {"Ada", "Di"}


def test_consent_is_taken_back_although_earlier_decisions_cannot_be_read_and_giving_it_waits(
    project: TestProject, receiver: Receiver
) -> None:
    kept = {path: path.read_bytes() for path in (project.folder / ".tidegate/segments/consent").rglob("*.parquet")}
    for path, content in kept.items():
        path.write_bytes(content[:-4] + b"torn")

    withdraw(project, 2)
    assert project.run("consent", "grant", "--subject", "2", "--purpose", "email").code == 1
    for path, content in kept.items():
        path.write_bytes(content)
    project.report()

    assert set(receiver.records) == {"Ada", "Cy", "Di"}


def test_what_stood_in_the_way_is_mended_and_the_run_after_it_is_the_ordinary_one(
    project: TestProject, receiver: Receiver
) -> None:
    unreadable_source(project)
    withdraw(project, 2)
    project.report()

    project.people({1: PEOPLE[1], 2: PEOPLE[2], 3: ("Cy", 9.0), 4: PEOPLE[4]})
    report = project.report()

    assert (report["status"], report["delivered"]) == ("succeeded", {"inserts": 0, "updates": 1, "deletes": 0})
    assert set(receiver.records) == {"Ada", "Cy", "Di"}
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


def test_a_removal_that_fails_is_tried_by_the_next_run_although_no_plan_can_be_made(
    project: TestProject, receiver: Receiver
) -> None:
    no_source(project)
    withdraw(project, 2)
    receiver.answer = lambda _body: (503, {}, b"")
    assert project.report()["status"] == "failed"
    assert "Bo" in receiver.records

    receiver.answer = lambda _body: None
    assert project.report()["status"] == "failed"
    assert set(receiver.records) == {"Ada", "Cy", "Di"}


def test_decisions_that_are_in_doubt_remove_nobody_where_no_plan_can_be_made(
    project: TestProject, receiver: Receiver
) -> None:
    """As a plan would: half of all people at once is more than the sync's file lets go unasked."""
    project.sync(
        SYNC,
        mode="upsert",
        consent={"purpose": "email", "subject": "id"},
        match={"name": "name"},
        gates={"consent": {"max_drop": 0.3}},
    )
    no_source(project)
    withdraw(project, 2, 3)
    project.report()
    assert set(receiver.records) == {"Ada", "Bo", "Cy", "Di"}


@pytest.mark.parametrize("mode", ["upsert", "mirror"])
def test_who_left_the_source_before_they_decided_is_removed_by_the_next_run(
    project: TestProject, receiver: Receiver, mode: str
) -> None:
    """What is held is about them, whatever became of the row that it came from."""
    project.sync(
        SYNC,
        mode=mode,
        consent={"purpose": "email", "subject": "id"},
        match={"name": "name"},
        gates={"deletes": {"max": 0}},
    )
    project.people({1: PEOPLE[1]})
    project.report()
    assert set(receiver.records) == {"Ada", "Bo", "Cy", "Di"}

    withdraw(project, 2)
    suppress(project, "Cy")
    shown = project.run("--json", "show", SYNC, "--key", "Cy").json
    assert (shown["verdict"], shown["reason"]) == ("send", "suppressed")
    project.report()

    assert set(receiver.records) == {"Ada", "Di"}
    project.checked(receiver)
