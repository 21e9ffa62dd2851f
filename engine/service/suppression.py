"""Suppression lists: read one from a file, show what there is, take people out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
from ibis.expr.types import Table

from engine.core.events import SuppressionChanged, SuppressionList
from engine.core.reason import check_reason
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.suppression import Identifier, entries, formless, hashed_entries
from engine.errors import ConfigurationError
from engine.segments.compute import Session
from engine.service.app import App
from engine.sources.base import Selection
from engine.sources.normalise import ValueViolation, normalise
from engine.sources.registry import open_source
from engine.steps.suppression import ListId, lift, suppress, suppression_lists

HASHES = "sha256"
"""The column of a file that holds hashes; one that holds plain values has the name of its kind."""
_SAFE = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class ListReport:
    """One list; ``destination`` is empty where it holds for all, ``syncs`` are those that must honour it."""

    name: str
    kind: str
    destination: str
    entries: int
    syncs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuppressionReport:
    """How many entries of a list are new or gone, how many it has now, and what to type now."""

    list: str
    kind: str
    destination: str
    added: int
    removed: int
    entries: int
    syncs: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Import:
    """A list as a person gives it; ``name`` is empty for the usual list of its kind and destination."""

    file: Path
    kind: Identifier
    is_hashed: bool
    destination: str | None = None
    name: str = ""
    reason: str = ""

    @property
    def list_name(self) -> str:
        usual = f"{self.kind.value}-{self.destination}" if self.destination else self.kind.value
        return self.name or usual


def listing(app: App) -> list[ListReport]:
    """Every list, by name."""
    return [
        ListReport(each.name, each.kind, each.destination or "", each.entries, _syncs(app, each.destination))
        for each in sorted(suppression_lists(app.tools), key=lambda each: each.name)
    ]


def import_list(app: App, asked: Import) -> SuppressionReport:
    """Add every value of a Parquet, CSV or JSON-lines file to a list, or none.

    Raises `ConfigurationError` with the row for a value that has not the form of its kind, and for a destination that
    there is not; `SourceError` for a file that cannot be read whole.
    """
    if asked.destination is not None and asked.destination not in app.destinations:
        known = sorted(app.destinations)
        near = get_close_matches(asked.destination, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known) or 'none'}"
        raise ConfigurationError(
            f"There is no destination `{asked.destination}` in this environment", safe=_SAFE, next=hint
        )
    kind = None if asked.is_hashed else asked.kind
    with app.tools.compute.session() as session:
        found = _entries(session, asked.file, kind)
        _check_reason(session, found, asked.reason, asked.kind)
        id = ListId(asked.list_name, asked.kind, asked.destination)
        event = suppress(app.tools, session, id, found, asked.reason)
    return _report(app, event, asked.kind.value, asked.destination)


def remove_list(app: App, name: str, file: Path | None, *, is_hashed: bool, reason: str) -> SuppressionReport:
    """Take the values of ``file`` out of a list, or all of it without one; who consents may be sent again."""
    before = next((each for each in suppression_lists(app.tools) if each.name == name), None)
    with app.tools.compute.session() as session:
        taken = None
        if file is not None and before is not None:
            kind = Identifier(before.kind)
            taken = _entries(session, file, None if is_hashed else kind)
            _check_reason(session, taken, reason, kind)
        event = lift(app.tools, session, name, taken, reason)
    assert before is not None, "a list that there is not was refused"
    return _report(app, event, before.kind, before.destination)


def _entries(session: Session, file: Path, kind: Identifier | None) -> Table:
    """The entries that the values of a file make; all of them, or a refusal that names the first row at fault."""
    values = session.cached(session.rows(_read(file, HASHES if kind is None else kind.value)))
    bad = values.filter(formless(values.value, kind))
    count = int(session.single(bad.aggregate(n=bad.count()))["n"])
    if count:
        first = int(session.single(bad.aggregate(first=bad.row.min()))["first"])
        wanted = "a SHA-256 in hexadecimal" if kind is None else f"{_WANTED[kind]}"
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        raise _unusable(
            file, f"row {first:,}{more} is not {wanted}", "correct it, or leave it out; nothing was imported"
        )
    return session.cached(hashed_entries(values) if kind is None else entries(values, kind))


_WANTED = {
    Identifier.EMAIL: "an e-mail address",
    Identifier.PHONE: "a phone number that says its country, with + or 00",
    Identifier.ID: "an id",
}


def _read(file: Path, column: str) -> pa.Table:
    """``row``, from 1, and ``value`` of every row of a file."""
    if not file.is_file():
        raise _unusable(file, "there is no such file", "give the path of a .parquet, .csv or .jsonl file")
    source = open_source("files", {"name": "import", "path": str(file.parent), "memory": "512MB", "threads": 1})
    with source.open(Selection(table=file.name)) as reading:
        schema = TableSchema((Column(column, LogicalType.STRING, required=True),))
        normalised = normalise(reading, schema)
        if breaking := [finding.message for finding in normalised.drift if finding.breaking]:
            raise _unusable(file, "; ".join(breaking), f"name the column that holds the values `{column}`")
        try:
            values = normalised.reader.read_all()[column]
        except ValueViolation as violation:
            raise _unusable(file, str(violation), "correct that row, then import the file again") from violation
    if not len(values):
        raise _unusable(file, "it holds no value", "check that the whole list was exported")
    return pa.table({"row": pa.array(range(1, len(values) + 1), pa.int64()), "value": values.cast(pa.string())})


def _check_reason(session: Session, found: Table, reason: str, kind: Identifier) -> None:
    """Refuse a reason that names somebody in the list, in any form that the list knows people by."""

    def names_one(words: Sequence[str]) -> bool:
        said = session.rows(pa.table({"value": pa.array(words, pa.string())}))
        named = entries(said, kind).semi_join(found, "entry")
        return bool(session.single(named.aggregate(n=named.count()))["n"])

    check_reason(reason, names_one, safe=_SAFE)


def _syncs(app: App, destination: str | None) -> tuple[str, ...]:
    return tuple(sorted(n for n, sync in app.syncs.items() if destination in {None, sync.target.name}))


def _report(app: App, event: SuppressionChanged, kind: str, destination: str | None) -> SuppressionReport:
    syncs = _syncs(app, destination)
    return SuppressionReport(
        list=event.name,
        kind=kind,
        destination=destination or "",
        added=event.added,
        removed=event.removed,
        entries=_count(event.lists, event.name),
        syncs=syncs,
        next=f"tidegate run {' '.join(syncs)}" if syncs else "",
    )


def _count(lists: Sequence[SuppressionList], name: str) -> int:
    return next((each.entries for each in lists if each.name == name), 0)


def _unusable(file: Path, why: str, next: str) -> ConfigurationError:
    return ConfigurationError(f"The list was not used: {why}", where=str(file), safe=_SAFE, next=next)
