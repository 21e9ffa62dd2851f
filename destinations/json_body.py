"""Values as APIs take them: JSON in which every number has all its digits, and identifiers as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import orjson

from destinations.base import Value

_WHOLE_MIN, _WHOLE_MAX = -(2**63), 2**64 - 1


def json_body(body: Mapping[str, Value]) -> bytes:
    """``body`` as JSON in UTF-8, of what a record of a batch may hold."""
    return orjson.dumps(_exact(body), default=_digits)


def key_text(value: Value) -> str:
    """A match key as text, a number with all its digits."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _exact(value: Value) -> Value:
    """Whole numbers that the writer cannot write become decimals, which it writes with all their digits."""
    match value:
        case dict():
            return {name: _exact(member) for name, member in value.items()}
        case list():
            return [_exact(member) for member in value]
        case int() if not _WHOLE_MIN <= value <= _WHOLE_MAX:
            return Decimal(value)
        case _:
            return value


def _digits(value: object) -> orjson.Fragment:
    assert isinstance(value, Decimal), "all else is plain JSON"
    return orjson.Fragment(f"{value:f}")
