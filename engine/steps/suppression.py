"""Suppression lists that were imported here: kept as hashes, changed by events, and held against rows before they leave.

A list is one segment of hashes, and an event names all lists that count from it on. It counts at once, also for a run
that is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
from ibis.expr.types import Table

from engine.core.desired import Refusal
from engine.core.events import SuppressionChanged, SuppressionList
from engine.core.names import SUPPRESSION_STREAM, Position, SegmentRef
from engine.core.relations import union
from engine.core.suppression import Identifier, suppressed_keys
from engine.errors import ConfigurationError
from engine.segments.compute import Session
from engine.steps.anchors import check_anchors, drop_anchor
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.races import raced

SUPPRESSION_ANCHOR = "suppression"
FOLDER = "suppression/lists"
LISTS_MAX = 1000
ATTEMPTS_MAX = 10


@dataclass(frozen=True, slots=True)
class ListId:
    """Which list: what it knows people by, and of which destination it keeps them away (None is every one)."""

    name: str
    kind: Identifier
    destination: str | None


@dataclass(frozen=True, slots=True)
class Applying:
    """The lists that a sync must honour, by what they know people by, with ``hash``.

    ``columns`` are the dataset's; None when its file does not say, so that nobody can tell who is in a list.
    """

    names: tuple[str, ...]
    lists: Mapping[Identifier, Table]
    columns: Mapping[str, Identifier] | None


def suppressions_head(tools: Tools) -> Position:
    """How often lists were changed; 0 when never."""
    return tools.ledger.head(SUPPRESSION_STREAM)


def suppression_lists(tools: Tools) -> tuple[SuppressionList, ...]:
    """Every list that counts."""
    return _newest(tools)[1]


def applying(tools: Tools, session: Session, sync: Sync) -> Applying | None:
    """The lists that keep people away from the sync's destination; None when there is none.

    Raises `StorageError` when one of them cannot be read: then nothing may leave.
    """
    found = [each for each in suppression_lists(tools) if each.destination in {None, sync.target.name}]
    if not found:
        return None
    tables: dict[Identifier, list[Table]] = {}
    for each in found:
        table = session.table(tools.storage.local(each.segment))
        tables.setdefault(Identifier(each.kind), []).append(table.select("hash"))
    lists = {kind: union(*parts, distinct=True) for kind, parts in tables.items()}
    return Applying(tuple(each.name for each in found), lists, sync.dataset.identifiers)


def identified(dataset: Dataset) -> list[list[list[str]]]:
    """What the dataset's file says of its identifiers; nothing where it does not, so that such syncs keep their digest."""
    return [] if dataset.identifiers is None else [[[name, kind.value] for name, kind in dataset.identifiers.items()]]


def suppressed(session: Session, sync: Sync, lists: Applying | None, rows: Table) -> Table | None:
    """``pk`` and ``reason`` of the rows about people in ``lists``; None when there can be none, or nobody can tell."""
    if lists is None or not lists.columns:
        return None
    found = suppressed_keys(rows, lists.columns, lists.lists, sync.dataset.schema.key)
    return session.cached(found.mutate(reason=ibis.literal(Refusal.SUPPRESSED.value)))


def suppress(tools: Tools, session: Session, id: ListId, new: Table, reason: str) -> SuppressionChanged:
    """Add `entries` to a list, which begins with them if there is none of that name.

    Returns what the ledger says of it when that is durable. Raises `ConfigurationError` when the name is of another kind
    of list, `LedgerRegressed` when the ledger may not be written to.
    """

    def merged(lists: tuple[SuppressionList, ...]) -> SuppressionChanged:
        before = _named(lists, id.name)
        if before is None and len(lists) >= LISTS_MAX:
            raise _refused(f"There are {LISTS_MAX:,} lists, which is the most", "add to one that there is")
        if before is not None and (before.kind, before.destination) != (id.kind.value, id.destination):
            where = f"for {before.destination}" if before.destination else "for every destination"
            raise _refused(
                f"The list `{id.name}` is one of {before.kind}s {where}",
                "name another with --list, or import to that one",
            )
        old = [] if before is None else [session.table(tools.storage.local(before.segment))]
        after = _written(tools, session, id, union(*old, new, distinct=True))
        others = tuple(each for each in lists if each.name != id.name)
        added = after.entries - (before.entries if before else 0)
        return SuppressionChanged((*others, after), id.name, added, 0, reason)

    return _changed(tools, merged)


def lift(tools: Tools, session: Session, name: str, taken: Table | None, reason: str) -> SuppressionChanged:
    """Take `entries` out of a list, or all of it where ``taken`` is None; raises `ConfigurationError` for an unknown name."""

    def rest(lists: tuple[SuppressionList, ...]) -> SuppressionChanged:
        before = _named(lists, name)
        if before is None:
            known = ", ".join(each.name for each in lists) or "none"
            raise _refused(f"There is no suppression list `{name}`", f"known: {known}")
        others = tuple(each for each in lists if each.name != name)
        if taken is None:
            return SuppressionChanged(others, name, 0, before.entries, reason)
        kept = session.table(tools.storage.local(before.segment)).anti_join(taken, "entry")
        after = _written(tools, session, ListId(name, Identifier(before.kind), before.destination), kept)
        left = (*others, after) if after.entries else others
        return SuppressionChanged(left, name, 0, before.entries - after.entries, reason)

    return _changed(tools, rest)


def _changed(tools: Tools, change: Callable[[tuple[SuppressionList, ...]], SuppressionChanged]) -> SuppressionChanged:
    """Append a change of the lists as they are at that moment."""
    check_anchors(tools)

    def appended() -> SuppressionChanged:
        head, lists = _newest(tools)
        event = change(lists)
        tools.ledger.append(SUPPRESSION_STREAM, event, expected=head)
        return event

    event = raced(appended, ATTEMPTS_MAX)
    drop_anchor(tools, SUPPRESSION_ANCHOR, SUPPRESSION_STREAM)
    return event


def _newest(tools: Tools) -> tuple[Position, tuple[SuppressionList, ...]]:
    for recorded in tools.ledger.tail(1, SUPPRESSION_STREAM):
        assert isinstance(recorded.event, SuppressionChanged)
        return recorded.position, recorded.event.lists
    return Position(0), ()


def _named(lists: tuple[SuppressionList, ...], name: str) -> SuppressionList | None:
    return next((each for each in lists if each.name == name), None)


def _written(tools: Tools, session: Session, id: ListId, rows: Table) -> SuppressionList:
    with tools.storage.writing(FOLDER, tools.entropy.token(8)) as draft:
        session.write(rows.order_by("entry", "hash"), draft.local)
    ref: SegmentRef = draft.ref
    written = session.table(tools.storage.local(ref))
    count = int(session.single(written.aggregate(n=written.entry.nunique()))["n"])
    return SuppressionList(id.name, id.kind.value, id.destination, count, ref)


def _refused(what: str, next: str) -> ConfigurationError:
    return ConfigurationError(what, safe="Nothing was changed.", next=next)
