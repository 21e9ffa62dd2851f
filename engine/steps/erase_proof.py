"""Proof that nothing of somebody is left: every stored row is asked again, and every other file is read byte by byte.

Rows are asked by their subject columns. Values that belonged to nobody else are gathered before anything is rewritten and
looked for in all that is no segment: the ledger's files, logs, notes, exports. One that is shorter than a few letters
would be found everywhere; how many could not be looked for is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ibis.expr.types import Table

from engine.core.canonical import text
from engine.core.relations import union
from engine.ledger.projections.replaced import superseded
from engine.segments.compute import Session
from engine.steps.erase_segments import People, Versions
from engine.steps.facts import Tools

LETTERS_MIN = 6
DIGITS_MIN = 11
"""Shorter numbers stand everywhere: as counts, sizes and dates."""
CHUNK_BYTES = 1 << 20
IDLE_SECONDS = 60
VALUES_MAX = 1_000_000
_TOKEN = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Searched:
    """How many files and bytes were read for how many values, how many were too short, and the files that hold one."""

    files: int
    bytes: int
    values: int
    too_short: int
    found_in: tuple[str, ...]


def own_values(tools: Tools, session: Session, kept: Versions, identifiers: Sequence[str], people: People) -> set[str]:
    """The texts of subject columns and identifiers in rows about these people, unless somebody else has them too."""
    mine, others = list[Table](), list[Table]()
    for rows in session.groups(tools.storage.local(ref) for ref in kept.segments):
        subjects = [c for c in kept.columns if c in rows.columns]
        columns = [c for c in dict.fromkeys((*subjects, *identifiers)) if c in rows.columns]
        if not subjects or not columns:
            continue
        about = people.about(rows, subjects)
        for chosen, parts in ((rows.filter(about), mine), (rows.filter(~about), others)):
            parts += [chosen.select(value=text(chosen[c])) for c in columns]
    if not mine:
        return set()
    theirs = session.cached(union(*mine, distinct=True))
    shared = session.cached(union(*others).semi_join(theirs, "value").distinct())
    alone = theirs.filter(theirs.value.notnull()).anti_join(shared, "value").limit(VALUES_MAX)
    return {row["value"] for row in session.fetch(alone)}


def count_about(session: Session, tables: Iterable[Table], columns: Sequence[str], people: People) -> int:
    """Rows about these people that are left; those that are set aside are known by their key alone."""
    found = 0
    for table in tables:
        named = [c for c in columns if c in table.columns]
        if named:
            mine = people.about(table, named)
        elif "pk" in table.columns:
            mine = table.pk.isin(people.keys.pk).fill_null(False)
        else:
            continue
        found += int(session.single(table.aggregate(n=table.count(where=mine)))["n"])
    return found


def search(sources: Iterable[tuple[str, Iterable[bytes]]], values: Iterable[str]) -> Searched:
    """Read named sources, each in chunks, for values; a value is looked for by the longest word of it."""
    probes, count, short = dict[bytes, list[bytes]](), 0, 0
    for value in values:
        for form in {value.encode(), ascii(value)[1:-1].encode()}:
            word = max(filter(_is_telling, _TOKEN.findall(form)), key=len, default=b"")
            if not word:
                short += form == value.encode()
                continue
            count += form == value.encode()
            probes.setdefault(word, []).append(form)
    longest = max((len(form) for forms in probes.values() for form in forms), default=0)
    read, size, found = 0, 0, list[str]()
    for name, chunks in sources:
        read, tail = read + 1, b""
        for chunk in chunks:
            size += len(chunk)
            seen = tail + chunk
            tail = seen[-2 * longest - 1 :]
            if any(form in seen for word in probes.keys() & set(_TOKEN.findall(seen)) for form in probes[word]):
                found.append(name)
                break
    return Searched(read, size, count, short, tuple(found))


def _is_telling(word: bytes) -> bool:
    return len(word) >= (DIGITS_MIN if word.isdigit() else LETTERS_MIN)


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes; none when it is gone by now."""
    try:
        with path.open("rb") as file:
            while read := file.read(CHUNK_BYTES):
                yield read
    except FileNotFoundError:
        return


def sweep(tools: Tools, folders: Sequence[str], named: Collection[str], holds: Callable[[Path], bool]) -> int:
    """Remove what a crash or a refused capture left and no event names, where somebody stands in it; returns how many.

    A file that is half-written may be somebody's who writes it now; one that nobody touched for a minute is not.
    """
    gone, removed = set(superseded(tools.database)), 0
    for folder in folders:
        for path in tools.storage.paths(folder):
            if path in named and path not in gone:
                continue
            with tools.storage.reading_path(path) as local:
                is_left = path in gone or (holds(local) if path.endswith(".parquet") else _is_idle(tools, local))
            removed += is_left and tools.storage.remove_path(path)
    return removed


def _is_idle(tools: Tools, path: Path) -> bool:
    return path.stat().st_mtime < tools.clock.now().timestamp() - IDLE_SECONDS
