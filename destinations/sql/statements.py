"""The statements that both databases understand: from a staged batch into a table, set by set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from destinations.base import Batch, Op

ID = "tidegate:id"
"""The staged column that names the record; not a name that a table's column has by accident."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The records of a batch that carry the same fields: ``places`` are their positions in it.

    A field that is absent keeps its value at the destination, so records of another shape need another statement.
    """

    keys: tuple[str, ...]
    fields: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that are written, key first."""
        return (*self.keys, *self.fields)


def shapes(batch: Batch) -> tuple[Shape, ...]:
    """The shapes of a batch, in order of first appearance; fields that are also keys count as keys."""
    found: dict[tuple[str, ...], list[int]] = {}
    for place, text in enumerate(batch.rows.column("fields").to_pylist()):
        found.setdefault(tuple(orjson.loads(text)), []).append(place)
    keys = keys_of(batch)
    return tuple(
        Shape(keys, tuple(name for name in names if name not in keys), tuple(places)) for names, places in found.items()
    )


def keys_of(batch: Batch) -> tuple[str, ...]:
    """The key columns, which are the same for every record of a sync."""
    return tuple(orjson.loads(batch.rows.column("key")[0].as_py()))


def quoted(name: str) -> str:
    """An identifier for SQL, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Sequence[str], prefix: str = "") -> str:
    """Identifiers with commas between them, each behind ``prefix``."""
    return ", ".join(prefix + quoted(name) for name in names)


def writing(op: Op, target: str, source: str, shape: Shape) -> Iterator[str]:
    """What applies one shape; ``target`` and ``source`` are SQL, ``source`` with the shape's columns and `ID`."""
    columns, keys = quoted_list(shape.columns), quoted_list(shape.keys)
    match op:
        case Op.UPSERT | Op.INSERT:
            pairs = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in shape.fields)
            action = f"UPDATE SET {pairs}" if pairs and op is Op.UPSERT else "NOTHING"
            # `WHERE true` tells SQLite that ON belongs to the insert and not to a join.
            yield (
                f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {source} AS s WHERE true "
                f"ON CONFLICT ({keys}) DO {action}"
            )
        case Op.UPDATE:
            pairs = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in shape.fields)
            if pairs:
                yield f"UPDATE {target} AS t SET {pairs} FROM {source} AS s WHERE {_same(shape.keys)}"
        case Op.DELETE:
            yield f"DELETE FROM {target} WHERE ({keys}) IN (SELECT {keys} FROM {source} AS s)"
        case _:
            raise AssertionError(f"the spec does not offer `{op}`")


def missing(target: str, source: str, shape: Shape) -> str:
    """The ids of staged records whose key no row of the table has."""
    return (
        f"SELECT s.{quoted(ID)} FROM {source} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {_same(shape.keys)})"
    )


def _same(keys: Sequence[str]) -> str:
    return " AND ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys)
