"""A folder of Parquet, CSV and JSON-lines files: which files a table names, and that they hold still while read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from engine.sources.base import CHECK_PATH, Reading, Selection, unreadable
from engine.sources.delimited import reading_csv
from engine.sources.json_lines import reading_json_lines
from engine.sources.parquet import reading_parquet

_SUFFIXES = frozenset({".parquet", ".csv", ".jsonl"})

Stamps = Mapping[Path, tuple[int, int, int] | None]
"""Size, modification time and inode of every file that is read; None for a file that is gone."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Files below ``path``. A table is a file's name or a pattern; all files of a pattern are one table."""

    name: str
    path: str
    memory: str
    threads: int

    @contextmanager
    def open(self, selection: Selection) -> Iterator[Reading]:
        """Read files in order of name; raises `SourceError`, also when one changes meanwhile."""
        if selection.table is None:
            why = "files are read by `source.table`, not by a query"
            raise unreadable(self.name, selection, why, "name the file, or query the files from a DuckDB database.")
        folder = Path(self.path).resolve()
        files = self._files(folder, selection.table, selection)
        before = _stamps(files)
        fail = partial(unreadable, self.name, selection)
        match files[0].suffix:
            case ".parquet":
                opened = reading_parquet(files, fail)
            case ".csv":
                opened = reading_csv(files, folder, self.memory, self.threads, fail)
            case _:
                opened = reading_json_lines(files, fail)
        with opened as reading:
            yield Reading(reading.schema, self._held_still(reading.batches, before, selection))

    def _files(self, folder: Path, pattern: str, selection: Selection) -> list[Path]:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise unreadable(self.name, selection, "the path leads out of the connection's folder")
        try:
            plain = folder / pattern
            found = [plain] if plain.is_file() else sorted(p for p in folder.glob(pattern) if p.is_file())
        except (OSError, ValueError, NotImplementedError):
            found = []
        if not found:
            raise unreadable(self.name, selection, f"there is no file {pattern} in the connection's folder", CHECK_PATH)
        if any(not path.resolve().is_relative_to(folder) for path in found):
            raise unreadable(self.name, selection, "a file is a link that leads out of the connection's folder")
        wanted = found[0].suffix if found[0].suffix in _SUFFIXES else None
        if others := [path.name for path in found if path.suffix != wanted]:
            why = f"{others[0]} does not fit in: the files must be all .parquet, all .csv or all .jsonl, not compressed"
            raise unreadable(self.name, selection, why)
        return found

    def _held_still(
        self, batches: Iterator[pa.RecordBatch], before: Stamps, selection: Selection
    ) -> Iterator[pa.RecordBatch]:
        yield from batches
        after = _stamps(before)
        changed = [path.name for path, stamp in before.items() if stamp is None or stamp != after[path]]
        if changed:
            retry = "write files under another name and rename them when they are whole; then run again."
            raise unreadable(self.name, selection, f"{changed[0]} changed while it was read", retry)


def _stamps(files: Iterable[Path]) -> Stamps:
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
