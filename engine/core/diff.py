"""The difference between two versions of a dataset, and a version put together again from differences.

Both are set-based: keys and row hashes meet in one join, and only the rows of changed keys are read in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.schema import Schema
from ibis.expr.types import Column, Table

from engine.core.canonical import row_hash, text
from engine.core.relations import union
from engine.core.remembered import remembered

CHANGE = "_change"
"""Column of a change segment: ``insert``, ``update`` or ``delete``."""
PLACE = "_place"
"""Column of several change segments in one table: the place of the row's segment among them, from 0."""
_HASH = "_hash"


class IncomparableTypes(ValueError):
    """A column holds another kind of value than before; comparing would call every row changed."""

    def __init__(self, column: str, before: str, after: str) -> None:
        super().__init__(f"column {column} was {before} and is {after}")
        self.column = column
        self.before = before
        self.after = after


@remembered
def changed_keys(before: Table, after: Table, key: Sequence[str]) -> Table:
    """Keys that differ between two tables, with `CHANGE`.

    Columns are those of ``after``; one that ``before`` lacks counts as null there. A number of another type than
    before is unchanged only if its text is the same and ``after``'s type would give it back. Keys must be unique and
    not null on both sides, of one type. Raises `IncomparableTypes`.
    """
    pairs = [pair for name in after.columns if name not in key for pair in _compared(before, after, name)]
    left = _hashed(before, key, [old for old, _ in pairs])
    right = _hashed(after, key, [new for _, new in pairs])
    joined = left.outer_join(right, list(key), lname="", rname="{name}_after")
    old, new = joined[_HASH], joined[f"{_HASH}_after"]
    kind = ibis.cases((old.isnull(), "insert"), (new.isnull(), "delete"), else_="update")
    keys = {name: ibis.coalesce(joined[name], joined[f"{name}_after"]) for name in key}
    return joined.filter(old.isnull() | new.isnull() | (old != new)).select(**{CHANGE: kind}, **keys)


@remembered
def change_rows(keys: Table, before: Table, after: Table, key: Sequence[str]) -> Table:
    """The rows of a change segment: the new row of an insert or update, the old row of a delete.

    Columns and types are those of ``after``; a value of a deleted row that they cannot hold is null. Rows stand in the order
    of their keys, where neighbours are alike and take fewer bytes.
    """
    gone = keys.filter(keys[CHANGE] == "delete")
    kept = keys.filter(keys[CHANGE] != "delete")
    columns = [CHANGE, *after.columns]
    new_rows = after.join(kept, list(key)).select(*columns)
    old_rows = _conformed(before, after.schema()).join(gone, list(key)).select(*columns)
    return union(new_rows, old_rows).order_by(list(key))


@remembered
def version_rows(snapshot: Table, segments: Sequence[Table], key: Sequence[str]) -> Table:
    """A later version from a snapshot and the change segments after it, oldest first.

    A key comes once in a segment; several that follow one another and are alike may come as one table, with their order in
    `PLACE`.
    """
    if not segments:
        return snapshot
    shapes = [_shape(segment) for segment in segments]
    parts, newer = list[Table](), list[Table]()
    for place in reversed(range(len(segments))):
        rows, keys = _newest(segments[place], key)
        last = _carried(rows, shapes[place:], CHANGE)
        last = last.anti_join(union(*newer), list(key)) if newer else last
        parts.append(last.filter(last[CHANGE] != "delete").select(*shapes[-1].names))
        newer.append(keys)
    return union(_carried(snapshot, shapes).anti_join(union(*newer), list(key)), *reversed(parts))


def _newest(segment: Table, key: Sequence[str]) -> tuple[Table, Table]:
    """The newest change of each key, and the keys; found by keys alone: most columns are then read once, of few rows."""
    if PLACE not in segment.columns:
        return segment, segment.select(*key)
    newest = segment.group_by(list(key)).aggregate(**{PLACE: segment[PLACE].max()})
    return segment.semi_join(newest, [*key, PLACE]).drop(PLACE), newest.select(*key)


def _shape(segment: Table) -> Schema:
    return segment.drop(*(name for name in (CHANGE, PLACE) if name in segment.columns)).schema()


def _compared(before: Table, after: Table, name: str) -> Iterator[tuple[Column, Column]]:
    """Values of both sides that are equal, nulls included, when the column did not change."""
    new = after[name]
    kind = new.type()
    if name not in before.columns:
        yield ibis.null(kind), new
        return
    old = before[name]
    if _same(old.type(), kind):
        yield old, new
        return
    if not (old.type().is_numeric() and kind.is_numeric()):
        raise IncomparableTypes(name, str(old.type()), str(kind))
    # What has another text is another value to a destination, whichever way it is compared.
    yield text(old), text(new)
    # A version that is rebuilt gets an unchanged number by this cast.
    yield old.try_cast(kind), new


def _hashed(table: Table, key: Sequence[str], columns: Sequence[Column]) -> Table:
    """The key with the hash of other columns of the same rows."""
    named = {f"_compared_{place}": column for place, column in enumerate(columns)}
    values = table.select(*key, **named)
    return values.select(*key, **{_HASH: row_hash(values, list(named)) if named else ibis.literal(0)})


def _carried(table: Table, shapes: Sequence[Schema], *kept: str) -> Table:
    """A table in the columns and types of a later version, by way of those between.

    A column that left and came back is a new one, and a number is rounded as often as its versions were.
    """
    for shape in shapes:
        if list(table.schema().items()) != [*((name, table.schema()[name]) for name in kept), *shape.items()]:
            table = _conformed(table, shape, *kept)
    return table


def _conformed(table: Table, shape: Schema, *kept: str) -> Table:
    """Rows in other columns and types. A value that does not fit is null: only rows that are no more have one."""
    return table.select(*kept, **{name: _as(table, name, kind) for name, kind in shape.items()})


def _as(table: Table, name: str, kind: dt.DataType) -> Column:
    if name not in table.columns:
        return ibis.null(kind)
    return table[name] if _same(table.schema()[name], kind) else table[name].try_cast(kind)


def _same(left: dt.DataType, right: dt.DataType) -> bool:
    return bool(left.copy(nullable=True) == right.copy(nullable=True))
