"""Whether a project's files changed: by their names, sizes and times, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from config.folder import DEPTH_MAX, PROJECT_FILE

FOLDERS = ("contracts", "datasets", "destinations", "syncs")


class Watch:
    """The files of a project between two readings of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = self._seen = self._valid = b""

    def read(self) -> None:
        """They are read now."""
        self._read = self._seen = stamp(self._folder)

    def valid(self) -> None:
        """What was read last is what is used."""
        self._valid = self._read

    def changed(self) -> bool:
        """Whether they are others than those that were read, and stayed as they are since the last look."""
        before, self._seen = self._seen, stamp(self._folder)
        return self._seen == before != self._read

    def are_those_in_use(self) -> bool:
        """Whether another reading would give what is used now."""
        return stamp(self._folder) == self._valid


def stamp(folder: Path) -> bytes:
    """Another one whenever a file of the project in ``folder`` was added, removed, or written."""
    digest = blake2b(digest_size=16)
    for name in (PROJECT_FILE, *FOLDERS):
        for fact in _facts(folder / name, DEPTH_MAX):
            digest.update(repr(fact).encode())
    return digest.digest()


def _facts(path: Path, depth: int) -> Iterator[tuple[str, int, int, int]]:
    try:
        if not path.is_dir():
            found = path.stat()
            yield str(path), found.st_size, found.st_mtime_ns, found.st_ino
            return
        with os.scandir(path) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth > 0:
                    yield from _facts(Path(entry.path), depth - 1)
                continue
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns, found.st_ino
    except OSError:
        # What cannot be looked at now is another fact than what could, and told when the files are read.
        yield str(path), -1, 0, 0
