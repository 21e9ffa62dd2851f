"""Written values of a contract as conditions on a column, exact in whatever type the source gave the column."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import ibis
from ibis.expr.types import BooleanValue, Column

from engine.core.demands import Value

_INT64 = 2**63


def is_among(column: Column, values: Sequence[Value]) -> BooleanValue:
    """Whether a value that is not null is one of ``values``; one that the column's type cannot hold is never met."""
    literals = [literal for value in values if (literal := _literal(column, value)) is not None]
    return column.isin(literals) if literals else ibis.literal(value=False)


def _literal(column: Column, value: Value) -> ibis.Scalar | None:
    kind = column.type()
    if not isinstance(value, Decimal):
        return ibis.literal(value, type=kind)
    if kind.is_floating():
        return ibis.literal(float(value), type=kind)
    if kind.is_integer():
        is_whole = value == value.to_integral_value() and abs(value) < _INT64
        return ibis.literal(int(value), type=kind) if is_whole else None
    scaled = value.scaleb(kind.scale)
    is_held = scaled == scaled.to_integral_value() and abs(scaled) < Decimal(10) ** kind.precision
    return ibis.literal(value, type=kind) if is_held else None
