"""Written values of a contract as conditions on a column, exact in whatever type the source gave the column."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import gcd

import ibis
from ibis.expr.datatypes import DataType
from ibis.expr.types import BooleanValue, Column, Scalar

from engine.core.value_rules import Range, Value

_INT64 = 2**63
_WIDE = Context(prec=1_000)
"""Enough digits for every bound that a contract can write, so that scaling one rounds nothing."""
_DOUBLE_DIGITS = 10**15
"""Whole numbers up to this are told apart by doubles even after a multiplication."""


def is_among(column: Column, values: Sequence[Value]) -> BooleanValue:
    """Whether a value that is not null is one of ``values``; one that the column's type cannot hold is never met."""
    literals = [literal for value in values if (literal := _literal(column, value)) is not None]
    return column.isin(literals) if literals else ibis.literal(value=False)


def is_outside(column: Column, wanted: Range) -> BooleanValue:
    """Whether a value that is not null lies outside a range."""
    kind = column.type()
    if kind.is_integer() or kind.is_decimal():
        return _outside_exactly(column, wanted)
    conditions = [ibis.literal(value=False)]
    if wanted.low is not None:
        low = _comparable(column, wanted.low)
        conditions.append(column <= low if wanted.low_open else column < low)
    if wanted.high is not None:
        high = _comparable(column, wanted.high)
        conditions.append(column >= high if wanted.high_open else column > high)
    return ibis.or_(*conditions)


def is_no_multiple(column: Column, of: Decimal) -> BooleanValue:
    """Whether a number that is not null is no whole number of times ``of``; doubles are read with 15 digits."""
    _, digits, exponent = of.as_tuple()
    assert isinstance(exponent, int), "only finite numbers are read"
    factor, places = int("".join(map(str, digits))) * 10 ** max(exponent, 0), max(-exponent, 0)
    if column.type().is_floating():
        return _no_multiple_double(column, factor, places)
    scale = _scale(column.type())
    steps = factor * 10 ** (scale - places) if scale >= places else factor // gcd(factor, 10 ** (places - scale))
    smallest, largest = _limits(column.type())
    if steps > largest:
        few = [0, smallest] if steps == -smallest else [0]
        return column.notin([_exact(column.type(), units) for units in few])
    return column % _exact(column.type(), steps) != _exact(column.type(), 0)


def _outside_exactly(column: Column, wanted: Range) -> BooleanValue:
    """Ends as the first and the last value of the column's type that belong: nothing is rounded, nothing overflows."""
    kind = column.type()
    smallest, largest = _limits(kind)
    conditions = [ibis.literal(value=False)]
    if isinstance(wanted.low, Decimal):
        scaled = wanted.low.scaleb(_scale(kind), _WIDE)
        first = int(scaled.to_integral_value(ROUND_FLOOR, _WIDE)) + 1 if wanted.low_open else _ceiling(scaled)
        if first > largest:
            return ibis.literal(value=True)
        if first > smallest:
            conditions.append(column < _exact(kind, first))
    if isinstance(wanted.high, Decimal):
        scaled = wanted.high.scaleb(_scale(kind), _WIDE)
        last = _ceiling(scaled) - 1 if wanted.high_open else int(scaled.to_integral_value(ROUND_FLOOR, _WIDE))
        if last < smallest:
            return ibis.literal(value=True)
        if last < largest:
            conditions.append(column > _exact(kind, last))
    return ibis.or_(*conditions)


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING, _WIDE))


def _no_multiple_double(column: Column, factor: int, places: int) -> BooleanValue:
    """Whether no multiple is nearest to the double; beyond 15 digits of steps every double counts as one."""
    steps = column * _double(10.0**places)
    is_held = steps.abs() < _double(float(_DOUBLE_DIGITS))
    near = (steps.clip(-_DOUBLE_DIGITS, _DOUBLE_DIGITS) / _double(float(factor))).round()
    return is_held & (near.cast("float64") * _double(float(factor)) / _double(10.0**places) != column)


def _literal(column: Column, value: Value) -> Scalar | None:
    """A value in the column's type, or None when that cannot hold it."""
    kind = column.type()
    if not isinstance(value, Decimal):
        return ibis.literal(value, type=kind)
    if kind.is_floating():
        return _double(float(value))
    scaled = value.scaleb(_scale(kind), _WIDE)
    smallest, largest = _limits(kind)
    is_held = scaled == scaled.to_integral_value(context=_WIDE) and smallest <= scaled <= largest
    return _exact(kind, int(scaled)) if is_held else None


def _comparable(column: Column, value: Value) -> Scalar:
    return _double(float(value)) if isinstance(value, Decimal) else ibis.literal(value, type=column.type())


def _scale(kind: DataType) -> int:
    return 0 if kind.is_integer() else int(kind.scale)


def _limits(kind: DataType) -> tuple[int, int]:
    """The smallest and the largest number of units of the last place."""
    largest = _INT64 - 1 if kind.is_integer() else int(10**kind.precision - 1)
    return (-_INT64 if kind.is_integer() else -largest), largest


def _exact(kind: DataType, units: int) -> Scalar:
    """A number of units of the last place; as text, since a number in an engine's SQL may pass through a double."""
    if kind.is_integer():
        return ibis.literal(units, type=kind)
    return ibis.literal(format(Decimal(units).scaleb(-kind.scale, _WIDE), "f")).cast(kind)


def _double(number: float) -> Scalar:
    """A double to its last bit, which only its text is sure to keep."""
    return ibis.literal(repr(number)).cast("float64")
