"""A store that is no folder: segments go there whole, come back proved, and leave nothing half done on this side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from engine.clock import SystemEntropy
from engine.core.names import SegmentRef
from engine.errors import ConfigurationError, SegmentDamaged, StorageError
from engine.segments.files import Storage

ROWS = pa.table({"n": list(range(1_000))})


class Objects(MemoryFileSystem):
    """Objects in memory behind a line that breaks when told to."""

    protocol = "objects"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    line: ClassVar[dict[str, OSError | int]] = {}

    def put_file(self, lpath: str, rpath: str, **more: Any) -> None:
        if isinstance(broken := self.line.get("up"), OSError):
            raise broken
        super().put_file(lpath, rpath, **more)

    def get_file(self, rpath: str, lpath: str, **more: Any) -> None:
        content = self.cat_file(rpath)
        reached = self.line.get("down", len(content))
        if isinstance(reached, OSError):
            Path(lpath).write_bytes(content[:10])
            raise reached
        Path(lpath).write_bytes(content[:reached])


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    fsspec.register_implementation("objects", Objects, clobber=True)
    yield opened(tmp_path)
    Objects.store.clear()
    Objects.line.clear()


def opened(folder: Path) -> Storage:
    return Storage("objects://bucket/tidegate", scratch=folder, entropy=SystemEntropy())


def written(storage: Storage) -> SegmentRef:
    with storage.writing("some", "rows") as draft:
        pq.write_table(ROWS, draft.local)
    return draft.ref


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_segment_comes_back_with_its_bytes_and_leaves_only_a_copy_here(storage: Storage, tmp_path: Path) -> None:
    ref = written(storage)
    assert files(tmp_path) == []

    local = storage.local(ref)

    assert pq.read_table(local).equals(ROWS)
    assert (local.stat().st_size, pq.read_metadata(local).num_rows) == (ref.bytes, ref.rows)
    assert files(tmp_path) == [local]
    assert opened(tmp_path).local(ref) == local


def test_an_upload_that_fails_is_an_error_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    Objects.line["up"] = ConnectionResetError("reset")

    with pytest.raises(StorageError, match="could not be written"):
        written(storage)

    assert files(tmp_path) == []
    assert Objects.store == {}


@pytest.mark.parametrize("reached", [0, 4, 1_000])
def test_a_download_that_ends_early_is_found_and_made_again_when_next_needed(
    storage: Storage, tmp_path: Path, reached: int
) -> None:
    ref = written(storage)
    Objects.line["down"] = reached
    with pytest.raises(SegmentDamaged, match=ref.path):
        storage.local(ref)

    Objects.line.clear()
    assert pq.read_table(storage.local(ref)).equals(ROWS)
    assert len(files(tmp_path)) == 1


def test_a_download_that_breaks_names_the_segment_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    ref = written(storage)
    Objects.line["down"] = TimeoutError()

    with pytest.raises(SegmentDamaged, match=rf"{ref.path} cannot be read \(TimeoutError\)"):
        storage.local(ref)

    assert files(tmp_path) == []


def test_an_object_that_is_missing_is_damage_and_not_emptiness(storage: Storage) -> None:
    ref = written(storage)
    Objects.store.clear()

    with pytest.raises(SegmentDamaged, match=rf"{ref.path} is missing"):
        storage.local(ref)


def test_an_object_that_was_altered_is_refused_until_it_is_restored(storage: Storage) -> None:
    ref = written(storage)
    (name,) = Objects.store
    good = storage._filesystem.cat_file(name)
    storage._filesystem.pipe_file(name, good[:500] + b"\0" + good[501:])
    with pytest.raises(SegmentDamaged, match=ref.path):
        storage.local(ref)

    storage._filesystem.pipe_file(name, good)
    assert pq.read_table(storage.local(ref)).equals(ROWS)


def test_a_copy_that_rotted_is_fetched_again(storage: Storage, tmp_path: Path) -> None:
    ref = written(storage)
    copy = storage.local(ref)
    copy.write_bytes(b"rot")

    assert pq.read_table(opened(tmp_path).local(ref)).equals(ROWS)


def test_a_segment_that_is_removed_leaves_no_copy(storage: Storage, tmp_path: Path) -> None:
    ref = written(storage)
    storage.local(ref)

    storage.remove(ref)

    assert files(tmp_path) == []
    assert not storage.exists(ref)


def test_a_kind_of_store_without_its_package_is_a_matter_of_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"class": "no_such_package.Files", "err": "Install no_such_package to access absent://"}
    monkeypatch.setitem(known_implementations, "absent", absent)

    with pytest.raises(ConfigurationError, match="Install no_such_package"):
        Storage("absent://bucket", scratch=tmp_path, entropy=SystemEntropy())
