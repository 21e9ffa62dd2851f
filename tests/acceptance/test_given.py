"""What a test takes from an earlier one is what the same command would have made; where that is not sure, it is played."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.given import Played
from tests.projects import Outcome, TestProject
from tests.receiver import Answer, Receiver


class Command:
    """Writes a file that differs each time, and one record at the destination; counts how often it was played."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder, self.receiver, self.times = folder, receiver, 0

    def __call__(self) -> str:
        self.times += 1
        (self.folder / "made").mkdir()
        (self.folder / "made/ledger.db").write_text(f"time {self.times}")
        (self.folder / "inbox").unlink()
        self.receiver.receive("key", {"records": [{"id": "1", "op": "upsert", "fields": {"time": self.times}}]})
        return f"played {self.times}"


class Stage:
    """Begins alike for every test that is played on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.played, self.receiver = root, Played[str](root / "played"), Receiver()
        self.command = Command(root, self.receiver)

    def test(self, name: str, change: Callable[[Path], object] = lambda _: None, *, answer: object = None) -> str:
        self.command.folder = folder = self.root / name
        folder.mkdir()
        (folder / "inbox").write_text("the same")
        self.receiver.fill(Receiver().content())
        if answer is not None:
            self.receiver.answer = answer  # type: ignore[assignment]
        change(folder)
        return self.played.outcome(folder, self.receiver, ("run", str(folder / "keys.txt")), self.command)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_same_beginning_has_the_same_end(stage: Stage) -> None:
    assert [stage.test("one"), stage.test("two")] == ["played 1", "played 1"]

    assert (stage.command.times, stage.receiver.records) == (1, {"1": {"time": 1}})
    assert {p.relative_to(stage.root / "two") for p in (stage.root / "two").rglob("*") if p.is_file()} == {
        Path("made/ledger.db")
    }
    assert (stage.root / "two/made/ledger.db").read_text() == "time 1"
    stage.receiver.receive("key", {"records": [{"id": "1", "op": "delete"}]})
    assert stage.receiver.records, "the keys that it knows are copied as well"


def test_what_a_test_does_to_its_copy_is_not_in_the_next_one(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        stage.test(name)
        assert stage.receiver.records == {"1": {"time": 1}}
        assert (stage.root / name / "made/ledger.db").read_text() == "time 1"
        stage.receiver.records["1"]["time"] = "changed"
        (stage.root / name / "made/ledger.db").write_text("changed")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "inbox").write_text("another"),
        lambda folder: (folder / "more").write_text(""),
        lambda folder: (folder / "inbox").chmod(0o600),
    ],
    ids=["content", "file", "mode"],
)
def test_a_folder_that_differs_is_another_beginning(stage: Stage, change: Callable[[Path], object]) -> None:
    assert [stage.test("one"), stage.test("two", change)] == ["played 1", "played 2"]


def test_the_environment_and_what_the_destination_holds_are_part_of_the_beginning(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.test("one")
    monkeypatch.setenv("TIDEGATE_ACTOR", "ada")
    assert stage.test("two") == "played 2"
    assert stage.test("three", lambda _: stage.receiver.records.update({"9": {}})) == "played 3"
    assert stage.test("four") == "played 2"


def refusing(*ids: str) -> Callable[[object], Answer]:
    return lambda _body: (400, {}, " ".join(ids).encode())


def test_a_scripted_answer_is_told_by_its_code_and_the_values_in_it(stage: Stage) -> None:
    stage.test("one", answer=refusing("1"))
    assert stage.test("two", answer=refusing("1")) == "played 1"
    assert stage.test("three", answer=refusing("2")) == "played 2"


def test_where_an_answer_may_change_by_itself_nothing_is_copied(stage: Stage) -> None:
    asked: list[object] = []

    def answer(body: object) -> None:
        asked.append(body)

    assert [stage.test("one", answer=answer), stage.test("two", answer=answer)] == ["played 1", "played 2"]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "ledger.db-wal").write_text(""),
        lambda folder: (folder / "note").write_text(f"it is in {folder}"),
    ],
    ids=["a command is under way", "the folder is named"],
)
def test_what_belongs_to_one_folder_is_not_taken_to_another(stage: Stage, change: Callable[[Path], object]) -> None:
    assert [stage.test("one", change), stage.test("two", change)] == ["played 1", "played 2"]


def test_a_copied_ledger_is_whole_and_its_project_goes_on(
    project: TestProject, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory, played: Played[Outcome]
) -> None:
    first = TestProject(tmp_path_factory.mktemp("first"), receiver.url)
    first.remember(played, receiver)
    first.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    run = first.given.report()["run"]
    receiver.fill(Receiver().content())

    assert project.given.report()["run"] == run
    assert project.run("ledger", "verify").code == 0
    assert project.report()["status"] == "unchanged"
    project.people({1: ("Ada", 2.5)})
    assert project.report()["delivered"] == {"inserts": 0, "updates": 1, "deletes": 2}
