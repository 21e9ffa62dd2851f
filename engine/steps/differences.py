"""What a candidate, or a held version, changes of the version before it, and the segment that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.diff import CHANGE, change_rows, changed_keys
from engine.core.names import DatasetId, SegmentRef, VersionNumber
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.steps.facts import Tools
from engine.steps.snapshots import snapshot_table, version_folder


@dataclass(frozen=True, slots=True)
class Difference:
    """Changed ``keys`` between the rows of two versions; a first version has nothing before it, and so no keys."""

    key: tuple[str, ...]
    new: Table
    old: Table | None
    keys: Table | None
    inserts: int
    updates: int
    deletes: int

    @property
    def is_empty(self) -> bool:
        return not (self.inserts or self.updates or self.deletes)


class KeyMoved(ValueError):
    """The primary key is another, or of another type: no row of one version is a row of the other."""


def difference(
    tools: Tools, session: Session, dataset: DatasetId, before: VersionRow | None, new: Table, key: Sequence[str]
) -> Difference:
    """Compare rows with the version ``before``; raises `KeyMoved` and `IncomparableTypes`."""
    if before is None:
        rows = int(session.single(new.aggregate(n=new.count()))["n"])
        return Difference(tuple(key), new, None, None, rows, 0, 0)
    old = snapshot_table(tools, session, dataset, before.version)
    _refuse_moved_key(before, old, new, key)
    keys = session.cached(changed_keys(old, new, key))
    counted = {row[CHANGE]: int(row["n"]) for row in session.fetch(keys.group_by(CHANGE).aggregate(n=keys.count()))}
    kinds = (counted.get(kind, 0) for kind in ("insert", "update", "delete"))
    return Difference(tuple(key), new, old, keys, *kinds)


def change_segment(
    tools: Tools, session: Session, dataset: DatasetId, version: VersionNumber, found: Difference
) -> SegmentRef | None:
    """Write the change segment of ``version``; None for a first one."""
    if found.keys is None or found.old is None:
        return None
    with tools.storage.writing(version_folder(dataset), f"{version:08d}-changes") as draft:
        session.write(change_rows(found.keys, found.old, found.new, found.key), draft.local)
    return draft.ref


def _refuse_moved_key(before: VersionRow, old: Table, new: Table, key: Sequence[str]) -> None:
    if tuple(before.key) != tuple(key):
        raise KeyMoved(f"the primary key was {', '.join(before.key)} and is {', '.join(key)}")
    for name in key:
        left, right = old.schema()[name], new.schema()[name]
        if left.copy(nullable=True) != right.copy(nullable=True):
            raise KeyMoved(f"primary key column {name} was {left} and is {right}")
