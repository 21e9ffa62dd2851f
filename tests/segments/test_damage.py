"""A segment is the bytes that the ledger names, or it is nothing: damage is found before use and names the file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.clock import SystemEntropy
from engine.core.names import SegmentRef
from engine.errors import SegmentDamaged
from engine.failpoints import VARIABLE
from engine.segments.files import Storage
from tests.projects import TestProject
from tests.receiver import receiving


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "store"), scratch=tmp_path / "scratch", entropy=SystemEntropy())


def written(storage: Storage) -> SegmentRef:
    with storage.writing("some", "rows") as draft:
        pq.write_table(pa.table({"n": list(range(1_000))}), draft.local)
    return draft.ref


def other(storage: Storage, tmp_path: Path) -> Storage:
    """A later process: it has verified nothing yet."""
    del storage
    return Storage(str(tmp_path / "store"), scratch=tmp_path / "scratch", entropy=SystemEntropy())


@pytest.mark.parametrize("place", [0, 5, 500, -1])
def test_a_flipped_bit_anywhere_is_found(storage: Storage, tmp_path: Path, place: int) -> None:
    ref = written(storage)
    path = storage.local(ref)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)

    with pytest.raises(SegmentDamaged, match=ref.path):
        other(storage, tmp_path).local(ref)


@pytest.mark.parametrize("kept", [0, 4, 0.5])
def test_a_file_that_was_cut_off_is_found(storage: Storage, tmp_path: Path, kept: float) -> None:
    ref = written(storage)
    path = storage.local(ref)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])

    with pytest.raises(SegmentDamaged, match=ref.path):
        other(storage, tmp_path).local(ref)


def test_a_file_that_is_missing_is_damage_and_not_emptiness(storage: Storage, tmp_path: Path) -> None:
    ref = written(storage)
    storage.remove(ref)

    with pytest.raises(SegmentDamaged, match="is missing"):
        other(storage, tmp_path).local(ref)


def test_a_block_that_raises_leaves_no_file(storage: Storage, tmp_path: Path) -> None:
    def half() -> None:
        with storage.writing("some", "rows") as draft:
            draft.local.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()

    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


@pytest.mark.crash
@pytest.mark.parametrize("point", ["segment.before_rename", "segment.after_rename"])
def test_a_process_that_dies_while_it_writes_leaves_nothing_that_is_taken_for_a_segment(
    tmp_path: Path, point: str
) -> None:
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        project.people({1: ("Ada", 1.0)})
        project.run_process("capture", "people", env={VARIABLE: f"{point}=kill"})
        assert project.run("--json", "versions", "people").json == []

        report = project.report()

    assert (report["status"], report["version"]) == ("succeeded", 1)
    assert receiver.records == {"1": {"name": "Ada", "score": 1.0}}


def test_nothing_is_sent_from_a_plan_or_a_version_that_was_changed_on_disk(tmp_path: Path) -> None:
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        project.people({1: ("Ada", 1.0)})
        project.run("capture", "people")
        (snapshot,) = (tmp_path / ".tidegate" / "segments").rglob("*-snapshot-*.parquet")
        snapshot.write_bytes(snapshot.read_bytes().replace(b"Ada", b"Eve"))

        report = project.report()

        assert (report["status"], report["exit"], receiver.journal) == ("failed", 1, [])
        assert snapshot.name in report["reason"]
