"""The statements that every database here understands: from a staged batch into a table, set by set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from destinations.base import Op, Value

ID = "tidegate:id"
"""The staged column that names the record; not a name that a table's column has by accident."""
STAGE = "tidegate_batch"
"""The temporary table of one shape, which lives as long as the transaction that fills it."""

Document = tuple[str, dict[str, Value]]
"""A record's id with its fields and its key, by column."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The records of a batch that carry the same fields: ``rows`` hold the id and then the values of `columns`.

    A field that is absent keeps its value at the destination, so records of another shape need another statement.
    """

    keys: tuple[str, ...]
    fields: tuple[str, ...]
    rows: list[tuple[Value, ...]] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that are written, key first."""
        return (*self.keys, *self.fields)


@dataclass(frozen=True, slots=True)
class Writing:
    """Where records go: ``target`` is SQL, ``deleted`` the column that says since when a row counts as deleted."""

    target: str
    deleted: str | None = None


def shapes(keys: tuple[str, ...], documents: Iterable[Document]) -> list[Shape]:
    """The shapes of a batch, in order of first appearance; fields that are also keys count as keys."""
    found: dict[tuple[str, ...], tuple[Shape, itemgetter[Any]]] = {}
    for id, document in documents:
        names = tuple(document)
        if names not in found:
            shape = Shape(keys, tuple(name for name in names if name not in keys))
            found[names] = shape, itemgetter(ID, *shape.columns)
        shape, row = found[names]
        document[ID] = id
        shape.rows.append(row(document))
    return [shape for shape, _ in found.values()]


def quoted(name: str) -> str:
    """An identifier for SQL, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Sequence[str]) -> str:
    """Identifiers with commas between them."""
    return ", ".join(map(quoted, names))


def staging(target: str, shape: Shape) -> str:
    """What makes the temporary table of a shape, in the types of the columns that its values are for."""
    return (
        f"CREATE TEMPORARY TABLE {STAGE} AS "
        f"SELECT CAST(NULL AS text) AS {quoted(ID)}, {quoted_list(shape.columns)} FROM {target} WHERE false"
    )


def writing(op: Op, to: Writing, shape: Shape) -> Iterator[str]:
    """What applies the staged shape."""
    match op:
        case Op.UPSERT | Op.INSERT:
            yield _insert(op, to, shape)
        case Op.UPDATE:
            if shape.fields:
                pairs = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in shape.fields)
                yield f"UPDATE {to.target} AS t SET {pairs} FROM {STAGE} AS s WHERE {_there(to, shape)}"
        case Op.DELETE if to.deleted is not None:
            gone = f"{quoted(to.deleted)} = CURRENT_TIMESTAMP"
            yield f"UPDATE {to.target} AS t SET {gone} FROM {STAGE} AS s WHERE {_there(to, shape)}"
        case Op.DELETE:
            keys = quoted_list(shape.keys)
            yield f"DELETE FROM {to.target} WHERE ({keys}) IN (SELECT {keys} FROM {STAGE})"
        case _:
            raise AssertionError(f"the spec does not offer `{op}`")


def missing(to: Writing, shape: Shape) -> str:
    """The ids of staged records whose key no row of the table has."""
    return (
        f"SELECT s.{quoted(ID)} FROM {STAGE} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {to.target} AS t WHERE {_there(to, shape)})"
    )


def comparing(to: Writing, shape: Shape, same: Sequence[str]) -> str:
    """The staged records that the table has: the id, then for each field whether it is the ``same`` and what it holds.

    ``same`` has an expression per field over ``t``, the table's row, and ``s``, the staged one.
    """
    pairs = (
        f", {one}, CASE WHEN {one} THEN NULL ELSE t.{quoted(name)} END"
        for name, one in zip(shape.fields, same, strict=True)
    )
    return f"SELECT s.{quoted(ID)}{''.join(pairs)} FROM {STAGE} AS s JOIN {to.target} AS t ON {_there(to, shape)}"


def _insert(op: Op, to: Writing, shape: Shape) -> str:
    """A row that is marked as deleted comes back by both operations, and counts for an insert as one that is not there."""
    columns, values = quoted_list(shape.columns), quoted_list(shape.columns)
    pairs, only = [f"{quoted(name)} = excluded.{quoted(name)}" for name in shape.fields], ""
    if to.deleted is not None:
        columns, values = f"{columns}, {quoted(to.deleted)}", f"{values}, NULL"
        pairs.append(f"{quoted(to.deleted)} = NULL")
        only = f" WHERE t.{quoted(to.deleted)} IS NOT NULL" if op is Op.INSERT else ""
    elif op is Op.INSERT:
        pairs = []
    action = f"UPDATE SET {', '.join(pairs)}{only}" if pairs else "NOTHING"
    # `WHERE true` tells SQLite that ON belongs to the insert and not to a join.
    return (
        f"INSERT INTO {to.target} AS t ({columns}) SELECT {values} FROM {STAGE} WHERE true "
        f"ON CONFLICT ({quoted_list(shape.keys)}) DO {action}"
    )


def _there(to: Writing, shape: Shape) -> str:
    """That ``t`` is the row of the staged record ``s``, and is not marked as deleted."""
    same = [f"t.{quoted(key)} = s.{quoted(key)}" for key in shape.keys]
    return " AND ".join(same if to.deleted is None else [*same, f"t.{quoted(to.deleted)} IS NULL"])
