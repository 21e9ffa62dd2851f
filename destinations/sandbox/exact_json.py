"""JSON that keeps every digit: numbers with a fraction and very long ones are decimals, in and out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

Value: TypeAlias = Any
"""A decoded JSON value; ``Any`` because JSON is recursive."""

_DIGITS_OF_AN_INTEGER = 18
"""What surely fits in 64 bits, which is as far as the writer's integers go."""


class TooDeepError(ValueError):
    """A value is nested more deeply than can be written."""


def read(content: bytes) -> Value:
    """Decode what came from outside. Raises ``ValueError`` for anything that is not strict, shallow JSON in UTF-8."""
    try:
        orjson.loads(content)  # the strict reading: no NaN, no lone surrogate, bounded depth
        return reread(content)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError(f"not usable as JSON ({type(error).__name__})") from None


def reread(text: str | bytes) -> Value:
    """Decode what `written` wrote."""
    return json.loads(text, parse_float=Decimal, parse_int=_whole)


def written(value: Value) -> bytes:
    """Encode a value of `read`. Raises `TooDeepError`."""
    try:
        return orjson.dumps(value, default=_number)
    except orjson.JSONEncodeError as error:
        raise TooDeepError from error


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _DIGITS_OF_AN_INTEGER else Decimal(digits)


def _number(value: object) -> orjson.Fragment:
    assert isinstance(value, Decimal), "all else is plain JSON"
    return orjson.Fragment(str(value))
