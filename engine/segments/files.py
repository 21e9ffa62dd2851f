"""Immutable files below one storage root: written whole or not at all, named by digest, verified before use.

A file appears under its final name only after its bytes are on disk; whether it *exists* is decided by the ledger
event that names it. A local root is used in place; any other fsspec URL is written through a local spool and read
through a local cache that is keyed by digest. Beside the segments stand notes: small files that are replaced whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pyarrow.parquet as pq

from engine.clock import Entropy
from engine.core.names import Digest, SegmentRef
from engine.errors import ConfigurationError, SegmentDamaged, StorageError
from engine.failpoints import failpoint
from engine.owner_only import FILE_MODE, FOLDER_MODE, make_file, make_folder
from engine.segments.stored import StoredFile, stored_file

_TEMPORARY = ".writing"


@dataclass(slots=True)
class Draft:
    """A segment being written: fill ``local``, then read ``ref`` after the `Storage.writing` block."""

    local: Path
    sealed: SegmentRef | None = None

    @property
    def ref(self) -> SegmentRef:
        assert self.sealed is not None, "the segment is named only after its block ended"
        return self.sealed


class Storage:
    """The segments of one environment.

    ``url`` is a directory or any fsspec URL; ``scratch`` is a local directory for spools and caches; ``current`` says
    which segment stands in for one that was written again. Raises `ConfigurationError` for a kind of URL that needs a package which is not installed.
    """

    def __init__(
        self, url: str, *, scratch: Path, entropy: Entropy, current: Callable[[SegmentRef], SegmentRef] | None = None
    ) -> None:
        self._standing_in = current or _as_named
        self._entropy = entropy
        self._scratch = scratch
        self._filesystem, self._root = _opened(url)
        protocol = self._filesystem.protocol
        self._is_local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
        self._verified: dict[Path, tuple[Digest, int, int]] = {}

    @property
    def folder(self) -> Path | None:
        """The directory, where the storage is one."""
        return Path(self._root) if self._is_local else None

    @contextmanager
    def writing(self, folder: str, name: str) -> Iterator[Draft]:
        """Write one Parquet segment below ``folder``; the block fills ``draft.local``.

        The final name carries a random token, so two writers never meet. When the block raises, nothing is left
        but a temporary file that `tidegate gc` may remove.
        """
        final = f"{folder}/{name}-{self._entropy.token(4)}.parquet"
        target = Path(self._root, final) if self._is_local else Path(self._scratch, "spool", final)
        temporary = target.with_name(target.name + _TEMPORARY)
        draft = Draft(temporary)
        try:
            _make_directory(temporary.parent)
            yield draft
            draft.sealed = self._seal(temporary, target, final)
        except OSError as error:
            raise StorageError(
                f"A segment could not be written: {error.strerror or type(error).__name__}",
                where=final,
                safe="No event names it, so nothing has changed.",
                next="free space or mend permissions of the storage, then run again",
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _seal(self, temporary: Path, target: Path, final: str) -> SegmentRef:
        with temporary.open("rb+") as file:
            digest = Digest(hashlib.file_digest(file, "sha256").hexdigest())
            os.fchmod(file.fileno(), FILE_MODE)
            os.fsync(file.fileno())
        rows = int(pq.read_metadata(temporary).num_rows)
        size = temporary.stat().st_size
        failpoint("segment.before_rename")
        if self._is_local:
            temporary.rename(target)
            _sync_directory(target.parent)
        else:
            # An object has its name only once all of it has arrived.
            self._filesystem.put_file(str(temporary), f"{self._root}/{final}")
        failpoint("segment.after_rename")
        return SegmentRef(path=final, digest=digest, rows=rows, bytes=size)

    def local(self, ref: SegmentRef) -> Path:
        """A local path that holds exactly the bytes that ``ref`` names.

        Raises `SegmentDamaged` when the file is missing, truncated or altered.
        """
        ref = self.current(ref)
        path = Path(self._root, ref.path) if self._is_local else self._copy(ref)
        try:
            is_whole = (self._is_local or path.exists()) and self._is_whole(path, ref.digest)
            if not is_whole and not self._is_local:
                self._fetch(ref, path)
                is_whole = self._is_whole(path, ref.digest)
        except FileNotFoundError as error:
            raise _damaged(ref, "is missing") from error
        except OSError as error:
            raise _damaged(ref, f"cannot be read ({error.strerror or type(error).__name__})") from error
        if not is_whole:
            raise _damaged(ref, "does not have the bytes that the ledger names")
        return path

    def _copy(self, ref: SegmentRef) -> Path:
        return self._scratch / "cache" / f"{ref.digest}.parquet"

    def _is_whole(self, path: Path, digest: Digest) -> bool:
        """Whether a file has the bytes; they are read once for as long as size and time stay the same."""
        stat = path.stat()
        seen = (digest, stat.st_size, stat.st_mtime_ns)
        if self._verified.get(path) == seen:
            return True
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == digest:
            self._verified[path] = seen
        return found == digest

    def _fetch(self, ref: SegmentRef, path: Path) -> None:
        make_folder(path.parent)
        partial = path.with_name(f"{path.name}.{self._entropy.token(4)}{_TEMPORARY}")
        try:
            make_file(partial)
            self._filesystem.get_file(f"{self._root}/{ref.path}", str(partial))
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def put_note(self, name: str, content: bytes) -> None:
        """Replace a small file whose content may change; returns when it is on disk, whole.

        Like everything here it is for its owner only where the storage is a directory; a bucket's own policy rules there.
        """
        target = f"{self._root}/{name}"
        try:
            if self._is_local:
                _replace(Path(target), content, self._entropy.token(4))
            else:
                self._filesystem.pipe_file(target, content)
        except OSError as error:
            raise StorageError(
                f"A file of the storage could not be written: {error.strerror or type(error).__name__}",
                where=name,
                safe="Its former content stands.",
                next="free space or mend permissions of the storage, then run again",
            ) from error

    def notes(self, folder: str, suffix: str) -> dict[str, bytes]:
        """The small files of a folder whose names end so, by name; none when there is no such folder."""
        try:
            named = [path for path in self._listed(f"{self._root}/{folder}") if path.endswith(suffix)]
            contents: dict[str, bytes] = self._filesystem.cat(named) if named else {}
            return {Path(path).name: content for path, content in contents.items()}
        except OSError as error:
            raise StorageError(
                f"The storage cannot be read: {error.strerror or type(error).__name__}",
                where=folder,
                safe="Nothing was sent.",
                next="mend the permissions of the storage or the way to it, then run again",
            ) from error

    def _listed(self, folder: str) -> list[str]:
        try:
            self._filesystem.invalidate_cache(folder)
            return sorted(str(path) for path in self._filesystem.ls(folder, detail=False))
        except FileNotFoundError:
            return []

    def current(self, ref: SegmentRef) -> SegmentRef:
        """The segment that stands in for ``ref`` by now; ``ref`` itself unless it was written again."""
        return self._standing_in(ref)

    def exists(self, ref: SegmentRef) -> bool:
        """Whether a file of that name is there; says nothing about its bytes."""
        return bool(self._filesystem.exists(f"{self._root}/{self.current(ref).path}"))

    def remove(self, ref: SegmentRef) -> None:
        """Delete a file that no event names (a blocked candidate); missing is fine."""
        ref = self.current(ref)
        self.forget_copy(ref)
        self.remove_path(ref.path)

    def forget_copy(self, ref: SegmentRef) -> None:
        """Delete the local copy of exactly this segment, where the storage is not a directory."""
        if not self._is_local:
            self._copy(ref).unlink(missing_ok=True)

    def remove_path(self, path: str) -> bool:
        """Delete a file by its path below the root; whether it was there."""
        target = f"{self._root}/{path}"
        if not self._filesystem.exists(target):
            return False
        self._filesystem.rm_file(target)
        return True

    def paths(self, folder: str) -> list[str]:
        """Every file below a folder, by its path below the root, half-written ones too."""
        return [file.path for file in self.files(folder)]

    def files(self, folder: str) -> list[StoredFile]:
        """Every file below a folder, by path, half-written ones too."""
        self._filesystem.invalidate_cache()
        found = self._filesystem.find(f"{self._root}/{folder}", detail=True)
        return [stored_file(self._root, path, told) for path, told in sorted(found.items())]

    @contextmanager
    def reading_path(self, path: str) -> Iterator[Path]:
        """A file by its path below the root, as a local one for the time of the block."""
        if self._is_local:
            yield Path(self._root, path)
            return
        copy = self._scratch / "cache" / f"{self._entropy.token(8)}{_TEMPORARY}"
        make_folder(copy.parent)
        try:
            make_file(copy)
            self._filesystem.get_file(f"{self._root}/{path}", str(copy))
            yield copy
        finally:
            copy.unlink(missing_ok=True)


def _as_named(ref: SegmentRef) -> SegmentRef:
    return ref


def _opened(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ConfigurationError(
            f"The kind of storage that the project names needs a package: {error}",
            safe="Nothing was started.",
            next="install the package beside Tidegate, or name another `storage` in tidegate.yaml",
        ) from error
    return filesystem, str(root)


def _replace(target: Path, content: bytes, token: str) -> None:
    """Write beside the file, then take its place: a reader sees the former content or the new one, and never half."""
    _make_directory(target.parent)
    temporary = target.with_name(f"{target.name}.{token}{_TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _make_directory(folder: Path) -> None:
    """Create a directory and those above it, each on disk: with a lost one everything in it would be lost."""
    if not folder.exists():
        _make_directory(folder.parent)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _sync_directory(folder.parent)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(ref: SegmentRef, why: str) -> SegmentDamaged:
    return SegmentDamaged(
        f"Segment {ref.path} {why}",
        where=ref.path,
        safe="Nothing was sent from it.",
        next="restore the file from a backup of the storage; `tidegate ledger verify` checks the ledger itself",
    )
