"""Unions of tables whose columns agree in all but nullability, which set operations would refuse."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from engine.core.remembered import remembered


@remembered
def union(first: Table, *rest: Table, distinct: bool = False) -> Table:
    """All rows of tables with the same columns; with ``distinct``, each row once."""
    if not rest:
        return first.distinct() if distinct else first
    return ibis.union(_nullable(first), *(_nullable(table) for table in rest), distinct=distinct)


def _nullable(table: Table) -> Table:
    return table.cast({name: kind.copy(nullable=True) for name, kind in table.schema().items()})
