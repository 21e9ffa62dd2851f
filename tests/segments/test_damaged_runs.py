"""A run that needs a damaged file names it and sends nothing; with the file restored, the next one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from engine.failpoints import VARIABLE
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

SYNC = "people_to_hook"
Damage = Callable[[bytes], bytes]


def flipped(content: bytes) -> bytes:
    return content[:60] + bytes([content[60] ^ 4]) + content[61:]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def grown(content: bytes) -> bytes:
    return content + b"\0"


DAMAGES: tuple[Damage, ...] = (flipped, cut, grown)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> TestProject:
    """One version delivered, and a source that changed since."""
    made = TestProject(tmp_path, receiver.url)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    assert made.report()["status"] == "succeeded"
    made.people({1: ("Ada L.", 1.5), 3: ("Cy", 0.5)})
    return made


def segment(project: TestProject, pattern: str) -> Path:
    (path,) = (project.folder / ".tidegate" / "segments").glob(pattern)
    return path


def assert_refused_until_restored(
    project: TestProject, receiver: Receiver, path: Path, damages: Iterable[Damage]
) -> None:
    content, sent = path.read_bytes(), len(receiver.journal)
    for damage in damages:
        path.write_bytes(damage(content))
        report = project.report()
        assert (report["status"], report["exit"]) == ("failed", 1)
        assert path.name in report["reason"]
        assert len(receiver.journal) == sent

    path.write_bytes(content)
    assert project.report()["status"] == "succeeded"
    assert receiver.records == {"1": {"name": "Ada L.", "score": 1.5}, "3": {"name": "Cy", "score": 0.5}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    ["datasets/*/versions/00000002-snapshot-*", "datasets/*/versions/00000002-changes-*", f"syncs/{SYNC}/state/*"],
    ids=["snapshot", "changes", "state"],
)
def test_nothing_is_planned_from_a_damaged_file(project: TestProject, receiver: Receiver, pattern: str) -> None:
    project.run("capture", "people")
    assert_refused_until_restored(project, receiver, segment(project, pattern), DAMAGES)


@pytest.mark.crash
@pytest.mark.parametrize("damage", DAMAGES[:2])
def test_nothing_is_sent_from_a_damaged_plan(project: TestProject, receiver: Receiver, damage: Damage) -> None:
    project.run_process("run", SYNC, env={VARIABLE: "plan.after_commit=kill"})
    path = segment(project, f"syncs/{SYNC}/plans/v00000002-*")
    assert_refused_until_restored(project, receiver, path, [damage])


def test_a_version_is_not_rebuilt_from_damaged_changes(project: TestProject) -> None:
    project.run("capture", "people")
    path = segment(project, "datasets/*/versions/00000002-changes-*")
    content = path.read_bytes()
    path.write_bytes(b"")
    assert project.run("diff", "people", "1", "2").code == 0, "what is kept whole needs no changes"

    segment(project, "datasets/*/versions/00000002-snapshot-*").unlink()
    for damage in DAMAGES:
        path.write_bytes(damage(content))
        outcome = project.run("diff", "people", "1", "2")
        assert outcome.code == 1
        assert path.name in outcome.err.replace("\n", "")
    path.write_bytes(content)
    assert project.run("diff", "people", "1", "2").code == 0
