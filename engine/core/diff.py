"""The difference between two versions of a dataset, and a version put together again from differences.

Both are set-based: keys and row hashes meet in one join, and only the rows of changed keys are read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.types import Table

from engine.core.canonical import row_hash
from engine.core.relations import union

CHANGE = "_change"
"""Column of a change segment: ``insert``, ``update`` or ``delete``."""
_LEVEL = "_level"


class IncomparableTypes(ValueError):
    """A column holds another kind of value than before; comparing would call every row changed."""

    def __init__(self, column: str, before: str, after: str) -> None:
        super().__init__(f"column {column} was {before} and is {after}")
        self.column = column
        self.before = before
        self.after = after


def changed_keys(before: Table, after: Table, key: Sequence[str]) -> Table:
    """Keys that differ between two tables, with `CHANGE`.

    Columns are those of ``after``; one that ``before`` lacks counts as null there. Keys must be unique and not
    null on both sides. Raises `IncomparableTypes`.
    """
    before, after = aligned(before, after)
    columns = [c for c in after.columns if c not in key]
    left = before.select(*key, h=row_hash(before, columns) if columns else ibis.literal(0))
    right = after.select(*key, h=row_hash(after, columns) if columns else ibis.literal(0))
    joined = left.outer_join(right, list(key), lname="", rname="{name}_after")
    gone, new = joined.h_after.isnull(), joined.h.isnull()
    kind = ibis.cases((new, "insert"), (gone, "delete"), else_="update")
    keys = {name: ibis.coalesce(joined[name], joined[f"{name}_after"]) for name in key}
    return joined.filter(new | gone | (joined.h != joined.h_after)).select(**{CHANGE: kind}, **keys)


def change_rows(keys: Table, before: Table, after: Table, key: Sequence[str]) -> Table:
    """The rows of a change segment: the new row of an insert or update, the old row of a delete."""
    before, after = aligned(before, after)
    gone = keys.filter(keys[CHANGE] == "delete")
    kept = keys.filter(keys[CHANGE] != "delete")
    columns = [CHANGE, *after.columns]
    new_rows = after.join(kept, list(key)).select(*columns)
    old_rows = before.join(gone, list(key)).select(*columns)
    return union(new_rows, old_rows)


def version_rows(snapshot: Table, segments: Sequence[Table], key: Sequence[str]) -> Table:
    """A later version from a snapshot and the change segments after it, oldest first."""
    if not segments:
        return snapshot
    newest = segments[-1]
    columns = [c for c in newest.columns if c != CHANGE]
    target = newest.schema()
    levels = [_conformed(s, [CHANGE, *columns], target).mutate(**{_LEVEL: i}) for i, s in enumerate(segments)]
    changes = union(*levels)
    place = ibis.row_number().over(group_by=list(key), order_by=ibis.desc(_LEVEL))
    last = changes.mutate(_place=place).filter(lambda t: t["_place"] == 0)
    untouched = _conformed(snapshot, columns, target).anti_join(last.select(*key), list(key))
    present = last.filter(last[CHANGE] != "delete").select(*columns)
    return union(untouched, present)


def aligned(before: Table, after: Table) -> tuple[Table, Table]:
    """Both tables with the columns of ``after`` and, where numeric types differ, one common exact type."""
    common: dict[str, dt.DataType] = {}
    for name, right in after.schema().items():
        left = before.schema().get(name, right)
        common[name] = right if _same(left, right) else _common(name, left, right)
    left, right = (
        table.select(
            **{
                name: ibis.null(kind)
                if name not in table.columns
                else table[name]
                if _same(table.schema()[name], kind)
                else table[name].cast(kind)
                for name, kind in common.items()
            }
        )
        for table in (before, after)
    )
    return left, right


def _conformed(table: Table, columns: Sequence[str], target: Any) -> Table:
    return table.select(
        **{
            name: table[name].cast(target[name])
            if name in table.columns and not _same(table.schema()[name], target[name])
            else table[name]
            if name in table.columns
            else ibis.null(target[name])
            for name in columns
        }
    )


def _same(left: dt.DataType, right: dt.DataType) -> bool:
    return bool(left.copy(nullable=True) == right.copy(nullable=True))


def _common(name: str, left: dt.DataType, right: dt.DataType) -> dt.DataType:
    if not (left.is_numeric() and right.is_numeric()):
        raise IncomparableTypes(name, str(left), str(right))
    if left.is_floating() or right.is_floating():
        return dt.float64
    scales = [kind.scale or 0 for kind in (left, right) if isinstance(kind, dt.Decimal)]
    return dt.Decimal(38, max(scales, default=0))
